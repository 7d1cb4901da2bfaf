"""Google's SDK, unchanged, at every provider."""

import base64

import pytest
from asks import PNG, WEATHER, Person, check_weather, strict
from conftest import remember
from google.genai import errors, types


@pytest.fixture
def ask(gem, model, made):
    """Asks, and keeps the call's id."""

    def ask(contents, **config):
        reply = gem.models.generate_content(model=model, contents=contents, config=config or None)
        remember(made, reply.sdk_http_response)
        return strict(reply)

    return ask


@pytest.fixture
def stream(gem, model, made):
    """Asks for a stream, and keeps the call's id."""

    def stream(contents, **config):
        steps = list(gem.models.generate_content_stream(model=model, contents=contents, config=config or None))
        remember(made, steps[0].sdk_http_response)
        return [strict(step) for step in steps]

    return stream


def function(name, **more):
    return {"name": name, "description": f"Does {name}.", **({"parameters_json_schema": WEATHER} | more)}


def offered(*functions):
    return [{"function_declarations": list(functions)}]


def test_a_plain_question_is_answered(ask):
    reply = ask("hello “wéll” 水")
    assert reply.text.startswith("You said: hello “wéll” 水")
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP
    assert reply.candidates[0].content.role == "model"
    usage = reply.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    assert reply.response_id and reply.model_version == "small"


def test_a_stream_is_the_same_reply_in_pieces(ask, stream):
    whole = ask("stream “mé” 水")
    steps = stream("stream “mé” 水")
    assert len(steps) > 10 and "".join(step.text or "" for step in steps) == whole.text
    reasons = [step.candidates[0].finish_reason for step in steps if step.candidates[0].finish_reason]
    assert reasons == [types.FinishReason.STOP]
    assert steps[-1].usage_metadata.candidates_token_count == whole.usage_metadata.candidates_token_count
    assert len({step.response_id for step in steps}) == 1


def test_a_system_instruction_reaches_the_model(ask):
    bare, told = ask("hi"), ask("hi", system_instruction="Answer briefly. Never mention the weather.")
    assert told.usage_metadata.prompt_token_count > bare.usage_metadata.prompt_token_count + 4


def test_a_conversation_goes_on(gem, model, made):
    chat = gem.chats.create(model=model)
    for turn in range(3):
        reply = chat.send_message(f"question number {turn}")
        remember(made, reply.sdk_http_response)
    assert "question number 2" in strict(reply).text


def test_a_function_is_called_and_its_result_is_read(ask):
    tools = offered(function("get_weather"), function("unused"))
    reply = ask("please call get_weather", tools=tools)
    [call] = reply.function_calls
    assert call.name == "get_weather"
    check_weather(call.args)
    result = types.Part.from_function_response(name="get_weather", response={"result": "it is raining"})
    result.function_response.id = call.id
    asked = types.Content(role="user", parts=[types.Part.from_text(text="please call get_weather")])
    contents = [asked, reply.candidates[0].content, types.Content(role="user", parts=[result])]
    assert "it is raining" in ask(contents, tools=tools).text


def test_functions_in_googles_own_schemas_are_called_in_parallel(ask):
    place = {"type": "OBJECT", "properties": {"place": {"type": "STRING"}}, "required": ["place"]}
    own = {"parameters_json_schema": None, "parameters": place}
    tools = offered(function("get_weather", **own), function("get_time", **own))
    reply = ask("get_weather and get_time", tools=tools)
    assert [call.name for call in reply.function_calls] == ["get_weather", "get_time"]
    assert all(isinstance(call.args["place"], str) for call in reply.function_calls)
    results = []
    for index, call in enumerate(reply.function_calls):
        result = types.Part.from_function_response(name=call.name, response={"output": f"result number {index}"})
        result.function_response.id = call.id
        results.append(result)
    asked = types.Content(role="user", parts=[types.Part.from_text(text="get_weather and get_time")])
    contents = [asked, reply.candidates[0].content, types.Content(role="user", parts=results)]
    text = ask(contents, tools=tools).text
    assert "result number 0" in text and "result number 1" in text


def test_parallel_function_calls_are_streamed(stream):
    steps = stream("get_weather then get_time", tools=offered(function("get_weather"), function("get_time")))
    calls = [call for step in steps for call in step.function_calls or []]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    for call in calls:
        check_weather(call.args)
    assert steps[-1].candidates[0].finish_reason == types.FinishReason.STOP


@pytest.mark.parametrize(
    "mode, allowed, names",
    [("ANY", None, ["get_weather"]), ("NONE", None, []), ("ANY", ["get_time"], ["get_time"])],
    ids=["any", "none", "named"],
)
def test_the_choice_of_functions_is_obeyed(ask, mode, allowed, names):
    calling = {"mode": mode} | ({"allowed_function_names": allowed} if allowed else {})
    tools = offered(function("get_weather"), function("get_time"))
    reply = ask("hi", tools=tools, tool_config={"function_calling_config": calling})
    assert [call.name for call in reply.function_calls or []] == names


def test_images_reach_the_model(ask):
    image = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
    bare, seen = ask("what is this"), ask(["what is this", image])
    assert seen.usage_metadata.prompt_token_count > bare.usage_metadata.prompt_token_count


def test_a_reply_is_held_to_a_schema(ask):
    reply = ask(
        "a person", response_mime_type="application/json", response_json_schema=Person.model_json_schema()
    )
    assert isinstance(Person.model_validate_json(reply.text).adult, bool)
    reply = ask("a person", response_mime_type="application/json", response_schema=Person)
    assert isinstance(reply.parsed, Person) and reply.parsed == Person.model_validate_json(reply.text)


def test_a_reply_ends_at_its_limit_and_at_a_stop_sequence(ask, stream, provider):
    short = ask("a long story", max_output_tokens=16)
    assert short.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert short.usage_metadata.candidates_token_count == 16
    assert stream("a long story", max_output_tokens=16)[-1].candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    if provider == "res":
        return  # OpenAI's responses have no stop sequences: the loss is named, and the reply goes on.
    stopped = ask("one two three STOP four", stop_sequences=["STOP"])
    assert stopped.candidates[0].finish_reason == types.FinishReason.STOP
    assert "two three" in stopped.text and "STOP" not in stopped.text


def test_tokens_are_counted(gem, model):
    assert gem.models.count_tokens(model=model, contents="how many tokens is this").total_tokens > 0


@pytest.mark.gateway
def test_models_are_listed(gem):
    names = [model.name for model in gem.models.list()]
    assert "models/gem/small" in names and "models/chat-gem" in names


@pytest.mark.gateway
def test_an_unknown_model_is_an_error_of_googles_form(gem):
    with pytest.raises(errors.ClientError) as raised:
        gem.models.generate_content(model="nobody/has-it", contents="hi")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    assert raised.value.details["error"]["details"][0]["metadata"]["code"] == "model_not_found"


@pytest.mark.gateway
@pytest.mark.parametrize(
    "fault, code, status",
    [
        ("status 400", 400, "INVALID_ARGUMENT"),
        ("rate-limit 1", 429, "RESOURCE_EXHAUSTED"),
        ("status 500", 500, "INTERNAL"),
        ("status 503", 503, "UNAVAILABLE"),
    ],
)
def test_a_providers_error_reaches_the_client(gem, provider, fault, code, status):
    with pytest.raises(errors.APIError) as raised:
        gem.models.generate_content(model=f"{provider}/small", contents=f"[[fault:{fault}]]")
    assert (raised.value.code, raised.value.status) == (code, status)


@pytest.mark.gateway
def test_a_key_the_provider_refuses_is_no_fault_of_the_clients_key(gem, provider):
    with pytest.raises(errors.APIError) as raised:
        gem.models.generate_content(model=f"{provider}-badkey/small", contents="hi")
    assert raised.value.code in (400, 401, 502)


@pytest.mark.gateway
def test_a_cut_stream_raises_and_never_looks_complete(gem, provider):
    steps = []
    with pytest.raises(errors.APIError):
        for step in gem.models.generate_content_stream(
            model=f"{provider}/small", contents="[[sim:tokens=40]] [[fault:cut 8]] tell me"
        ):
            steps.append(step)
    assert steps and not any(step.candidates[0].finish_reason for step in steps)
