"""AWS's SDK, unchanged, at every provider. It verifies both checksums of every frame of a stream."""

import base64
import json
import uuid

import pytest
from asks import PERSON_SCHEMA, PNG, WEATHER, Person, check_weather
from botocore.exceptions import ClientError, EventStreamError


def said(text):
    return [{"role": "user", "content": [{"text": text}]}]


def spec(name, **more):
    return {"toolSpec": {"name": name, "description": f"Does {name}.", "inputSchema": {"json": WEATHER}, **more}}


def offered(*tools, **more):
    return {"toolConfig": {"tools": list(tools), **more}}


def text_of(reply):
    return "".join(block.get("text", "") for block in reply["output"]["message"]["content"])


def calls_of(reply):
    return [block["toolUse"] for block in reply["output"]["message"]["content"] if "toolUse" in block]


def put_together(events):
    """The message that the events of a stream say, as `converse` would have answered it."""
    assert list(events[0]) == ["messageStart"] and events[0]["messageStart"]["role"] == "assistant"
    assert [list(event)[0] for event in events[-2:]] == ["messageStop", "metadata"]
    blocks, ended = {}, []
    for event in events[1:-2]:
        [(kind, data)] = event.items()
        index = data["contentBlockIndex"]
        assert index not in ended, "nothing comes behind the end of a block"
        if kind == "contentBlockStart":
            blocks[index] = {"toolUse": {**data["start"]["toolUse"], "input": ""}}
        elif kind == "contentBlockStop":
            ended.append(index)
        elif "text" in data["delta"]:
            blocks.setdefault(index, {"text": ""})["text"] += data["delta"]["text"]
        elif "toolUse" in data["delta"]:
            blocks[index]["toolUse"]["input"] += data["delta"]["toolUse"]["input"]
        else:
            [(key, value)] = data["delta"]["reasoningContent"].items()
            thought = blocks.setdefault(index, {"reasoningContent": {"reasoningText": {}}})
            thought = thought["reasoningContent"]["reasoningText"]
            thought[key] = thought.get(key, "") + value
    assert sorted(blocks) == ended == list(range(len(blocks)))
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    content = [blocks[index] for index in sorted(blocks)]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": events[-2]["messageStop"]["stopReason"],
        "usage": events[-1]["metadata"]["usage"],
    }


@pytest.fixture
def ask(bed, model):
    """Asks for a whole reply."""

    def ask(messages, **more):
        messages = said(messages) if isinstance(messages, str) else messages
        reply = bed.converse(modelId=model, messages=messages, **more)
        assert reply["output"]["message"]["role"] == "assistant"
        assert reply["metrics"]["latencyMs"] >= 0
        return reply

    return ask


@pytest.fixture
def stream(bed, model):
    """Asks for a stream, and gives the message it says."""

    def stream(messages, **more):
        messages = said(messages) if isinstance(messages, str) else messages
        reply = bed.converse_stream(modelId=model, messages=messages, **more)
        return put_together(list(reply["stream"]))

    return stream


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def either(request, ask, stream):
    """Asks for a reply in either form."""
    return stream if request.param else ask


def test_a_plain_question_is_answered(ask):
    reply = ask("hello “wéll” 水")
    assert text_of(reply).startswith("You said: hello “wéll” 水")
    assert reply["stopReason"] == "end_turn"
    usage = reply["usage"]
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] + cached


def test_a_stream_is_the_same_reply_in_pieces(ask, bed, model):
    whole = ask("stream “mé” 水")
    events = list(bed.converse_stream(modelId=model, messages=said("stream “mé” 水"))["stream"])
    assert len(events) > 10
    streamed = put_together(events)
    assert text_of(streamed) == text_of(whole)
    assert streamed["stopReason"] == "end_turn"
    assert streamed["usage"]["outputTokens"] == whole["usage"]["outputTokens"]


def test_a_system_prompt_reaches_the_model(ask):
    bare, told = ask("hi"), ask("hi", system=[{"text": "Answer briefly."}, {"text": "Never mention the weather."}])
    assert told["usage"]["inputTokens"] > bare["usage"]["inputTokens"] + 4


def test_a_tool_is_called_and_its_result_is_read(either):
    tools = offered(spec("get_weather"), spec("unused"))
    reply = either("please call get_weather", **tools)
    assert reply["stopReason"] == "tool_use"
    [call] = calls_of(reply)
    assert call["name"] == "get_weather"
    check_weather(call["input"])
    result = {"toolUseId": call["toolUseId"], "content": [{"text": "it is raining"}], "status": "success"}
    messages = [
        *said("please call get_weather"),
        reply["output"]["message"],
        {"role": "user", "content": [{"toolResult": result}]},
    ]
    assert "it is raining" in text_of(either(messages, **tools))


def test_tools_are_called_in_parallel(either):
    tools = offered(spec("get_weather"), spec("get_time"))
    reply = either("get_weather and get_time", **tools)
    calls = calls_of(reply)
    assert [call["name"] for call in calls] == ["get_weather", "get_time"]
    assert len({call["toolUseId"] for call in calls}) == 2
    results = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": f"result number {index}"}]}}
        for index, call in enumerate(calls)
    ]
    messages = [
        *said("get_weather and get_time"),
        reply["output"]["message"],
        {"role": "user", "content": results},
    ]
    text = text_of(either(messages, **tools))
    assert "result number 0" in text and "result number 1" in text


def test_a_conversation_with_tools_goes_on(ask):
    tools = offered(spec("get_weather"))
    messages = said("please call get_weather")
    for turn in range(2):
        reply = ask(messages, **tools)
        messages.append(reply["output"]["message"])
        results = [
            {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "rain"}]}} for call in calls_of(reply)
        ]
        messages.append({"role": "user", "content": [*results, {"text": f"get_weather once more, number {turn}"}]})
    assert calls_of(ask(messages, **tools))


@pytest.mark.parametrize(
    "choice, names", [({"any": {}}, ["get_weather"]), ({"tool": {"name": "get_time"}}, ["get_time"]), ({"auto": {}}, [])]
)
def test_the_choice_of_tools_is_obeyed(either, provider, choice, names):
    if provider == "oll" and names:
        pytest.skip("the provider's dialect has no word for this choice")
    reply = either("hi", **offered(spec("get_weather"), spec("get_time"), toolChoice=choice))
    assert [call["name"] for call in calls_of(reply)] == names


def test_images_and_documents_reach_the_model(ask, provider):
    image = {"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}}
    paper = {"document": {"format": "pdf", "name": "Wells (2)", "source": {"bytes": b"%PDF-1.4"}}}
    bare = ask("what is this")["usage"]["inputTokens"]
    # The simulator takes no documents in OpenAI's dialect; Cohere and Ollama take none in a message.
    for more in [image] if provider in ("oai", "coh", "oll") else [image, paper]:
        seen = ask([{"role": "user", "content": [{"text": "what is this"}, more]}])
        assert seen["usage"]["inputTokens"] > bare


def test_a_reply_is_held_to_a_schema(either):
    structure = {"jsonSchema": {"schema": json.dumps(PERSON_SCHEMA), "name": "person"}}
    reply = either("a person", outputConfig={"textFormat": {"type": "json_schema", "structure": structure}})
    assert isinstance(Person.model_validate_json(text_of(reply)).adult, bool)


def test_a_reply_ends_at_its_limit_and_at_a_stop_sequence(either, provider):
    short = either("a long story", inferenceConfig={"maxTokens": 16})
    assert (short["stopReason"], short["usage"]["outputTokens"]) == ("max_tokens", 16)
    if provider == "res":
        return  # OpenAI's responses have no stop sequences: the loss is named, and the reply goes on.
    stopped = either("one two three STOP four", inferenceConfig={"stopSequences": ["STOP"], "temperature": 0.5})
    # OpenAI, Google and Ollama do not say that it was one.
    assert stopped["stopReason"] == ("end_turn" if provider in ("oai", "gem", "oll") else "stop_sequence")
    assert "two three" in text_of(stopped) and "STOP" not in text_of(stopped)


def test_which_stop_sequence_came_is_among_the_models_own_fields(ask, provider):
    if provider not in ("ant", "bed"):
        pytest.skip("they do not say")
    reply = ask("one two three STOP four", inferenceConfig={"stopSequences": ["FIN", "STOP"]})
    assert reply["additionalModelResponseFields"]["stop_sequence"] == "STOP"


def test_thinking_is_shown_and_comes_back(either, stack, bed, provider):
    if provider not in ("ant", "bed"):
        pytest.skip("a signature is proof for the provider that wrote it")
    thinking = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
    more = {"inferenceConfig": {"maxTokens": 2000}, **thinking}
    reply = either("think about it", **more)
    thought = reply["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]
    assert thought["text"] and thought["signature"]
    messages = [*said("think about it"), reply["output"]["message"], *said("go on")]
    assert text_of(either(messages, **more))


def test_what_is_marked_is_cached(bed, stack, provider, model):
    if provider not in ("ant", "bed"):
        pytest.skip("they cache by themselves")
    system = [{"text": f"{uuid.uuid4()} " + "long prompt " * 900}, {"cachePoint": {"type": "default"}}]
    first, second = (
        bed.converse(modelId=model, messages=said("hi"), system=system)["usage"] for _ in range(2)
    )
    assert first["cacheWriteInputTokens"] > 0 and first["cacheDetails"][0]["ttl"] == "5m"
    assert second["cacheReadInputTokens"] == first["cacheWriteInputTokens"]
    assert second["totalTokens"] == first["totalTokens"]


@pytest.mark.gateway
def test_a_models_name_is_escaped_on_its_way(bed, made):
    """boto3 escapes the slash of a provider's model, and the colons of an ARN."""
    arn = "bed/arn:aws:bedrock:us-east-1::foundation-model/small"
    with pytest.raises(bed.exceptions.ResourceNotFoundException):
        bed.converse(modelId=arn, messages=said("hi"))
    assert text_of(bed.converse(modelId="chat-bed", messages=said("hi")))


@pytest.mark.gateway
def test_an_unknown_model_is_an_error_of_awss_form(bed):
    for call in (bed.converse, bed.converse_stream):
        with pytest.raises(bed.exceptions.ResourceNotFoundException) as raised:
            call(modelId="nobody/has-it", messages=said("hi"))
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.gateway
@pytest.mark.parametrize(
    "fault, status, name",
    [
        ("status 400", 400, "ValidationException"),
        ("rate-limit 1", 429, "ThrottlingException"),
        ("status 500", 500, "InternalServerException"),
        ("status 503", 503, "ServiceUnavailableException"),
    ],
)
def test_a_providers_error_reaches_the_client(bed, provider, fault, status, name):
    for call in (bed.converse, bed.converse_stream):
        with pytest.raises(ClientError) as raised:
            call(modelId=f"{provider}/small", messages=said(f"[[fault:{fault}]]"))
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert raised.value.response["Error"]["Code"] == name
        assert raised.value.response["Error"]["Message"]


@pytest.mark.gateway
def test_a_request_that_is_wrong_is_refused_with_the_field(bed):
    with pytest.raises(bed.exceptions.ValidationException) as raised:
        bed.converse(modelId="ant/small", messages=[{"role": "nobody", "content": [{"text": "hi"}]}])
    assert "messages[0].role" in str(raised.value)


@pytest.mark.gateway
@pytest.mark.parametrize("fault", ["cut 8", "eof 8", "stream-error 8", "garbage 8"])
def test_a_broken_stream_raises_and_never_looks_complete(bed, provider, fault):
    text = f"[[sim:tokens=40]] [[fault:{fault}]] tell me"
    events = []
    with pytest.raises(EventStreamError):
        for event in bed.converse_stream(modelId=f"{provider}/small", messages=said(text))["stream"]:
            events.append(event)
    kinds = {kind for event in events for kind in event}
    assert "contentBlockDelta" in kinds and not kinds & {"messageStop", "metadata"}


@pytest.mark.gateway
def test_the_clients_key_goes_nowhere(bed, stack):
    bed.converse(modelId="bed/small", messages=said("hi"))
    assert "sk-client-must-not-travel" not in stack.server.log.read_text()
