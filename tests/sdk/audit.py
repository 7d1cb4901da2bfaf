"""Whether the ledger and the simulator's own account agree about a call, token by token and to the nano-dollar."""

from decimal import Decimal

# The dialects whose replies have no ids.
NO_IDS = ("ollama", "bedrock_converse")
TOKENS = [
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
]


def audit(stack, call_id):
    """Compares one call; returns it as the ledger has it."""
    call = stack.call(call_id)
    entries = [entry for entry in stack.entries_of(call_id) if entry["endpoint"] != "count_tokens"]
    by_id = {entry["id"]: entry for entry in entries}
    for attempt in call["attempts"]:
        where = f"call {call_id} attempt {attempt['number']} at {attempt['provider']}/{attempt['model']}"
        if attempt["outcome"] == "ok" and call["endpoint"] == "chat":
            entry = by_id.get(attempt["provider_id"]) or without_id(attempt, entries)
            assert entry, f"{where}: the simulator knows no reply {attempt['provider_id']}, only {list(by_id)}"
            compare_finished(attempt, entry, where)
        elif attempt["outcome"] == "ok" and call["endpoint"] == "embeddings":
            # A reply of vectors has no id: the only one that is finished is this one.
            (entry,) = [entry for entry in entries if entry["ended"] == "finished"]
            compare_finished(attempt, entry, where)
        elif attempt["outcome"] in ("cut", "cancelled"):
            assert attempt["cost_status"] != "exact", f"{where}: an unfinished reply has no exact cost"
    if call["outcome"] == "ok" and all(entry["ended"] in ("finished", "error") for entry in entries):
        billed = sum((Decimal(entry["billed_usd"]) for entry in entries), Decimal(0))
        assert call["cost_usd"] is not None and Decimal(call["cost_usd"]) == billed, f"call {call_id}: cost"
    return call


def id_of(entry):
    """The id that a reply told of itself, where its dialect has one."""
    return None if entry["dialect"] in NO_IDS else entry["id"]


def without_id(attempt, entries):
    """The entry of a reply in a dialect whose replies have no ids."""
    if attempt["provider_id"] is None:
        return next((entry for entry in entries if entry["status"] == 200 and entry["dialect"] == attempt["dialect"] in NO_IDS), None)


def compare_finished(attempt, entry, where):
    """A finished attempt is in both books alike."""
    # AWS does not say how many of the tokens were thinking.
    unsaid = {"reasoning_tokens"} if entry["dialect"] == "bedrock_converse" else set()
    for name in (name for name in TOKENS if name not in unsaid):
        assert attempt[name] == entry["billed_usage"][name], f"{where}: {name}"
    assert attempt["usage_source"] == "provider", where
    assert attempt["cost_status"] == "exact", where
    assert attempt["cost_usd"] == entry["billed_usd"], f"{where}: cost"
    if attempt["bound_usd"] is not None:
        assert Decimal(attempt["bound_usd"]) >= Decimal(entry["billed_usd"]), f"{where}: cost above its bound"
