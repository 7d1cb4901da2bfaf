"""The OpenAI SDK's responses, unchanged, at every provider."""

import json

import openai
import pytest
from asks import PNG, WEATHER, Person, check_weather, user
from asks import strict as typed


def strict(value):
    """OpenAI's service says whether it keeps the response, and pads its deltas; the SDK has no types for that."""
    return typed(value, frozenset({"store", "obfuscation"}))


def function(name, **more):
    """A tool, as responses have it."""
    return {"type": "function", "name": name, "description": f"Does {name}.", "parameters": WEATHER, "strict": False} | more


def calls_of(reply):
    return [item for item in reply.output if item.type == "function_call"]


def test_a_plain_question_is_answered(oai, model):
    reply = strict(oai.responses.create(model=model, input="hello “wéll” 水"))
    assert reply.output_text.startswith("You said: hello “wéll” 水")
    assert reply.status == "completed" and reply.object == "response" and reply.model == "small" and reply.id
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens
    assert reply.error is None and reply.incomplete_details is None


def test_a_stream_is_the_same_reply_in_pieces(oai, model):
    whole = oai.responses.create(model=model, input="stream “mé” 水")
    events = [strict(event) for event in oai.responses.create(model=model, input="stream “mé” 水", stream=True)]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 10 and "".join(deltas) == whole.output_text
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    final = events[-1].response
    assert final.output_text == whole.output_text
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_the_stream_helper_puts_the_reply_together(oai, model):
    with oai.responses.stream(model=model, input="put it together") as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert {"response.output_text.delta", "response.output_text.done", "response.completed"} <= kinds
    assert final.output_text.startswith("You said: put it together")


def test_instructions_and_developer_messages_reach_the_model(oai, model):
    bare = oai.responses.create(model=model, input="hi")
    told = oai.responses.create(
        model=model,
        instructions="Answer briefly.",
        input=[{"role": "developer", "content": "Never mention the weather."}, *user("hi")],
    )
    assert strict(told).usage.input_tokens > bare.usage.input_tokens + 8


def test_a_conversation_goes_on_with_what_the_model_said(oai, model):
    items = user("first question")
    for turn in range(3):
        reply = oai.responses.create(model=model, input=items, store=False)
        items += [item.model_dump(exclude_none=True) for item in reply.output]
        items += user(f"question number {turn}")
    reply = strict(oai.responses.create(model=model, input=items, store=False))
    assert "question number 2" in reply.output_text


def test_a_tool_is_called_and_its_result_is_read(oai, model):
    tools = [function("get_weather"), function("unused")]
    items = user("please call get_weather")
    reply = strict(oai.responses.create(model=model, input=items, tools=tools))
    [call] = calls_of(reply)
    assert call.name == "get_weather" and call.call_id
    check_weather(call.arguments)
    items += [item.model_dump(exclude_none=True) for item in reply.output]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "it is raining"})
    reply = strict(oai.responses.create(model=model, input=items, tools=tools))
    assert calls_of(reply) == [] and "it is raining" in reply.output_text


def test_parallel_tool_calls_are_streamed(oai, model):
    tools = [function("get_weather"), function("get_time")]
    stream = oai.responses.create(model=model, input="get_weather then get_time", tools=tools, stream=True)
    events = [strict(event) for event in stream]
    calls, arguments = {}, {}
    for event in events:
        if event.type == "response.output_item.added" and event.item.type == "function_call":
            calls[event.output_index] = event.item
        if event.type == "response.function_call_arguments.delta":
            arguments[event.output_index] = arguments.get(event.output_index, "") + event.delta
    assert [call.name for call in calls.values()] == ["get_weather", "get_time"]
    assert len({call.call_id for call in calls.values()}) == 2
    for text in arguments.values():
        check_weather(text)
    done = calls_of(events[-1].response)
    assert [call.arguments for call in done] == list(arguments.values())


@pytest.mark.parametrize(
    "choice, names",
    [("required", ["get_weather"]), ("none", []), ({"type": "function", "name": "get_time"}, ["get_time"])],
    ids=["required", "none", "named"],
)
def test_a_tool_choice_is_kept(oai, model, provider, choice, names):
    if choice == "none" and provider in ("bed", "oll") or isinstance(choice, dict) and provider in ("coh", "oll"):
        pytest.skip("the provider's dialect has no word for this choice")
    if choice == "required" and provider == "oll":
        pytest.skip("the provider's dialect has no word for this choice")
    tools = [function("get_weather"), function("get_time")]
    reply = strict(oai.responses.create(model=model, input="whatever you like", tools=tools, tool_choice=choice))
    assert [call.name for call in calls_of(reply)] == names


def test_structured_output_is_parsed(oai, model):
    reply = oai.responses.parse(model=model, input="a person", text_format=Person)
    assert isinstance(reply.output_parsed, Person)
    assert json.loads(reply.output_text) == reply.output_parsed.model_dump()


def test_an_image_reaches_the_model(oai, model):
    bare = oai.responses.create(model=model, input="what is this?")
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    content = [{"type": "input_text", "text": "what is this?"}, image]
    seen = strict(oai.responses.create(model=model, input=[{"role": "user", "content": content}]))
    assert seen.usage.input_tokens > bare.usage.input_tokens


def test_a_limit_ends_the_reply_and_says_so(oai, model):
    long = "[[sim:tokens=100]]" + "word " * 100
    reply = strict(oai.responses.create(model=model, input=long, max_output_tokens=16))
    assert reply.status == "incomplete" and reply.incomplete_details.reason == "max_output_tokens"
    assert reply.usage.output_tokens == 16
    events = list(oai.responses.create(model=model, input=long, max_output_tokens=16, stream=True))
    assert events[-1].type == "response.incomplete"


@pytest.mark.gateway
@pytest.mark.parametrize(
    "field, value", [("store", True), ("previous_response_id", "resp_1"), ("conversation", "conv_1"), ("background", True)]
)
def test_what_needs_state_is_refused_by_name(oai, model, field, value):
    with pytest.raises(openai.BadRequestError) as refused:
        oai.responses.create(model=model, input="hi", **{field: value})
    assert refused.value.code == "unsupported_parameter" and refused.value.param == field
    assert field in refused.value.message


@pytest.mark.gateway
def test_a_response_cannot_be_read_again(oai):
    with pytest.raises(openai.NotFoundError) as refused:
        oai.responses.retrieve("resp_1")
    assert "not kept" in refused.value.message


@pytest.mark.gateway
def test_input_tokens_are_counted(oai, model):
    count = oai.responses.input_tokens.count(model=model, input="how many tokens are these?")
    assert count.input_tokens > 3


@pytest.mark.parametrize("fault, kind", [("status 500", openai.InternalServerError), ("rate-limit 1", openai.RateLimitError)])
def test_a_provider_s_error_is_the_sdk_s_own(oai, stack, provider, fault, kind):
    with pytest.raises(kind):
        oai.responses.create(model=stack.model(provider), input=f"hi [[fault:{fault}]]")


def test_a_stream_that_breaks_raises(oai, model):
    with pytest.raises(openai.APIError):
        list(oai.responses.create(model=model, input="break [[fault:cut 8]][[sim:tokens=30]]", stream=True))
