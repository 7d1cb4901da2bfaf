"""Cohere's SDK, unchanged, at every provider."""

import cohere
import cohere.core
import pytest
from asks import PERSON_SCHEMA, PNG, Person, check_weather, function, strict, user

# Cohere has no word for it; its SDK keeps what it does not know.
MODEL = frozenset({"model"})


@pytest.fixture
def ask(coh, model):
    """Asks for a whole reply."""

    def ask(text=None, *, messages=None, **more):
        return strict(coh.chat(model=model, messages=messages or user(text), **more), MODEL)

    return ask


@pytest.fixture
def stream(coh, model):
    """Asks for a stream, and takes all of its events."""

    def stream(text=None, *, messages=None, **more):
        events = list(coh.chat_stream(model=model, messages=messages or user(text), **more))
        return [strict(event, MODEL) for event in events]

    return stream


def text_of(message):
    return "".join(part.text for part in message.content or [] if part.type == "text")


def streamed_text(events):
    deltas = [event.delta.message.content for event in events if event.type == "content-delta"]
    return "".join(content.text or "" for content in deltas)


def streamed_calls(events):
    """The calls of a stream, put together: id, name, arguments and how many pieces these came in."""
    calls = {}
    for event in events:
        if event.type == "tool-call-start":
            begun = event.delta.message.tool_calls
            calls[event.index] = [begun.id, begun.function.name, begun.function.arguments or "", 0]
        elif event.type == "tool-call-delta":
            calls[event.index][2] += event.delta.message.tool_calls.function.arguments
            calls[event.index][3] += 1
    ended = [event.index for event in events if event.type == "tool-call-end"]
    assert ended == sorted(calls), "every call that begins ends"
    return [calls[index] for index in sorted(calls)]


def test_a_plain_question_is_answered(ask, provider):
    reply = ask("hello “wéll” 水")
    assert text_of(reply.message).startswith("You said: hello “wéll” 水")
    assert reply.finish_reason == "COMPLETE" and reply.message.role == "assistant" and reply.id
    billed = reply.usage.billed_units
    assert billed.input_tokens > 0 and billed.output_tokens > 0
    # Only Cohere adds to the prompt what it does not bill.
    assert (reply.usage.tokens.input_tokens > billed.input_tokens) == (provider == "coh")


def test_a_stream_is_the_same_reply_in_pieces(ask, stream):
    whole = ask("stream “mé” 水")
    events = stream("stream “mé” 水")
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message-start", "content-start"] and kinds[-2:] == ["content-end", "message-end"]
    assert set(kinds[2:-2]) == {"content-delta"} and len(kinds) > 12
    assert streamed_text(events) == text_of(whole.message)
    assert events[-1].delta.finish_reason == "COMPLETE" and events[0].id
    assert events[-1].delta.usage.billed_units == whole.usage.billed_units


def test_a_system_message_reaches_the_model(ask):
    system = [{"role": "system", "content": "Answer briefly. Never mention the weather."}]
    bare, told = ask("hi"), ask(messages=system + user("hi"))
    assert told.usage.billed_units.input_tokens > bare.usage.billed_units.input_tokens + 4
    assert text_of(told.message).startswith("You said: hi")


def test_a_conversation_goes_on(ask):
    messages = user("first question")
    for turn in range(3):
        messages.append(ask(messages=messages).message)
        messages += user(f"question number {turn}")
    assert "question number 2" in text_of(ask(messages=messages).message)


def test_a_tool_is_called_and_its_result_is_read(ask):
    tools = [function("get_weather"), function("unused")]
    messages = user("please call get_weather")
    reply = ask(messages=messages, tools=tools)
    assert reply.finish_reason == "TOOL_CALL"
    [call] = reply.message.tool_calls
    assert call.function.name == "get_weather"
    check_weather(call.function.arguments)
    messages += [reply.message, {"role": "tool", "tool_call_id": call.id, "content": "it is raining"}]
    reply = ask(messages=messages, tools=tools)
    assert reply.finish_reason == "COMPLETE" and "it is raining" in text_of(reply.message)


def test_tools_are_called_in_parallel_and_each_result_is_read_from_a_document(ask):
    tools = [function("get_weather"), function("get_time")]
    messages = user("get_weather and get_time")
    message = ask(messages=messages, tools=tools).message
    assert [call.function.name for call in message.tool_calls] == ["get_weather", "get_time"]
    # As Cohere's own guide goes on: the calls, and the plan behind them.
    messages.append({"role": "assistant", "tool_calls": message.tool_calls, "tool_plan": message.tool_plan or "I look."})
    for index, call in enumerate(message.tool_calls):
        document = {"type": "document", "document": {"data": {"result": f"number {index}"}}}
        messages.append({"role": "tool", "tool_call_id": call.id, "content": [document]})
    text = text_of(ask(messages=messages, tools=tools).message)
    assert "number 0" in text and "number 1" in text


def test_parallel_tool_calls_are_streamed(stream, provider):
    tools = [function("get_weather"), function("get_time")]
    events = stream("get_weather then get_time", tools=tools)
    calls = streamed_calls(events)
    assert [name for _, name, _, _ in calls] == ["get_weather", "get_time"]
    assert len({call_id for call_id, *_ in calls}) == 2
    for _, _, arguments, pieces in calls:
        check_weather(arguments)
        # Google's and Ollama's arguments come whole.
        assert pieces > (0 if provider in ("gem", "oll") else 2)
    assert events[-1].delta.finish_reason == "TOOL_CALL"


@pytest.mark.parametrize("choice, names", [("REQUIRED", ["get_weather"]), ("NONE", [])])
def test_tool_choice_is_obeyed(ask, provider, choice, names):
    if provider == "oll" and names:
        pytest.skip("Ollama has no form for it: a loss, which the call reports")
    reply = ask("hi", tools=[function("get_weather"), function("get_time")], tool_choice=choice)
    assert [call.function.name for call in reply.message.tool_calls or []] == names


def test_images_reach_the_model(ask, provider):
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    ]
    # Ollama takes none from a URL, and AWS fetches none.
    seen = "(with 1 image)" if provider in ("oll", "bed") else "(with 2 images)"
    assert seen in text_of(ask(messages=[{"role": "user", "content": content}]).message)


def test_documents_reach_the_model(ask):
    documents = ["Chand Baori has 3,500 steps.", {"id": "2", "data": {"text": "Rani ki Vav has seven levels."}}]
    bare, told = ask("which is deeper?"), ask("which is deeper?", documents=documents)
    assert told.usage.billed_units.input_tokens > bare.usage.billed_units.input_tokens + 12


def test_a_reply_is_held_to_a_schema(ask, stream):
    form = {"type": "json_object", "json_schema": PERSON_SCHEMA}
    whole = text_of(ask("a person", response_format=form).message)
    assert Person.model_validate_json(whole, strict=True)
    assert Person.model_validate_json(streamed_text(stream("a person", response_format=form)), strict=True)


def test_a_reply_ends_at_its_limit(ask, stream):
    short = ask("a long story", max_tokens=16)
    assert (short.finish_reason, short.usage.billed_units.output_tokens) == ("MAX_TOKENS", 16)
    assert stream("a long story", max_tokens=16)[-1].delta.finish_reason == "MAX_TOKENS"


def test_a_reply_ends_at_a_stop_sequence(ask, provider):
    reply = ask("one STOP two", stop_sequences=["STOP", "never"])
    # OpenAI's responses have no stop sequences: the loss is named, and the reply goes on.
    assert (text_of(reply.message).rstrip() == "You said: one") == (provider != "res")
    # The others do not tell a stop sequence from an end, so nothing may be made up.
    told = "STOP_SEQUENCE" if provider in ("coh", "ant", "bed") else "COMPLETE"
    assert reply.finish_reason == told


def test_thinking_is_a_part_of_its_own(coh, stack):
    """Only at its own provider: what others show of theirs is their own."""
    ask = {"model": stack.model("coh"), "messages": user("think")}
    plain = strict(coh.chat(**ask, thinking={"type": "disabled"}), MODEL)
    assert [part.type for part in plain.message.content] == ["text"]
    thought = strict(coh.chat(**ask, thinking={"type": "enabled", "token_budget": 12}), MODEL)
    assert [part.type for part in thought.message.content] == ["thinking", "text"]
    assert thought.usage.billed_units.output_tokens == plain.usage.billed_units.output_tokens + 12
    again = [*ask["messages"], thought.message, *user("go on")]
    assert text_of(coh.chat(model=ask["model"], messages=again).message).startswith("You said: go on")


@pytest.mark.gateway
@pytest.mark.parametrize("size", ["ant", "gem"])
def test_anothers_thinking_is_shown(coh, size):
    thinking = {"type": "enabled", "token_budget": 2000}
    reply = coh.chat(model=f"{size}/small", messages=user("think"), max_tokens=4000, thinking=thinking)
    assert [part.type for part in reply.message.content] == ["thinking", "text"]
    events = list(
        coh.chat_stream(model=f"{size}/small", messages=user("think"), max_tokens=4000, thinking=thinking)
    )
    kinds = [event.delta.message.content.type for event in events if event.type == "content-start"]
    assert kinds == ["thinking", "text"]


def test_cached_input_is_counted(coh, stack):
    long = user("long prompt " * 600 + str(id(coh)))
    ask = {"model": stack.model("coh"), "messages": long}
    first, second = coh.chat(**ask), coh.chat(**ask)
    assert not first.usage.cached_tokens
    assert 1024 <= second.usage.cached_tokens <= second.usage.billed_units.input_tokens
    assert list(coh.chat_stream(**ask))[-1].delta.usage.cached_tokens == second.usage.cached_tokens


def test_models_are_listed(coh, stack):
    names = {model.name for model in coh.models.list().models}
    expected = {"small", "large"} if stack.direct else {"chat-coh", "coh/small", "oai/large"}
    assert expected <= names
    name = stack.model("coh", "large")
    assert coh.models.get(name).name == name


@pytest.mark.gateway
def test_an_unknown_model_is_an_error_of_coheres_form(coh):
    with pytest.raises(cohere.NotFoundError) as raised:
        coh.chat(model="nobody/has-it", messages=user("hi"))
    assert raised.value.status_code == 404
    body = raised.value.body
    assert body["code"] == "model_not_found" and "nobody/has-it" in body["message"] and body["id"]


@pytest.mark.gateway
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "fault, error",
    [
        ("status 400", cohere.BadRequestError),
        ("rate-limit 1", cohere.TooManyRequestsError),
        ("status 500", cohere.InternalServerError),
        ("status 503", cohere.ServiceUnavailableError),
    ],
)
def test_a_providers_error_reaches_the_client(coh, provider, fault, error, streams):
    ask = {"model": f"{provider}/small", "messages": user(f"[[fault:{fault}]]")}
    with pytest.raises(error) as raised:
        list(coh.chat_stream(**ask)) if streams else coh.chat(**ask)
    assert raised.value.body["message"]


@pytest.mark.gateway
def test_a_key_the_provider_refuses_is_no_fault_of_the_clients_key(coh, provider):
    with pytest.raises(cohere.core.ApiError) as raised:
        coh.chat(model=f"{provider}-badkey/small", messages=user("hi"))
    assert raised.value.body["code"] == "upstream_auth" and f"{provider}-badkey" in raised.value.body["message"]


@pytest.mark.gateway
def test_a_wrong_request_names_the_field(coh, provider):
    with pytest.raises(cohere.BadRequestError) as raised:
        coh.chat(model=f"{provider}/small", messages=[{"role": "wizard", "content": "hi"}])
    assert "role" in raised.value.body["message"]


@pytest.mark.gateway
def test_a_cut_stream_never_looks_complete(coh, provider):
    """Cohere's SDK raises nothing at an event: the error is what the last one says."""
    text = "[[sim:tokens=40]] [[fault:cut 8]] tell me"
    events = list(coh.chat_stream(model=f"{provider}/small", messages=user(text)))
    assert streamed_text(events)
    end = events[-1]
    assert end.type == "message-end" and end.delta.finish_reason == "ERROR"
    assert end.delta.error and end.delta.usage is None
    assert [event.type for event in events].count("message-end") == 1


@pytest.mark.gateway
async def test_the_async_client_asks_as_well(stack, provider):
    async with cohere.AsyncClientV2(api_key="any", base_url=stack.api_url) as client:
        reply = await client.chat(model=f"{provider}/small", messages=user("hello"))
        assert text_of(reply.message).startswith("You said: hello")
        stream = client.chat_stream(model=f"{provider}/small", messages=user("hello"))
        assert streamed_text([event async for event in stream]) == text_of(reply.message)
