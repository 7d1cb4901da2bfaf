"""What Stepwell adds to a reply and writes down about it: headers, routes, losses, the ledger."""

import re
import uuid
from decimal import Decimal

import anthropic
import openai
import pytest
from asks import user
from audit import NO_IDS, audit
from stack import CLIENT_KEY, KEYS, PROVIDERS, get

pytestmark = pytest.mark.gateway

STAGES = {"decode", "identify", "admit", "plan", "attempt"}


def check_headers(headers, provider, streamed):
    assert uuid.UUID(headers["x-stepwell-call-id"]).version == 7
    assert headers["x-stepwell-provider"] == provider
    assert headers["x-stepwell-model"] == "small"
    assert headers["x-stepwell-attempts"] == "1"
    assert headers["x-stepwell-cache"] == "bypass"
    assert "request:" not in headers.get("x-stepwell-losses", ""), "everything that was asked for is said"
    timed = set(re.findall(r"(\w+);dur=[\d.]+", headers["server-timing"]))
    assert timed >= STAGES, headers["server-timing"]
    assert ("x-stepwell-cost-usd" in headers) == (not streamed), "a stream's cost is not known when it begins"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_openai_usage_header_and_ledger_agree(oai, provider, stack, stream):
    ask = {"model": f"{provider}/small", "messages": user("hi"), "max_tokens": 3000}
    if provider != "coh":  # Cohere thinks by a budget, not by levels.
        ask["reasoning_effort"] = "low"
    if stream:
        ask |= {"stream": True, "stream_options": {"include_usage": True}}
    raw = oai.chat.completions.with_raw_response.create(**ask)
    usage = list(raw.parse())[-1].usage if stream else raw.parse().usage
    check_headers(raw.headers, provider, stream)
    call = audit(stack, raw.headers["x-stepwell-call-id"])
    [attempt] = call["attempts"]
    assert call["outcome"] == "ok" and call["status"] == 200 and call["streamed"] is stream
    assert call["dialect"] == "openai_chat" and call["requested_model"] == f"{provider}/small"
    assert attempt["dialect"] == PROVIDERS[provider][2]
    assert usage.prompt_tokens == attempt["input_tokens"]
    assert usage.completion_tokens == attempt["output_tokens"]
    counts = provider not in ("coh", "oll", "bed")  # None of these counts thinking apart.
    assert not counts or usage.completion_tokens_details.reasoning_tokens == attempt["reasoning_tokens"] > 0
    if not stream:
        assert raw.headers["x-stepwell-cost-usd"] == call["cost_usd"]
    by_hand = Decimal(usage.prompt_tokens * 150 + usage.completion_tokens * 600) / 10**9
    assert Decimal(call["cost_usd"]) == by_hand


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_anthropic_usage_header_and_ledger_agree(ant, provider, stack, stream):
    text = f"{uuid.uuid4()} " + "long system prompt " * 400
    system = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
    ask = {"model": f"{provider}/small", "messages": user("hi"), "system": system, "max_tokens": 300}
    ant.messages.create(**ask)
    raw = ant.messages.with_raw_response.create(**ask, stream=stream)
    usage = list(raw.parse())[-2].usage if stream else raw.parse().usage
    if provider == "ant":
        check_headers(raw.headers, provider, stream)
    call = audit(stack, raw.headers["x-stepwell-call-id"])
    [attempt] = call["attempts"]
    assert call["dialect"] == "anthropic" and attempt["outcome"] == "ok"
    assert usage.cache_read_input_tokens == attempt["cache_read_tokens"]
    # Ollama does not say what its cache gave.
    assert provider == "oll" or attempt["cache_read_tokens"] > 1024
    assert usage.input_tokens + usage.cache_read_input_tokens == attempt["input_tokens"]
    assert usage.output_tokens == attempt["output_tokens"]
    by_hand = usage.input_tokens * 150 + usage.cache_read_input_tokens * 75 + usage.output_tokens * 600
    assert Decimal(call["cost_usd"]) == Decimal(by_hand) / 10**9
    if not stream:
        assert raw.headers["x-stepwell-cost-usd"] == call["cost_usd"]


def test_a_call_is_recorded_with_what_its_caller_says_of_it(oai, ant, stack):
    headers = {"x-stepwell-tags": "feature=search,market=nl", "x-stepwell-session": "s-1"}
    raw = oai.chat.completions.with_raw_response.create(
        model="chat-oai", messages=user("hi"), user="u-1", extra_headers=headers
    )
    call = stack.call(raw.headers["x-stepwell-call-id"])
    assert call["route"] == "chat-oai" and call["requested_model"] == "chat-oai"
    assert call["user"] == "u-1" and call["session"] == "s-1"
    assert call["tags"] == {"feature": "search", "market": "nl"}
    raw = ant.messages.with_raw_response.create(
        model="chat-ant", max_tokens=50, messages=user("hi"), extra_headers=headers | {"x-stepwell-user": "u-2"}
    )
    assert stack.call(raw.headers["x-stepwell-call-id"])["user"] == "u-2"


@pytest.mark.parametrize(
    "route, failed, answered",
    [("fallback-badkey", "oai-badkey", "ant"), ("fallback-dead", "dead", "oai"), ("fallback-large", "oai", "ant")],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_next_target_answers_where_the_first_fails(oai, stack, route, failed, answered, stream):
    if route == "fallback-large":
        stack.script_fault("stream-error")
    raw = oai.chat.completions.with_raw_response.create(model=route, messages=user("hi"), stream=stream)
    reply = raw.parse()
    if stream:
        assert [chunk.choices[0].finish_reason for chunk in reply][-1] == "stop"
    assert raw.headers["x-stepwell-provider"] == answered and raw.headers["x-stepwell-attempts"] == "2"
    call = audit(stack, raw.headers["x-stepwell-call-id"])
    assert [attempt["provider"] for attempt in call["attempts"]] == [failed, answered]
    assert [attempt["outcome"] for attempt in call["attempts"]] == ["failed", "ok"]
    assert call["outcome"] == "ok"
    # An error inside a 200 is not provably free, so it may be charged, but then by estimate.
    first = call["attempts"][0]
    assert first["cost_usd"] == "0.000000000" or (first["status"] == 200 and first["cost_status"] == "estimated")


def test_what_a_dialect_cannot_say_is_listed(oai, ant, stack):
    raw = oai.chat.completions.with_raw_response.create(
        model="ant/small", messages=user("hi"), logit_bias={"50256": -100}, seed=7
    )
    losses = raw.headers["x-stepwell-losses"].split(", ")
    assert "request:/logit_bias" in losses and "request:/seed" in losses
    assert stack.call(raw.headers["x-stepwell-call-id"])["losses"] == losses
    raw = ant.messages.with_raw_response.create(model="oai/small", max_tokens=50, messages=user("hi"), extra_body={"top_k": 5})
    assert "request:/top_k" in raw.headers["x-stepwell-losses"]


def test_a_strict_route_refuses_what_would_be_lost(oai, ant):
    with pytest.raises(openai.BadRequestError) as caught:
        oai.chat.completions.create(model="strict-ant", messages=user("hi"), seed=7)
    assert caught.value.code == "lossy_translation" and "/seed" in caught.value.message
    with pytest.raises(anthropic.BadRequestError) as caught:
        ant.messages.create(model="strict-oai", max_tokens=50, messages=user("hi"), extra_body={"top_k": 5})
    assert "/top_k" in str(caught.value)
    assert oai.chat.completions.create(model="strict-ant", messages=user("hi"), max_tokens=50).choices
    assert oai.chat.completions.create(model="strict-oai", messages=user("hi"), seed=7).choices


def test_a_routes_output_limit_is_sent_where_the_caller_names_none(oai):
    reply = oai.chat.completions.create(model="limited", messages=user("a long story"))
    assert reply.usage.completion_tokens == 7 and reply.choices[0].finish_reason == "length"
    reply = oai.chat.completions.create(model="limited", messages=user("a long story"), max_completion_tokens=9)
    assert reply.usage.completion_tokens == 9


def test_an_unpriced_model_is_unpriced_never_free(oai, stack, made):
    raw = oai.chat.completions.with_raw_response.create(
        model="oai/sim/small", messages=user("hi")
    )
    assert "x-stepwell-cost-usd" not in raw.headers
    call = stack.call(raw.headers["x-stepwell-call-id"])
    made.clear()  # The simulator does have a price for it.
    [attempt] = call["attempts"]
    assert attempt["cost_usd"] is None and attempt["cost_status"] == "unpriced" and call["cost_usd"] is None


def without_id(entry, call):
    """The one attempt at a reply in a dialect whose replies have no ids."""
    assert entry["dialect"] in NO_IDS, f"{entry} is in no record"
    said = (entry["dialect"], "ok")
    [attempt] = [attempt for attempt in call["attempts"] if (attempt["dialect"], attempt["outcome"]) == said]
    return attempt


@pytest.mark.last
def test_every_billed_reply_is_in_the_ledger_exactly_once(stack):
    """Over everything that ran before: what the simulator billed, each reply once and at its price."""
    billed = [entry for entry in stack.entries() if entry["billed_nano_usd"] > 0]
    assert len(billed) > 20, "this test is the last of a whole run"
    calls = {call_id: stack.call(call_id) for call_id in {entry["client_request_id"] for entry in billed}}
    rows = stack.calls()
    ids = {row["id"] for row in rows}
    assert len(ids) == len(rows) and ids >= set(calls)
    attempts = {}
    for attempt in (attempt for call in calls.values() for attempt in call["attempts"]):
        if attempt["provider_id"] is not None:
            assert attempt["provider_id"] not in attempts, "recorded twice"
            attempts[attempt["provider_id"]] = attempt
    for entry in billed:
        if entry["fault"] is None and entry["ended"] == "finished":
            if entry["endpoint"] == "embeddings":
                # A reply of vectors has no id: its call has one attempt that was well.
                (attempt,) = [one for one in calls[entry["client_request_id"]]["attempts"] if one["outcome"] == "ok"]
            else:
                attempt = attempts.get(entry["id"]) or without_id(entry, calls[entry["client_request_id"]])
            assert attempt["outcome"] == "ok" and attempt["cost_usd"] in (entry["billed_usd"], None), entry
        else:
            call = calls[entry["client_request_id"]]
            assert "estimated" in [attempt["cost_status"] for attempt in call["attempts"]], entry


@pytest.mark.last
def test_the_usage_report_is_the_sum_of_the_calls(stack):
    report = get(f"{stack.admin_url}/admin/v1/usage?group_by=provider&since=24h")
    rows = stack.calls()
    by_provider = {row["provider"]: row for row in report["data"]}
    for name in ("oai", "ant"):
        mine = [row for row in rows if row["provider"] == name]
        assert by_provider[name]["calls"] >= len(mine) > 0


@pytest.mark.last
def test_nothing_secret_is_in_the_logs(stack):
    log = stack.server.log.read_text()
    assert '"level"' in log, "there is a log"
    assert "panicked" not in log
    for secret in [*KEYS.values(), CLIENT_KEY]:
        assert secret not in log
