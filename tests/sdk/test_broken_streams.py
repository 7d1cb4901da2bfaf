"""Streams that break after their first content: the SDK must raise, and nothing may look complete.

The simulator is paced, so that content is out before the fault.
"""

import contextlib

import anthropic
import openai
import pytest
from asks import function, tool, user
from stack import until

pytestmark = pytest.mark.gateway

# Each after so many events of the provider's that content is out in both dialects.
FAULTS = ["cut 8", "eof 8", "stall 8", "garbage 8", "truncate 8", "stream-error 8"]


@pytest.fixture
def broken(made, stack):
    """Afterwards, every call of the test must be in the ledger as cut, at a cost that is not called exact."""
    yield
    assert made
    for call_id in made:
        call = stack.call(call_id)
        assert call["outcome"] == "cut", call
        attempt = call["attempts"][-1]
        assert attempt["outcome"] == "cut" and attempt["code"], attempt
        assert attempt["cost_status"] == "estimated" and attempt["cost_usd"] is not None
        [entry] = stack.entries_of(call_id)
        assert attempt["output_tokens"] > 0 and attempt["provider_id"] == entry["id"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_openai_stream_raises(oai, provider, fault, broken):
    asked = user(f"[[fault:{fault}]] [[sim:tokens=60 event-ms=4]]")
    seen = []
    with pytest.raises((openai.APIError, openai.APIConnectionError)) as caught:
        for chunk in oai.chat.completions.create(model=f"{provider}-faulty/small", messages=asked, stream=True):
            seen.append(chunk)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in seen), "content came first"
    assert all(chunk.choices[0].finish_reason is None for chunk in seen)
    assert caught.value.body["code"].startswith("upstream_") and caught.value.body["message"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_anthropic_stream_raises(ant, provider, fault, broken):
    asked = user(f"[[fault:{fault}]] [[sim:tokens=60 event-ms=4]]")
    seen = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in ant.messages.create(
            model=f"{provider}-faulty/small", max_tokens=300, messages=asked, stream=True
        ):
            seen.append(event)
    kinds = [event.type for event in seen]
    assert "content_block_delta" in kinds, "content came first"
    assert "message_delta" not in kinds and "message_stop" not in kinds
    assert caught.value.body["type"] == "error" and caught.value.body["error"]["message"]


def test_the_helpers_make_nothing_whole_of_a_broken_stream(oai, ant, provider, broken):
    asked = user("[[fault:cut 12]] [[sim:event-ms=4]] get_weather")
    model = f"{provider}-faulty/small"
    with pytest.raises(openai.APIError), contextlib.ExitStack() as stack:
        stream = oai.chat.completions.stream(model=model, messages=asked, tools=[function("get_weather")])
        stack.enter_context(stream).get_final_completion()
    with pytest.raises(anthropic.APIStatusError), contextlib.ExitStack() as stack:
        stream = ant.messages.stream(model=model, max_tokens=300, messages=asked, tools=[tool("get_weather")])
        stack.enter_context(stream).get_final_message()


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_a_client_that_leaves_is_recorded_and_settled(sdk, oai, ant, provider, stack, made):
    asked = user("[[sim:event-ms=20 tokens=500]]")
    ask = {"model": f"{provider}/small", "messages": asked, "stream": True}
    stream = oai.chat.completions.create(**ask) if sdk == "openai" else ant.messages.create(max_tokens=600, **ask)
    for _, _ in zip(range(6), stream):
        pass
    stream.response.close()
    call = stack.call(made[0])
    assert call["outcome"] == "cancelled" and call["attempts"][-1]["cost_status"] == "estimated"

    def left():
        return [entry["ended"] for entry in stack.entries_of(made[0])] == ["client_gone"]

    assert until(left, "the provider sees the client leave")


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_a_stream_that_comes_and_breaks_at_once_raises_and_is_recorded(sdk, oai, ant, provider, stack, made):
    """Not paced: content and break arrive together, so the answer is an error event or still a true status."""
    ask = {"model": f"{provider}-faulty/small", "messages": user("[[fault:cut 12]] [[sim:tokens=60]]"), "stream": True}
    kind = openai.APIError if sdk == "openai" else anthropic.APIStatusError
    with pytest.raises(kind):
        list(oai.chat.completions.create(**ask) if sdk == "openai" else ant.messages.create(max_tokens=99, **ask))
    [entry] = stack.entries_of(made[0])
    call = stack.call(made[0])
    assert call["outcome"] in ("failed", "cut")
    [attempt] = call["attempts"]
    assert attempt["cost_status"] == "estimated"
    assert attempt["provider_id"] == entry["id"] and attempt["output_tokens"] > 0, "what arrived counts"
