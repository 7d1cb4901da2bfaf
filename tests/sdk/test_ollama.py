"""Ollama's Python client, unchanged, at every provider."""

import json

import httpx
import ollama
import pytest
from asks import PERSON_SCHEMA, PNG, Person, function, strict, user
from conftest import remember


@pytest.fixture
def oll(stack, made):
    """A client of Ollama's; each reply's call id is kept."""
    return ollama.Client(host=stack.api_url, event_hooks={"response": [lambda reply: remember(made, reply)]})


@pytest.fixture
def ask(oll, model):
    def ask(messages, **more):
        return strict(oll.chat(model=model, messages=user(messages) if isinstance(messages, str) else messages, **more))

    return ask


@pytest.fixture
def stream(oll, model):
    def stream(messages, **more):
        return [strict(line) for line in oll.chat(model=model, messages=user(messages), stream=True, **more)]

    return stream


def check_weather(arguments):
    """What is left of the schema: the client drops bounds, and what is within an object."""
    assert isinstance(arguments["city"], str) and arguments["unit"] in ("c", "f")
    assert isinstance(arguments["days"], int) and isinstance(arguments["place"], dict)


def joined(lines):
    return "".join(line.message.content or "" for line in lines)


def test_a_plain_question_is_answered(ask):
    reply = ask("hello “wéll” 水")
    assert reply.message.content.startswith("You said: hello “wéll” 水")
    assert (reply.done, reply.done_reason, reply.message.role, reply.model) == (True, "stop", "assistant", "small")
    assert reply.prompt_eval_count > 0 and reply.eval_count > 0
    assert reply.created_at.startswith("20") and reply.created_at.endswith("Z")


def test_a_stream_is_the_same_reply_in_lines(ask, stream):
    whole = ask("stream “mé” 水")
    lines = stream("stream “mé” 水")
    assert len(lines) > 10 and joined(lines) == whole.message.content
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    last = lines[-1]
    assert (last.done_reason, last.message.content) == ("stop", "")
    assert (last.prompt_eval_count, last.eval_count) == (whole.prompt_eval_count, whole.eval_count)


def test_a_stream_is_what_is_asked_for_where_nothing_is_said_of_it(stack, model, made):
    body = {"model": model, "messages": user("hi")}
    reply = httpx.post(f"{stack.api_url}/api/chat", json=body)
    remember(made, reply)
    assert reply.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert len(lines) > 2 and lines[-1]["done"] is True


def test_the_operators_instructions_reach_the_model(ask):
    told = [{"role": "system", "content": "Answer briefly. Never mention the weather."}, *user("hi")]
    assert ask(told).prompt_eval_count > ask("hi").prompt_eval_count + 4


def test_a_conversation_goes_on(ask):
    messages = []
    for turn in range(3):
        messages += user(f"question number {turn}")
        reply = ask(messages)
        messages.append(reply.message)
    assert "question number 2" in reply.message.content


def test_a_tool_is_called_and_its_result_is_read(ask):
    tools = [function("get_weather"), function("unused")]
    messages = user("please call get_weather")
    reply = ask(messages, tools=tools)
    [call] = reply.message.tool_calls
    assert (call.function.name, reply.done_reason) == ("get_weather", "stop")
    check_weather(call.function.arguments)
    # The client drops the call's id: the result is matched by the tool's name.
    messages += [reply.message, {"role": "tool", "tool_name": "get_weather", "content": "it is raining"}]
    assert "it is raining" in ask(messages, tools=tools).message.content


def test_tools_are_called_in_parallel(ask):
    tools = [function("get_weather"), function("get_time")]
    messages = user("get_weather and get_time")
    reply = ask(messages, tools=tools)
    assert [call.function.name for call in reply.message.tool_calls] == ["get_weather", "get_time"]
    messages.append(reply.message)
    for index, call in enumerate(reply.message.tool_calls):
        messages.append({"role": "tool", "tool_name": call.function.name, "content": f"result number {index}"})
    text = ask(messages, tools=tools).message.content
    assert "result number 0" in text and "result number 1" in text


def test_parallel_calls_are_streamed_each_in_one_piece(stream):
    lines = stream("get_weather then get_time", tools=[function("get_weather"), function("get_time")])
    calls = [call for line in lines for call in line.message.tool_calls or []]
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    for call in calls:
        check_weather(call.function.arguments)
    assert (lines[-1].done, lines[-1].done_reason) == (True, "stop")


def test_a_python_function_is_a_tool(ask):
    def get_weather(city: str, days: int) -> str:
        """What the weather will be.

        Args:
          city: Where.
          days: For how many days.
        """
        return f"{city} {days}"

    [call] = ask("get_weather", tools=[get_weather]).message.tool_calls
    assert isinstance(call.function.arguments["city"], str) and isinstance(call.function.arguments["days"], int)


def test_images_reach_the_model(ask):
    seen = ask([{"role": "user", "content": "what is this", "images": [PNG]}])
    assert seen.prompt_eval_count > ask("what is this").prompt_eval_count


def test_a_reply_is_held_to_a_schema(ask):
    reply = ask("a person", format=PERSON_SCHEMA)
    assert isinstance(Person.model_validate_json(reply.message.content).adult, bool)


def test_a_reply_is_any_json(ask, provider):
    if provider in ("ant", "bed"):
        pytest.skip("Anthropic and AWS have no form for it: it is named among the losses")
    assert isinstance(json.loads(ask("some json", format="json").message.content), dict)


def test_a_reply_ends_at_its_limit_and_at_a_stop_sequence(ask, stream, provider):
    short = ask("a long story", options={"num_predict": 16})
    assert (short.done_reason, short.eval_count) == ("length", 16)
    assert stream("a long story", options={"num_predict": 16})[-1].done_reason == "length"
    if provider == "res":
        return  # OpenAI's responses have no stop sequences: the loss is named, and the reply goes on.
    stopped = ask("one two three STOP four", options={"stop": ["STOP"]})
    assert stopped.done_reason == "stop"
    assert "two three" in stopped.message.content and "STOP" not in stopped.message.content


def test_options_of_sampling_are_taken(ask):
    options = {"temperature": 0.5, "top_p": 0.9, "num_predict": 2000}
    assert ask("hi", options=ollama.Options(**options)).message.content


def test_thoughts_stand_apart_from_the_answer(ask, stream, provider):
    reply = ask("think of wells", think="low", options={"num_predict": 4000})
    assert reply.message.content.startswith("You said: think of wells")
    lines = stream("think of wells", think=True, options={"num_predict": 4000})
    thoughts = "".join(line.message.thinking or "" for line in lines)
    assert joined(lines).startswith("You said: think of wells")
    # OpenAI counts what is thought, and does not show it; in Bedrock, only Claude's own field has it shown.
    assert bool(thoughts) == (provider not in ("oai", "res", "bed"))


async def test_the_async_client_streams(stack, model, made):
    async def keep(reply):
        remember(made, reply)

    client = ollama.AsyncClient(host=stack.api_url, event_hooks={"response": [keep]})
    lines = [line async for line in await client.chat(model=model, messages=user("hi"), stream=True)]
    assert lines[-1].done and joined(lines).startswith("You said: hi")


@pytest.mark.gateway
def test_models_are_listed(oll):
    models = strict(oll.list()).models
    names = [model.model for model in models]
    assert "oll/small" in names and "chat-oll" in names


@pytest.mark.gateway
def test_what_only_ollama_knows_is_kept_for_it_and_named_for_others(stack, model, provider, made):
    body = {"model": model, "messages": user("hi"), "options": {"num_ctx": 8192}, "keep_alive": "5m", "stream": False}
    reply = httpx.post(f"{stack.api_url}/api/chat", json=body)
    remember(made, reply)
    lost = reply.headers.get("x-stepwell-losses", "")
    assert ("num_ctx" in lost and "keep_alive" in lost) == (provider != "oll"), lost


@pytest.mark.gateway
def test_an_unknown_model_is_an_error_of_ollamas_form(oll):
    with pytest.raises(ollama.ResponseError) as raised:
        oll.chat(model="nobody/has-it", messages=user("hi"))
    assert raised.value.status_code == 404 and "nobody" in raised.value.error


@pytest.mark.gateway
def test_a_mistake_is_named_by_its_field(oll, provider):
    with pytest.raises(ollama.ResponseError) as raised:
        oll.chat(model=f"{provider}/small", messages=user("hi"), options={"num_predict": 1.5})
    assert raised.value.status_code == 400 and "options.num_predict" in raised.value.error


@pytest.mark.gateway
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault, status", [("status 400", 400), ("rate-limit 1", 429), ("status 500", 500), ("status 503", 503)])
def test_a_providers_error_reaches_the_client(oll, provider, fault, status, stream):
    with pytest.raises(ollama.ResponseError) as raised:
        reply = oll.chat(model=f"{provider}/small", messages=user(f"[[fault:{fault}]]"), stream=stream)
        list(reply)
    assert raised.value.status_code == status and raised.value.error


@pytest.mark.gateway
def test_a_key_the_provider_refuses_is_no_fault_of_the_clients_key(oll, provider):
    with pytest.raises(ollama.ResponseError) as raised:
        oll.chat(model=f"{provider}-badkey/small", messages=user("hi"))
    assert raised.value.status_code in (400, 401, 502)


@pytest.mark.gateway
def test_a_cut_stream_raises_and_never_looks_complete(oll, provider):
    lines = []
    asked = user("[[sim:tokens=40]] [[fault:cut 8]] tell me")
    with pytest.raises(ollama.ResponseError):
        for line in oll.chat(model=f"{provider}/small", messages=asked, stream=True):
            lines.append(line)
    assert lines and not any(line.done for line in lines)


@pytest.mark.gateway
def test_a_form_is_refused_in_words_that_say_what_to_send(stack):
    # As curl sends Ollama's examples: a page in a browser could send it too.
    reply = httpx.post(
        f"{stack.api_url}/api/chat",
        content=json.dumps({"model": "oll/small", "messages": user("hi")}),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert reply.status_code == 415 and "content-type: application/json" in reply.json()["error"]
