"""Calls that fail before they are answered: the SDK's own exception, the true status, a stable code."""

import anthropic
import openai
import pytest
from asks import user
from stack import CLIENT_KEY, KEYS

pytestmark = pytest.mark.gateway

SDKS = {"openai": openai, "anthropic": anthropic}
# Whose first event has content already.
PROMPT = {"gem"}


@pytest.fixture(params=["openai", "anthropic"])
def sdk(request):
    """Which SDK the client uses."""
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request):
    """Whether a stream is asked for."""
    return request.param


@pytest.fixture
def fail(sdk, new_oai, new_ant, stream):
    """Makes a call that must fail; returns the SDK's exception, its error object and its headers."""

    def call(model, text, **more):
        ask = {"model": model, "messages": user(text), "stream": stream} | more
        with pytest.raises(SDKS[sdk].APIStatusError) as caught:
            if sdk == "openai":
                new_oai().chat.completions.create(**ask)
            else:
                new_ant().messages.create(max_tokens=100, **ask)
        error = caught.value
        body = error.body if sdk == "openai" else error.body["error"]
        assert body["message"], "an error says what happened"
        for secret in [*KEYS.values(), CLIENT_KEY]:
            assert secret not in str(error.body)
        return error, body

    return call


def is_a(error, sdk, name):
    kind = getattr(SDKS[sdk], name)
    assert isinstance(error, kind), f"{type(error).__name__}: {error}"


def test_a_bad_key_at_the_provider_is_401_and_says_whose(fail, sdk, provider):
    error, body = fail(f"{provider}-badkey/small", "hi")
    is_a(error, sdk, "AuthenticationError")
    assert error.status_code == 401 and body["type"] == "authentication_error"
    assert body["code"] == "upstream_auth" and f"{provider}-badkey" in body["message"]


@pytest.mark.parametrize("name", ["no-such-model", "nobody/small"])
def test_an_unknown_model_is_404(fail, sdk, name):
    error, body = fail(name, "hi")
    is_a(error, sdk, "NotFoundError")
    assert error.status_code == 404 and body["code"] == "model_not_found" and name in body["message"]
    assert body["type"] == ("invalid_request_error" if sdk == "openai" else "not_found_error")


def test_a_model_the_provider_lacks_is_404(fail, sdk, provider):
    error, body = fail(f"{provider}/no-such-model", "hi")
    is_a(error, sdk, "NotFoundError")
    assert body["code"] == "upstream_not_found"


def test_a_rate_limit_is_429_with_its_wait(fail, sdk, provider):
    error, body = fail(f"{provider}-faulty/small", "[[fault:rate-limit 7]]")
    is_a(error, sdk, "RateLimitError")
    assert error.response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "fault, statuses",
    [
        ("status 500", {500, 502}),
        ("status 503", {503}),
        ("status 529", {503, 529}),
        ("html 502", {502}),
        ("refuse", {502}),
        ("reset", {502}),
        ("reset-after-headers", {502}),
        ("stream-error", {503, 529}),
        ("blackhole", {504}),
        ("cut 0", {502}),
        ("eof 0", {502}),
        ("eof 1", {502}),
        ("garbage 0", {502}),
        ("truncate 0", {502}),
    ],
)
def test_what_fails_before_its_first_content_has_a_true_status(fail, sdk, provider, stream, fault, statuses):
    if fault == "eof 1" and provider in PROMPT:
        pytest.skip("by then there is content")
    if (provider, fault, stream) == ("coh", "stream-error", True):
        # All that Cohere says there is that the generation failed.
        statuses = {500}
    error, _ = fail(f"{provider}-faulty/small", f"[[fault:{fault}]]")
    is_a(error, sdk, "APIStatusError")
    assert error.status_code in statuses, f"{error.status_code}: {error}"


def test_a_provider_that_is_not_there_is_502(fail, sdk):
    error, body = fail("dead/small", "hi")
    assert error.status_code == 502 and body["code"] == "upstream_unreachable"


def test_a_wrong_request_is_400_and_names_the_field(fail, sdk, provider):
    error, body = fail(f"{provider}/small", "hi", messages=[{"role": "wizard", "content": "hi"}])
    is_a(error, sdk, "BadRequestError")
    assert error.status_code == 400 and body["type"] == "invalid_request_error"
    assert "role" in (body.get("param") or body["message"])


def test_no_messages_is_400(fail, sdk, provider):
    error, _ = fail(f"{provider}/small", "hi", messages=[])
    is_a(error, sdk, "BadRequestError")


def test_an_error_carries_its_call(fail, sdk, stack, provider):
    error, body = fail(f"{provider}-faulty/small", "[[fault:status 500]]")
    call = stack.call(error.response.headers["x-stepwell-call-id"])
    assert call["outcome"] == "failed" and call["status"] == error.status_code
    assert call["code"] == "upstream_error" and call["cost_usd"] == "0.000000000"
    assert [attempt["status"] for attempt in call["attempts"]] == [500]


def test_a_failed_call_is_retried_by_the_sdk_as_its_own_provider_would_have_it(sdk, stack, new_oai, new_ant, made):
    stack.script_fault("status 503", times=2)
    if sdk == "openai":
        client = new_oai(max_retries=2)
        assert client.chat.completions.create(model="oai/large", messages=user("hi")).choices
    else:
        client = new_ant(max_retries=2)
        assert client.messages.create(model="ant/large", max_tokens=100, messages=user("hi")).content
    assert [stack.call(call_id)["outcome"] for call_id in made] == ["failed", "failed", "ok"]
