"""The Anthropic SDK, unchanged, at both providers: everything that ends well."""

import json
import uuid

import anthropic
import pytest
from asks import PERSON_SCHEMA, PNG, Person, check_weather, strict, tool, user


@pytest.fixture
def ask(ant, model):
    """Makes a message with the given differences."""

    def create(client=ant, **more):
        return client.messages.create(**{"model": model, "max_tokens": 300, "messages": user("hello well")} | more)

    return create


def text_of(events):
    deltas = (event.delta for event in events if event.type == "content_block_delta")
    return "".join(delta.text for delta in deltas if delta.type == "text_delta")


def input_of(usage):
    """All input tokens: this dialect counts what was cached apart."""
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


def test_a_plain_question_is_answered(ask):
    reply = strict(ask(messages=user("hello “wéll” 水"), system="Be brief.", metadata={"user_id": "u-1"}))
    assert reply.type == "message" and reply.role == "assistant" and reply.model == "small" and reply.id
    assert reply.stop_reason == "end_turn" and reply.stop_sequence is None
    [block] = reply.content
    assert block.type == "text" and block.text.startswith("You said: hello “wéll” 水")
    assert reply.usage.input_tokens > 0 and reply.usage.output_tokens > 0


def test_a_stream_is_the_same_reply_in_pieces(ask):
    whole = ask(messages=user("stream “mé” 水"))
    events = [strict(event) for event in ask(messages=user("stream “mé” 水"), stream=True)]
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert text_of(events) == whole.content[0].text
    assert kinds.count("content_block_delta") > 10
    assert events[-2].delta.stop_reason == "end_turn"
    assert events[-2].usage.output_tokens == whole.usage.output_tokens


def test_the_stream_helper_puts_the_message_together(ant, ask, model):
    whole = ask()
    with ant.messages.stream(model=model, max_tokens=300, messages=user("hello well")) as stream:
        text = "".join(stream.text_stream)
        final = strict(stream.get_final_message())
    assert final.content[0].text == text == whole.content[0].text
    assert input_of(final.usage) == input_of(whole.usage)
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_system_prompts_reach_the_model(ask):
    bare = ask()
    told = ask(system="Answer briefly, and never mention the weather.")
    blocks = ask(system=[{"type": "text", "text": "Answer briefly."}, {"type": "text", "text": "No weather."}])
    assert told.usage.input_tokens > bare.usage.input_tokens + 8
    assert blocks.usage.input_tokens > bare.usage.input_tokens + 4
    assert told.content[0].text.startswith("You said: hello well")


def test_a_conversation_goes_on(ask):
    messages = user("first question")
    for turn in range(3):
        reply = ask(messages=messages)
        messages += [{"role": "assistant", "content": reply.content}, *user(f"question number {turn}")]
    assert "question number 2" in strict(ask(messages=messages)).content[0].text


def test_a_tool_is_called_and_its_result_is_read(ask):
    tools = [tool("get_weather"), tool("unused")]
    messages = user("please call get_weather")
    reply = strict(ask(messages=messages, tools=tools))
    assert reply.stop_reason == "tool_use"
    [call] = reply.content
    assert call.type == "tool_use" and call.name == "get_weather"
    check_weather(call.input)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "it is raining"}
    messages += [{"role": "assistant", "content": reply.content}, {"role": "user", "content": [result]}]
    reply = strict(ask(messages=messages, tools=tools))
    assert reply.stop_reason == "end_turn" and "it is raining" in reply.content[0].text


def test_tools_are_called_in_parallel_and_each_result_is_read(ask):
    tools = [tool("get_weather"), tool("get_time")]
    messages = user("get_weather and get_time")
    reply = strict(ask(messages=messages, tools=tools))
    assert [block.name for block in reply.content] == ["get_weather", "get_time"]
    results = []
    for index, block in enumerate(reply.content):
        check_weather(block.input)
        content = [{"type": "text", "text": f"result number {index}"}]
        results.append({"type": "tool_result", "tool_use_id": block.id, "content": content, "is_error": index == 1})
    messages += [{"role": "assistant", "content": reply.content}, {"role": "user", "content": results}]
    text = ask(messages=messages, tools=tools).content[0].text
    assert "result number 0" in text and "result number 1" in text


def test_parallel_tool_calls_are_streamed(ant, model, provider):
    tools = [tool("get_weather"), tool("get_time"), {"name": "ping", "input_schema": {"type": "object"}}]
    asked = user("get_weather get_time ping")
    with ant.messages.stream(model=model, max_tokens=300, messages=asked, tools=tools) as stream:
        events = list(stream)
        final = strict(stream.get_final_message())
    # Google's arguments come whole.
    assert len([event for event in events if event.type == "input_json"]) > (2 if provider == "gem" else 6)
    assert [block.name for block in final.content] == ["get_weather", "get_time", "ping"]
    assert len({block.id for block in final.content}) == 3
    check_weather(final.content[0].input)
    check_weather(final.content[1].input)
    assert final.content[2].input == {}
    assert final.stop_reason == "tool_use"


@pytest.mark.parametrize(
    "choice, names",
    [
        ({"type": "any"}, ["get_weather"]),
        ({"type": "none"}, []),
        ({"type": "tool", "name": "get_time"}, ["get_time"]),
    ],
    ids=["any", "none", "named"],
)
def test_tool_choice_is_obeyed(ask, choice, names):
    reply = ask(messages=user("hi"), tools=[tool("get_weather"), tool("get_time")], tool_choice=choice)
    assert [block.name for block in reply.content if block.type == "tool_use"] == names


def test_parallel_calls_can_be_forbidden(ask, provider):
    if provider in ("gem", "coh"):
        pytest.skip("Google and Cohere have no form for it: a loss, which the call reports")
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    tools = [tool("get_weather"), tool("get_time")]
    assert len(ask(messages=user("get_weather and get_time"), tools=tools, tool_choice=choice).content) == 1


def test_images_reach_the_model(ask):
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "text", "text": "look"},
    ]
    assert "(with 2 images)" in strict(ask(messages=[{"role": "user", "content": content}])).content[0].text


def test_structured_output_is_parsed(ant, ask, model):
    reply = ask(output_config={"format": {"type": "json_schema", "schema": PERSON_SCHEMA}})
    assert Person.model_validate_json(reply.content[0].text, strict=True)
    ask_person = {"model": model, "max_tokens": 300, "messages": user("a person"), "output_format": Person}
    parsed = ant.messages.parse(**ask_person)
    assert isinstance(parsed.parsed_output, Person)
    with ant.messages.stream(**ask_person) as stream:
        assert stream.get_final_message().parsed_output == parsed.parsed_output


def test_a_schema_may_leave_a_property_out(ask):
    """OpenAI holds no model to such a schema."""
    schema = PERSON_SCHEMA | {"required": ["name"]}
    reply = strict(ask(output_config={"format": {"type": "json_schema", "schema": schema}}))
    assert isinstance(json.loads(reply.content[0].text)["name"], str)
    tools = [{"name": "add_person", "input_schema": schema, "strict": True}]
    [call] = strict(ask(messages=user("add_person"), tools=tools)).content
    assert call.name == "add_person" and isinstance(call.input["name"], str)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_stop_sequence_ends_the_reply(ask, provider, stream):
    reply = ask(messages=user("one STOP two"), stop_sequences=["STOP", "never"], stream=stream)
    if stream:
        events = list(reply)
        text, ending = text_of(events), events[-2].delta
    else:
        text, ending = reply.content[0].text, reply
    # OpenAI's responses have no stop sequences: the loss is named, and the reply goes on.
    assert (text.rstrip() == "You said: one") == (provider != "res")
    # OpenAI does not tell a stop sequence from an end, and Cohere not which it was, so nothing may be made up.
    told = {"ant": ("stop_sequence", "STOP"), "coh": ("stop_sequence", None)}.get(provider, ("end_turn", None))
    assert (ending.stop_reason, ending.stop_sequence) == told


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_limit_ends_the_reply(ask, stream):
    reply = ask(messages=user("a long story"), max_tokens=16, stream=stream)
    if stream:
        last = list(reply)[-2]
        reason, usage = last.delta.stop_reason, last.usage
    else:
        reason, usage = reply.stop_reason, reply.usage
    assert reason == "max_tokens" and usage.output_tokens == 16


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_refusal_is_told(ask, provider, stream):
    reply = ask(messages=user("[[refuse]]"), stream=stream)
    if stream:
        events = [strict(event) for event in reply]
        text, reason = text_of(events), events[-2].delta.stop_reason
    else:
        text, reason = "".join(block.text for block in strict(reply).content), reply.stop_reason
    # Google blocks and says nothing.
    assert not text if provider == "gem" else text.startswith("I'm sorry")
    # Cohere does not tell a refusal from an end.
    assert reason == ("end_turn" if provider == "coh" else "refusal")


def test_thinking_makes_the_round_trip_with_its_signature(ant, stack):
    """Only at its own provider: a signature is proof for the provider that wrote it."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    tools = [tool("get_weather")]
    ask = {"model": stack.model("ant"), "max_tokens": 2000, "tools": tools, "thinking": thinking}
    messages = user("get_weather")
    reply = strict(ant.messages.create(**ask, messages=messages))
    assert [block.type for block in reply.content] == ["thinking", "tool_use"]
    assert reply.content[0].signature and reply.usage.output_tokens_details.thinking_tokens > 0
    result = {"type": "tool_result", "tool_use_id": reply.content[1].id, "content": "sunny"}
    messages += [{"role": "assistant", "content": reply.content}, {"role": "user", "content": [result]}]
    again = ant.messages.create(**ask, messages=messages)
    assert again.stop_reason == "end_turn" and "sunny" in again.content[-1].text
    blocks = [block.model_dump() for block in reply.content]
    blocks[0]["thinking"] += " tampered"
    messages[1] = {"role": "assistant", "content": blocks}
    with pytest.raises(anthropic.BadRequestError, match="signature"):
        ant.messages.create(**ask, messages=messages)


def test_thinking_is_streamed_with_its_signature(ant, stack):
    ask = {"model": stack.model("ant"), "max_tokens": 2000, "messages": user("think")}
    with ant.messages.stream(**ask, thinking={"type": "adaptive"}) as stream:
        deltas = [event.delta.type for event in stream if event.type == "content_block_delta"]
        final = strict(stream.get_final_message())
    assert deltas[0] == "thinking_delta" and "signature_delta" in deltas and deltas[-1] == "text_delta"
    assert final.content[0].signature and final.content[1].text.startswith("You said: think")
    messages = [*ask["messages"], {"role": "assistant", "content": final.content}, *user("go on")]
    again = ant.messages.create(**ask | {"messages": messages}, thinking={"type": "adaptive"})
    assert again.content[-1].text.startswith("You said: go on")
    hidden = ant.messages.create(**ask, thinking={"type": "adaptive", "display": "omitted"})
    assert hidden.content[0].thinking == "" and hidden.content[0].signature
    redacted = strict(ant.messages.create(**ask | {"messages": user("[[redacted-thinking]] x")}, thinking={"type": "adaptive"}))
    assert redacted.content[0].type == "redacted_thinking" and redacted.content[0].data


@pytest.mark.gateway
def test_thinking_asked_of_the_other_provider_is_counted(ant, stack):
    ask = {"model": stack.model("oai"), "max_tokens": 4000, "messages": user("think")}
    plain = ant.messages.create(**ask)
    thought = strict(ant.messages.create(**ask, thinking={"type": "enabled", "budget_tokens": 2000}))
    assert thought.content[-1].text == plain.content[-1].text
    assert thought.usage.output_tokens > plain.usage.output_tokens


def test_cached_input_is_counted(ask, provider):
    text = f"{uuid.uuid4()} " + "long system prompt " * 400
    system = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
    first, second = strict(ask(system=system)), strict(ask(system=system))
    third = [strict(event) for event in ask(system=system, stream=True)]
    assert first.usage.cache_read_input_tokens in (0, None)
    assert second.usage.cache_read_input_tokens >= 1024
    assert input_of(first.usage) == input_of(second.usage)
    usage = third[-2].usage
    assert usage.cache_read_input_tokens == second.usage.cache_read_input_tokens
    assert usage.input_tokens == second.usage.input_tokens
    if provider == "ant":
        assert first.usage.cache_creation_input_tokens == second.usage.cache_read_input_tokens
        assert first.usage.cache_creation.ephemeral_5m_input_tokens == first.usage.cache_creation_input_tokens


def test_tokens_are_counted(ant, ask, model, provider):
    asked = {"system": "Be brief.", "messages": user("hello well"), "tools": [tool("get_weather")]}
    count = strict(ant.messages.count_tokens(model=model, **asked)).input_tokens
    used = ask(**asked).usage.input_tokens
    if provider == "ant":
        assert count == used
    else:
        assert count >= used / 2, "an estimate, but not far below"


def test_models_are_listed(ant, stack):
    page = strict(ant.models.list())
    models = {model.id for model in page}
    if stack.direct:
        assert {"small", "large"} <= models
    else:
        assert {"chat-oai", "chat-ant", "oai/small", "oai/large", "ant/small", "ant/large"} <= models
    name = stack.model("oai", "large")
    assert strict(ant.models.retrieve(name)).id == name


@pytest.mark.gateway
@pytest.mark.parametrize("route", ["chat-oai", "chat-ant"])
def test_a_route_is_a_model(ask, route):
    assert strict(ask(model=route)).model == "small"
    assert list(ask(model=route, stream=True))[-1].type == "message_stop"
