"""LlamaIndex's LLMs, unchanged, at every provider."""

import anthropic
import openai
import pytest
from asks import Person
from google.genai import errors
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.google_genai import GoogleGenAI
from llama_index.llms.openai_like import OpenAILike
from stack import CLAUDES, CLIENT_KEY

# What a framework still uses of an SDK is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NOT_FOUND = {"oai": openai.NotFoundError, "ant": anthropic.NotFoundError, "gem": errors.ClientError}
RATE_LIMIT = {"oai": openai.RateLimitError, "ant": anthropic.RateLimitError, "gem": errors.ClientError}
BROKEN = {"oai": openai.APIError, "ant": anthropic.APIStatusError, "gem": errors.APIError}


@pytest.fixture(params=NOT_FOUND)
def spoken(request):
    return request.param


@pytest.fixture
def model(stack, provider, spoken):
    """A model's name. Of Anthropic's, LlamaIndex takes only those that it knows."""
    if spoken != "ant":
        return stack.model(provider)
    if stack.direct:
        pytest.skip("the simulator alone has no model of such a name")
    return CLAUDES[provider]


@pytest.fixture
def new_llm(stack, spoken, account):
    """Makes LLMs of the class for the client's dialect; none tries again by itself."""

    def new(model, max_tokens=None):
        options = {"model": model, "api_key": CLIENT_KEY, "max_retries": 0}
        if spoken == "oai":
            able = dict.fromkeys(["is_chat_model", "is_function_calling_model", "should_use_structured_outputs"], True)
            return OpenAILike(api_base=f"{stack.api_url}/v1", max_tokens=max_tokens, **able, **options)
        if spoken == "ant":
            return Anthropic(base_url=stack.api_url, max_tokens=max_tokens or 300, **options)
        # Without a limit it asks for the model's own.
        return GoogleGenAI(http_options={"base_url": stack.api_url}, max_tokens=max_tokens, **options)

    return new


@pytest.fixture
def llm(new_llm, model):
    return new_llm(model)


def get_weather(city: str, days: int) -> str:
    """What the weather will be."""
    return f"raining in {city} for {days} days"


def get_time(city: str) -> str:
    """What time it is."""
    return f"noon in {city}"


TOOLS = [FunctionTool.from_defaults(get_weather), FunctionTool.from_defaults(get_time)]


def user(text):
    return ChatMessage(role="user", content=text)


def usage_of(reply, spoken):
    """The tokens in and out that a reply tells of."""
    if spoken == "ant":
        usage = reply.raw["usage"]
        return usage.input_tokens, usage.output_tokens
    return reply.additional_kwargs["prompt_tokens"], reply.additional_kwargs["completion_tokens"]


def billed(usage):
    assert usage["input_tokens"] > 0 and usage["output_tokens"] > 0
    return usage["input_tokens"], usage["output_tokens"]


def test_a_plain_question_is_answered(llm, spoken, account):
    reply = llm.chat([ChatMessage(role="system", content="Be brief."), user("hello “wéll” 水 [[sim:tokens=5]]")])
    assert reply.message.role == "assistant" and reply.message.content == "You said: hello “wéll” 水"
    assert usage_of(reply, spoken) == billed(account.usage())
    assert llm.complete("once more [[sim:tokens=4]]").text == "You said: once more"


def test_a_stream_is_the_same_reply_in_pieces(llm, account):
    whole = llm.chat([user("stream “mé” 水")]).message.content
    steps = list(llm.stream_chat([user("stream “mé” 水")]))
    assert len([step for step in steps if step.delta]) > 10
    assert "".join(step.delta or "" for step in steps) == steps[-1].message.content == whole
    assert whole.startswith("You said: stream “mé” 水")
    assert account.usage() == account.usage(1)


# A client of Google's asks for a stream on the loop that it first saw.
@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream_is_read_by_async_clients(llm, account):
    steps = [step async for step in await llm.astream_chat([user("async stream [[sim:tokens=30]]")])]
    assert len(steps) > 10 and steps[-1].message.content.startswith("You said: async stream")
    assert account.usage()["output_tokens"] == 30


def test_a_tool_is_called_and_its_result_is_read(llm):
    asked = user("please call get_weather")
    reply = llm.chat_with_tools(TOOLS, chat_history=[asked])
    [call] = llm.get_tool_calls_from_response(reply)
    assert call.tool_name == "get_weather" and call.tool_id
    said = get_weather(**call.tool_kwargs)
    assert isinstance(call.tool_kwargs["days"], int)
    result = ChatMessage(role="tool", content=said, additional_kwargs={"tool_call_id": call.tool_id, "name": "get_weather"})
    reply = llm.chat_with_tools(TOOLS, chat_history=[asked, reply.message, result])
    assert reply.message.content == f"The tools answered: {said}."
    assert llm.get_tool_calls_from_response(reply, error_on_no_tool_call=False) == []


def test_parallel_tool_calls_are_streamed_and_each_result_is_read(llm):
    asked = user("get_weather and get_time")
    *_, reply = llm.stream_chat_with_tools(TOOLS, chat_history=[asked], allow_parallel_tool_calls=True)
    calls = llm.get_tool_calls_from_response(reply)
    assert [call.tool_name for call in calls] == ["get_weather", "get_time"]
    assert len({call.tool_id for call in calls}) == 2
    said = [get_weather(**calls[0].tool_kwargs), get_time(**calls[1].tool_kwargs)]
    results = [
        ChatMessage(role="tool", content=said, additional_kwargs={"tool_call_id": call.tool_id, "name": call.tool_name})
        for said, call in zip(said, calls, strict=True)
    ]
    *_, reply = llm.stream_chat_with_tools(TOOLS, chat_history=[asked, reply.message, *results])
    assert reply.message.content == f"The tools answered: {said[0]}; {said[1]}."


def test_tools_are_run_by_the_llm_itself(llm):
    reply = llm.predict_and_call(TOOLS, user_msg="please call get_time")
    assert reply.response.startswith("noon in ") and [source.tool_name for source in reply.sources] == ["get_time"]


def test_structured_output_is_parsed(llm):
    person = llm.structured_predict(Person, PromptTemplate("a {what}"), what="person")
    assert isinstance(person, Person)
    reply = llm.as_structured_llm(Person).complete("a person")
    assert reply.raw == person and Person.model_validate_json(reply.text) == person


def test_a_limit_ends_the_reply(new_llm, model, spoken, account):
    llm = new_llm(model, max_tokens=16)
    if spoken == "gem":
        with pytest.raises(RuntimeError, match="MAX_TOKENS"):
            llm.complete("a long story")
    else:
        assert llm.complete("a long story").text.startswith("You said: a long")
    assert account.usage()["output_tokens"] == 16


@pytest.mark.gateway
def test_an_unknown_model_is_not_found(new_llm, spoken):
    # A name that LlamaIndex knows and Stepwell does not.
    with pytest.raises(NOT_FOUND[spoken], match="claude-opus-4-0") as caught:
        new_llm("claude-opus-4-0").chat([user("hi")])
    assert status_of(caught.value, spoken) == 404


@pytest.mark.gateway
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_rate_limit_is_told_and_nothing_is_tried_again(llm, spoken, account, stream):
    asked = [user("[[fault:rate-limit 7]]")]
    with pytest.raises(RATE_LIMIT[spoken]) as caught:
        list(llm.stream_chat(asked)) if stream else llm.chat(asked)
    assert status_of(caught.value, spoken) == 429
    assert [entry["status"] for entry in account.entries()] == [429]


def status_of(error, spoken):
    return error.code if spoken == "gem" else error.status_code


@pytest.mark.gateway
def test_a_broken_stream_raises(llm, spoken, account):
    text = ""
    with pytest.raises(BROKEN[spoken]):
        for step in llm.stream_chat([user("[[fault:cut 8]] [[sim:tokens=60 event-ms=4]]")]):
            text += step.delta or ""
    assert text and account.usage()
