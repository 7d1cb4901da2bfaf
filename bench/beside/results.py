"""Tells what was measured, and plainly whether each goal of the project is met."""


def goals(cases: dict) -> list[dict]:
    """The goals for speed and size; `met` is None where a figure is missing."""

    def get(case: str, who: str, figure: str):
        return cases.get(case, {}).get(who, {}).get("median", {}).get(figure)

    def ratio(over, under):
        # Nothing can be said beside a figure that is zero, or lost in the noise below it.
        return over / under if over is not None and under is not None and under > 0 else None

    def beside(case, figure, other, limit, *, at_least, text):
        found = ratio(get(case, "stepwell", figure), get(case, other, figure))
        return goal(text, found, limit, at_least=at_least, unit="×")

    return [
        beside("plain", "calls_per_second", "nginx", 0.8, at_least=True, text="calls/s beside nginx, not streamed"),
        beside("plain", "cpu_us_per_call", "nginx", 1.4, at_least=False, text="CPU per call beside nginx, not streamed"),
        beside("paced", "cpu_us_per_event", "nginx", 1.5, at_least=False, text="CPU per event beside nginx, paced streams"),
        beside("burst", "calls_per_second", "passthrough", 2.0, at_least=True, text="streams/s beside a bare hyper pass-through, bursts"),
        beside("burst", "calls_per_second", "nginx", 0.5, at_least=True, text="streams/s beside nginx, bursts (the further goal)"),
        beside("latency", "added_p50_us", "nginx", 2.0, at_least=False, text="added p50 beside nginx's, 200 calls/s"),
        beside("latency", "added_p99_us", "nginx", 3.0, at_least=False, text="added p99 beside nginx's, 200 calls/s"),
        goal(
            "translated calls/s beside untranslated",
            ratio(get("translated", "stepwell", "calls_per_second"), get("plain", "stepwell", "calls_per_second")),
            0.8,
            at_least=True,
            unit="×",
        ),
        goal("resident memory after a million calls, of that after 250,000", get("million", "stepwell", "growth"), 1.1, at_least=False, unit="×"),
        goal("resident memory idle", get("start", "stepwell", "idle_mb"), 30, at_least=False, unit=" MB"),
        goal("resident memory with 2,000 open streams", get("open_streams", "stepwell", "rss_mb"), 150, at_least=False, unit=" MB"),
        goal("cold start to ready", get("start", "stepwell", "ready_ms"), 200, at_least=False, unit=" ms"),
    ]


def goal(text: str, figure, limit: float, *, at_least: bool, unit: str) -> dict:
    met = None if figure is None else (figure >= limit if at_least else figure <= limit)
    wanted = f"{'≥' if at_least else '≤'} {limit:g}{unit}"
    return {"goal": text, "wanted": wanted, "figure": figure, "unit": unit, "met": met}


def markdown(found: dict) -> str:
    machine = found["machine"]
    parts = [
        "# Stepwell beside others",
        "",
        "Written by `bench/run`; do not edit. Every figure, round by round, is in `RESULTS.json`.",
        "",
        f"- {machine['date']}, commit {machine['commit']}, `{found['command']}`",
        f"- {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, kernel {machine['kernel']}; load before {machine['load_before']:.2f}",
        f"- {machine['rustc']}",
        f"- load: `{found['load']}`",
        "- load generator, simulator and contender share the cores; contenders take turns, round after round; medians",
        "",
        "| contender | version | what runs |",
        "|---|---|---|",
        *(f"| {name} | {one['version']} | {one['about']} |" for name, one in found["contenders"].items()),
        "",
        *(f"Without {name}: {reason}.\n" for name, reason in found["absent"].items()),
        *goal_lines(found["goals"]),
    ]
    for name, (title, columns) in TABLES.items():
        if found["cases"].get(name):
            parts += ["", f"## {title}", "", *table(found["cases"][name], columns)]
    return "\n".join(parts) + "\n"


def goal_lines(goals_found: list[dict]) -> list[str]:
    lines = ["## Goals", "", "| goal | wanted | measured | |", "|---|---|---|---|"]
    words = {True: "met", False: "**missed**", None: "not measured"}
    for one in goals_found:
        figure = "–" if one["figure"] is None else f"{one['figure']:.2f}{one['unit']}"
        lines.append(f"| {one['goal']} | {one['wanted']} | {figure} | {words[one['met']]} |")
    return lines


# Column: heading, figure, divisor, decimals.
CPU_CALL = ("CPU µs per call", "cpu_us_per_call", 1, 1)
RATE = ("calls/s", "calls_per_second", 1, 0)
STREAMS = ("streams/s", "calls_per_second", 1, 0)
EVENTS = ("events/s", "events_per_second", 1, 0)
CPU_EVENT = ("CPU µs per event", "cpu_us_per_event", 1, 2)
P50 = ("p50 ms", "p50_us", 1e3, 3)
P99 = ("p99 ms", "p99_us", 1e3, 3)
ADDED_P50 = ("added p50 ms", "added_p50_us", 1e3, 3)
ADDED_P99 = ("added p99 ms", "added_p99_us", 1e3, 3)
FIRST = ("first event p50 ms", "first_event_p50_us", 1e3, 3)
ADDED_FIRST = ("added first event p50 ms", "added_first_event_p50_us", 1e3, 3)
RSS = ("resident MB", "rss_mb", 1, 0)
PEAK = ("peak MB", "peak_rss_mb", 1, 0)

TABLES = {
    "plain": ("Not streamed, 32 connections back to back", [RATE, CPU_CALL, P50, P99, RSS, PEAK]),
    "translated": ("Translated: OpenAI client, Anthropic provider, otherwise as above", [RATE, CPU_CALL, P50, P99]),
    "latency": ("200 calls/s, open loop, turns of three seconds, latency from when each was due", [P50, P99, ADDED_P50, ADDED_P99, CPU_CALL]),
    "burst": ("Streams in bursts: 18 tokens, unpaced, 32 connections back to back", [STREAMS, EVENTS, CPU_EVENT, CPU_CALL, FIRST]),
    "paced": ("Streams paced at 10 ms per event: 100 tokens, 200 at a time", [EVENTS, CPU_EVENT, FIRST, ADDED_FIRST, P50]),
    "million": ("A million calls, in four turns", [RATE, ("MB after the first turn", "first_mb", 1, 1), ("MB after the last", "rss_mb", 1, 1), PEAK]),
    "open_streams": ("2,000 open streams, an event each 200 ms", [EVENTS, CPU_EVENT, RSS, PEAK]),
    "start": ("Idle memory and start", [("idle MB", "idle_mb", 1, 1), ("MB after all of the above", "after_mb", 1, 1), ("exec to ready ms", "ready_ms", 1, 1)]),
}


def table(by_contender: dict, columns: list) -> list[str]:
    """One line a contender; the share of nginx stands behind the first figure."""
    lines = ["| | " + " | ".join(heading for heading, *_ in columns) + " | share of nginx | failed, not sent |"]
    lines.append("|---" * (len(columns) + 3) + "|")
    key = columns[0][1]
    floor = by_contender.get("nginx", {}).get("median", {}).get(key)
    for name, kept in by_contender.items():
        median = kept["median"]
        cells = [cell(median.get(figure), divisor, decimals) for _, figure, divisor, decimals in columns]
        share = cell(median[key] / floor, 1, 3) if floor and key in median and name != "direct" else "–"
        bad = median.get("failed", 0), median.get("not_sent", 0)
        cells += [share, "–" if not any(bad) else f"**{bad[0]}, {bad[1]}**"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def cell(value, divisor: float, decimals: int) -> str:
    return "–" if value is None else f"{value / divisor:,.{decimals}f}"
