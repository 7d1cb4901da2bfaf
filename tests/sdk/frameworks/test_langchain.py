"""LangChain's chat models, unchanged, at every provider."""

import anthropic
import openai
import pytest
from asks import Person, check_weather, function
from google.genai import errors
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import ModelNotFoundError, ModelRateLimitError
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from stack import CLIENT_KEY

# What a framework still uses of an SDK is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# How each dialect says that a reply ended, ended in calls, and was cut at its limit.
FINISHES = {
    "oai": ("finish_reason", "stop", "tool_calls", "length"),
    "res": ("status", "completed", "completed", "incomplete"),
    "ant": ("stop_reason", "end_turn", "tool_use", "max_tokens"),
    "gem": ("finish_reason", "STOP", "STOP", "MAX_TOKENS"),
}
BROKEN = {"oai": openai.APIError, "res": openai.APIError, "ant": anthropic.APIStatusError, "gem": errors.APIError}


@pytest.fixture(params=FINISHES)
def spoken(request):
    return request.param


@pytest.fixture
def new_chat(stack, spoken, account):
    """Makes chat models of the class for the client's dialect; none tries again by itself."""

    def new(model, **options):
        if spoken in ("oai", "res"):
            options = {"stream_usage": True, "max_retries": 0, "use_responses_api": spoken == "res"} | options
            return ChatOpenAI(model=model, base_url=f"{stack.api_url}/v1", api_key=CLIENT_KEY, **options)
        if spoken == "ant":
            options = {"max_tokens": 300, "max_retries": 0} | options
            return ChatAnthropic(model=model, base_url=stack.api_url, api_key=CLIENT_KEY, **options)
        # Here 1 is none again, and 0 the SDK's own number.
        options = {"max_retries": 1} | options
        return ChatGoogleGenerativeAI(model=model, base_url=stack.api_url, api_key=CLIENT_KEY, **options)

    return new


@pytest.fixture
def chat(new_chat, model):
    return new_chat(model)


@pytest.fixture
def finished(spoken):
    """Why a message ended: 0 by itself, 1 in calls, 2 at its limit."""
    key, *reasons = FINISHES[spoken]

    def finished(message):
        return {index for index, reason in enumerate(reasons) if message.response_metadata[key] == reason}

    return finished


@pytest.fixture
def check_call(spoken):
    def check(call, name):
        assert call["name"] == name and call["id"] and isinstance(call["args"]["days"], int)
        # To Google's models LangChain does not tell the bounds of a number.
        check_weather(call["args"] | ({"days": 1} if spoken == "gem" else {}))

    return check


def whole(chunks):
    """The message that chunks make together."""
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert isinstance(total, AIMessageChunk)
    return total


def check_usage(message, billed):
    usage = message.usage_metadata
    assert usage["input_tokens"] == billed["input_tokens"] > 0
    assert usage["output_tokens"] == billed["output_tokens"] > 0
    assert usage["total_tokens"] == billed["input_tokens"] + billed["output_tokens"]


def test_a_plain_question_is_answered(chat, finished, account):
    reply = chat.invoke([("system", "Be brief."), ("human", "hello “wéll” 水 [[sim:tokens=5]]")])
    assert reply.text == "You said: hello “wéll” 水"
    assert 0 in finished(reply) and reply.response_metadata["model_name"] == "small"
    check_usage(reply, account.usage())


def test_a_stream_is_the_same_reply_in_pieces(chat, finished, account):
    text = chat.invoke("stream “mé” 水").text
    chunks = list(chat.stream("stream “mé” 水"))
    streamed = whole(chunks)
    assert len([chunk for chunk in chunks if chunk.text]) > 10
    assert streamed.text == text and text.startswith("You said: stream “mé” 水")
    assert 0 in finished(streamed)
    check_usage(streamed, account.usage(1))


# LangChain keeps its async clients from test to test.
@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream_is_read_by_async_clients(chat, account):
    chunks = [chunk async for chunk in chat.astream("async stream [[sim:tokens=30]]")]
    streamed = whole(chunks)
    assert streamed.text.startswith("You said: async stream") and len(chunks) > 10
    check_usage(streamed, account.usage())


def test_a_tool_is_called_and_its_result_is_read(chat, finished, account, check_call):
    chat = chat.bind_tools([function("get_weather"), function("unused")])
    messages = [HumanMessage("please call get_weather")]
    reply = chat.invoke(messages)
    assert 1 in finished(reply)
    [call] = reply.tool_calls
    check_call(call, "get_weather")
    assert not reply.invalid_tool_calls
    reply = chat.invoke([*messages, reply, ToolMessage("it is raining", tool_call_id=call["id"])])
    assert reply.text == "The tools answered: it is raining." and not reply.tool_calls
    assert 0 in finished(reply)
    check_usage(reply, account.usage(1))


def test_parallel_tool_calls_are_streamed_and_each_result_is_read(chat, finished, account, check_call):
    chat = chat.bind_tools([function("get_weather"), function("get_time")])
    messages = [HumanMessage("get_weather and get_time")]
    reply = whole(list(chat.stream(messages)))
    assert 1 in finished(reply) and not reply.invalid_tool_calls
    for call, name in zip(reply.tool_calls, ["get_weather", "get_time"], strict=True):
        check_call(call, name)
    assert len({call["id"] for call in reply.tool_calls}) == 2
    check_usage(reply, account.usage())
    messages.append(reply)
    for index, call in enumerate(reply.tool_calls):
        messages.append(ToolMessage(f"result number {index}", tool_call_id=call["id"]))
    streamed = whole(list(chat.stream(messages)))
    assert streamed.text == "The tools answered: result number 0; result number 1."


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output_is_parsed(chat, method):
    reply = chat.with_structured_output(Person, method=method, include_raw=True).invoke("a person")
    assert reply["parsing_error"] is None and isinstance(reply["parsed"], Person)
    raw = reply["raw"]
    said = Person.model_validate_json(raw.text) if method == "json_schema" else Person(**raw.tool_calls[0]["args"])
    assert reply["parsed"] == said


def test_a_limit_ends_the_reply(new_chat, model, finished, account):
    reply = new_chat(model, max_tokens=16).invoke("a long story")
    assert 2 in finished(reply) and account.usage()["output_tokens"] == 16
    check_usage(reply, account.usage())


@pytest.mark.gateway
def test_an_unknown_model_is_not_found(new_chat, spoken):
    with pytest.raises(ModelNotFoundError, match="no-such-model") as caught:
        new_chat("no-such-model").invoke("hi")
    check_error(caught.value, spoken, 404, "model_not_found")


@pytest.mark.gateway
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_rate_limit_is_told_and_nothing_is_tried_again(new_chat, provider, spoken, account, stream):
    chat = new_chat(f"{provider}-faulty/small")
    with pytest.raises(ModelRateLimitError) as caught:
        list(chat.stream("[[fault:rate-limit 7]]")) if stream else chat.invoke("[[fault:rate-limit 7]]")
    # An error of the client's own dialect is the provider's, byte for byte.
    check_error(caught.value, spoken, 429, None if provider == spoken else "upstream_rate_limited")
    assert [entry["status"] for entry in account.entries()] == [429]


def check_error(error, spoken, status, code):
    """What is raised is LangChain's and the SDK's own at once; Google's SDK's is its cause."""
    if spoken == "gem":
        assert error.__cause__.code == status
        if code:
            assert error.__cause__.details["error"]["details"][0]["metadata"]["code"] == code
        return
    sdk = anthropic if spoken == "ant" else openai
    assert isinstance(error, sdk.NotFoundError if status == 404 else sdk.RateLimitError)
    assert error.status_code == status
    if code:
        body = error.body["error"] if spoken == "ant" else error.body
        assert body["code"] == code


@pytest.mark.gateway
def test_a_broken_stream_raises(new_chat, provider, spoken, account):
    text = ""
    with pytest.raises(BROKEN[spoken]):
        for chunk in new_chat(f"{provider}-faulty/small").stream("[[fault:cut 8]] [[sim:tokens=60 event-ms=4]]"):
            text += chunk.text
            assert FINISHES[spoken][0] not in chunk.response_metadata, "nothing looks complete"
    assert text and account.usage()
