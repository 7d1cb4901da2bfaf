"""The OpenAI SDK, unchanged, at both providers: everything that ends well."""

import uuid

import openai
import pytest
from asks import PNG, Person, check_weather, function, strict, user

# Open models' servers send the text of thinking so; the SDK passes it on untyped.
THOUGHT = frozenset({"reasoning_content"})
# Google's proof of the thinking behind a call stands there in its own compatible endpoint, too.
SIGNED = frozenset({"extra_content"})


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def finishes(chunks):
    return [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]


def test_a_plain_question_is_answered(oai, model):
    reply = strict(oai.chat.completions.create(model=model, messages=user("hello “wéll” 水")))
    choice = reply.choices[0]
    assert choice.finish_reason == "stop" and choice.message.role == "assistant"
    assert choice.message.content.startswith("You said: hello “wéll” 水")
    assert reply.object == "chat.completion" and reply.model == "small" and reply.id
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_a_stream_is_the_same_reply_in_pieces(oai, model):
    whole = oai.chat.completions.create(model=model, messages=user("stream “mé” 水"))
    chunks = list(oai.chat.completions.create(model=model, messages=user("stream “mé” 水"), stream=True))
    for chunk in chunks:
        strict(chunk)
        assert chunk.usage is None, "usage was not asked for"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert text_of(chunks) == whole.choices[0].message.content
    assert len(chunks) > 10 and finishes(chunks) == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_ends_with_usage_where_it_is_asked_for(oai, model):
    whole = oai.chat.completions.create(model=model, messages=user("count"))
    options = {"include_usage": True}
    stream = oai.chat.completions.create(model=model, messages=user("count"), stream=True, stream_options=options)
    chunks = [strict(chunk) for chunk in stream]
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_system_and_developer_messages_reach_the_model(oai, model):
    bare = oai.chat.completions.create(model=model, messages=user("hi"))
    system = [{"role": "system", "content": "Answer briefly."}]
    developer = [{"role": "developer", "content": [{"type": "text", "text": "Never mention the weather."}]}]
    told = strict(oai.chat.completions.create(model=model, messages=system + developer + user("hi")))
    assert told.usage.prompt_tokens > bare.usage.prompt_tokens + 8
    assert told.choices[0].message.content.startswith("You said: hi")


def test_a_conversation_goes_on(oai, model):
    messages = user("first question")
    for turn in range(3):
        reply = oai.chat.completions.create(model=model, messages=messages)
        messages.append(reply.choices[0].message)
        messages += user(f"question number {turn}")
    reply = strict(oai.chat.completions.create(model=model, messages=messages))
    assert "question number 2" in reply.choices[0].message.content


def test_a_tool_is_called_and_its_result_is_read(oai, model):
    tools = [function("get_weather"), function("unused")]
    messages = user("please call get_weather")
    reply = strict(oai.chat.completions.create(model=model, messages=messages, tools=tools), SIGNED)
    assert reply.choices[0].finish_reason == "tool_calls"
    [call] = reply.choices[0].message.tool_calls
    assert call.type == "function" and call.function.name == "get_weather"
    check_weather(call.function.arguments)
    messages += [reply.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "it is raining"}]
    reply = strict(oai.chat.completions.create(model=model, messages=messages, tools=tools), SIGNED)
    assert reply.choices[0].finish_reason == "stop"
    assert "it is raining" in reply.choices[0].message.content


def test_tools_are_called_in_parallel_and_each_result_is_read(oai, model):
    tools = [function("get_weather"), function("get_time")]
    messages = user("get_weather and get_time")
    message = strict(oai.chat.completions.create(model=model, messages=messages, tools=tools), SIGNED).choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["get_weather", "get_time"]
    messages.append(message)
    for index, call in enumerate(message.tool_calls):
        check_weather(call.function.arguments)
        content = [{"type": "text", "text": f"result number {index}"}]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    reply = oai.chat.completions.create(model=model, messages=messages, tools=tools)
    assert "result number 0" in reply.choices[0].message.content
    assert "result number 1" in reply.choices[0].message.content


def test_parallel_tool_calls_are_streamed(oai, model, provider):
    tools = [function("get_weather"), function("get_time")]
    asked = user("get_weather then get_time")
    chunks = list(oai.chat.completions.create(model=model, messages=asked, tools=tools, stream=True))
    calls, fragments = {}, {}
    for chunk in chunks:
        strict(chunk, SIGNED)
        for part in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(part.index, {"id": part.id, "name": part.function.name, "arguments": ""})
            call["arguments"] += part.function.arguments or ""
            fragments[part.index] = fragments.get(part.index, 0) + 1
    assert [calls[index]["name"] for index in sorted(calls)] == ["get_weather", "get_time"]
    assert all(call["id"] for call in calls.values()) and len({call["id"] for call in calls.values()}) == 2
    # Google's arguments come whole.
    assert all(count > (1 if provider == "gem" else 2) for count in fragments.values())
    for call in calls.values():
        check_weather(call["arguments"])
    assert finishes(chunks) == ["tool_calls"]


def test_the_stream_helper_puts_tool_calls_together(oai, model):
    tools = [function("get_weather"), function("get_time")]
    with oai.chat.completions.stream(model=model, messages=user("get_time get_weather"), tools=tools) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in events and "tool_calls.function.arguments.done" in events
    calls = final.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    for call in calls:
        check_weather(call.function.arguments)


@pytest.mark.parametrize(
    "choice, names",
    [
        ("required", ["get_weather"]),
        ("none", []),
        ({"type": "function", "function": {"name": "get_time"}}, ["get_time"]),
    ],
    ids=["required", "none", "named"],
)
def test_tool_choice_is_obeyed(oai, model, choice, names):
    tools = [function("get_weather"), function("get_time")]
    reply = oai.chat.completions.create(model=model, messages=user("hi"), tools=tools, tool_choice=choice)
    assert [call.function.name for call in reply.choices[0].message.tool_calls or []] == names


def test_parallel_calls_can_be_forbidden(oai, model, provider):
    if provider in ("gem", "coh"):
        pytest.skip("Google and Cohere have no form for it: a loss, which the call reports")
    tools = [function("get_weather"), function("get_time")]
    asked = user("get_weather and get_time")
    reply = oai.chat.completions.create(model=model, messages=asked, tools=tools, parallel_tool_calls=False)
    assert len(reply.choices[0].message.tool_calls) == 1


def test_images_reach_the_model(oai, model):
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    ]
    reply = strict(oai.chat.completions.create(model=model, messages=[{"role": "user", "content": content}]))
    assert "(with 2 images)" in reply.choices[0].message.content


def test_structured_output_is_parsed(oai, model):
    reply = oai.chat.completions.parse(model=model, messages=user("a person"), response_format=Person)
    assert isinstance(reply.choices[0].message.parsed, Person)
    with oai.chat.completions.stream(model=model, messages=user("a person"), response_format=Person) as stream:
        for _ in stream:
            pass
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.parsed == reply.choices[0].message.parsed


def test_a_strict_tool_is_parsed(oai, model):
    tools = [openai.pydantic_function_tool(Person, name="add_person")]
    reply = oai.chat.completions.parse(model=model, messages=user("add_person"), tools=tools)
    [call] = reply.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Person)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_stop_sequence_ends_the_reply(oai, model, provider, stream):
    ask = {"model": model, "messages": user("one STOP two"), "stop": ["STOP", "never"]}
    if stream:
        chunks = list(oai.chat.completions.create(**ask, stream=True))
        text, finish = text_of(chunks), finishes(chunks)[-1]
    else:
        choice = oai.chat.completions.create(**ask).choices[0]
        text, finish = choice.message.content, choice.finish_reason
    # OpenAI's responses have no stop sequences: the loss is named, and the reply goes on.
    assert (text.rstrip() == "You said: one") == (provider != "res") and finish == "stop"


@pytest.mark.parametrize("field", ["max_completion_tokens", "max_tokens"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_limit_ends_the_reply(oai, model, field, stream):
    ask = {"model": model, "messages": user("a long story"), field: 16}
    if stream:
        chunks = list(oai.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        usage, finish = chunks[-1].usage, finishes(chunks)[-1]
    else:
        reply = oai.chat.completions.create(**ask)
        usage, finish = reply.usage, reply.choices[0].finish_reason
    assert finish == "length" and usage.completion_tokens == 16


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_reasoning_is_counted(oai, model, provider, stream):
    if provider == "coh":
        pytest.skip("Cohere has no levels of it, and does not count it apart: a loss, which the call reports")
    ask = {"model": model, "messages": user("think"), "reasoning_effort": "high", "max_completion_tokens": 4000}
    if stream:
        chunks = list(oai.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        for chunk in chunks:
            strict(chunk, THOUGHT)
        usage, text = chunks[-1].usage, text_of(chunks)
    else:
        reply = strict(oai.chat.completions.create(**ask), THOUGHT)
        usage, text = reply.usage, reply.choices[0].message.content
    assert text.startswith("You said: think")
    reasoning = usage.completion_tokens_details.reasoning_tokens
    assert 0 < reasoning < usage.completion_tokens


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_refusal_is_told(oai, model, provider, stream):
    ask = {"model": model, "messages": user("[[refuse]]")}
    if stream:
        chunks = [strict(chunk) for chunk in oai.chat.completions.create(**ask, stream=True)]
        said = "".join((chunk.choices[0].delta.refusal or "") for chunk in chunks if chunk.choices) or text_of(chunks)
        finish = finishes(chunks)[-1]
    else:
        choice = strict(oai.chat.completions.create(**ask)).choices[0]
        said, finish = choice.message.refusal or choice.message.content, choice.finish_reason
    # Google blocks and says nothing.
    assert not said if provider == "gem" else said.startswith("I'm sorry")
    # Cohere does not tell a refusal from an end.
    assert finish == ("stop" if provider in ("oai", "res", "coh") else "content_filter")


def test_cached_input_is_counted(oai, stack):
    """Only at its own provider: OpenAI caches by itself, Anthropic what is marked, and this dialect marks nothing."""
    long = user(f"{uuid.uuid4()} " + "long prompt " * 600)
    ask = {"model": stack.model("oai"), "messages": long}
    first = oai.chat.completions.create(**ask)
    second = oai.chat.completions.create(**ask)
    third = list(oai.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    cached = second.usage.prompt_tokens_details.cached_tokens
    assert cached >= 1024 and cached % 128 == 0
    assert third[-1].usage.prompt_tokens_details.cached_tokens == cached


def test_sampling_and_labels_are_taken(oai, stack):
    reply = strict(
        oai.chat.completions.create(
            model=stack.model("oai"),
            messages=user("hi"),
            temperature=0.5,
            top_p=0.9,
            seed=7,
            frequency_penalty=0.1,
            presence_penalty=0.1,
            logit_bias={"50256": -100},
            user="u-1",
            metadata={"feature": "search"},
            store=False,
        )
    )
    assert reply.choices[0].finish_reason == "stop"


def test_models_are_listed(oai, stack):
    models = {strict(model).id for model in oai.models.list()}
    if stack.direct:
        assert {"small", "large"} <= models
    else:
        assert {"chat-oai", "chat-ant", "oai/small", "oai/large", "ant/small", "ant/large"} <= models
    name = stack.model("ant", "large")
    assert strict(oai.models.retrieve(name)).id == name


@pytest.mark.gateway
@pytest.mark.parametrize("route", ["chat-oai", "chat-ant"])
def test_a_route_is_a_model(oai, route):
    reply = strict(oai.chat.completions.create(model=route, messages=user("hi")))
    assert reply.model == "small"
    assert finishes(list(oai.chat.completions.create(model=route, messages=user("hi"), stream=True))) == ["stop"]
