"""What is measured. Each case loads every contender once a round, in turn, and keeps the median of each figure."""

import statistics
import sys

from .contenders import Contender
from .load import Loader
from .process import resident_mb

# The simulator reads the directive in the double brackets out of the prompt.
BURST = "[[sim:tokens=18]] Say something about stepwells."
PACED = "[[sim:tokens=100 event-ms=10]] Say something about stepwells."
PLAIN = ["--connections", 32]
STARTS = 7
# Turns in a round: a p99 is the sixth longest of the 600 calls of a turn, and what a proxy adds to it is less than what
# the machine does, so it takes the median of many short turns to be seen.
TURNS = {"latency": 7}
OPEN_STREAMS = 2_000
# A million calls, in turns after each of which memory is read.
MILLION = {"turns": 4, "calls": 250_000}


def plain(loader: Loader, one: Contender) -> dict:
    return figures(loader.run(one.url, one.model, pid(one), PLAIN, one.headers))


def translated(loader: Loader, one: Contender) -> dict | None:
    if not one.translated_model:
        return None
    return figures(loader.run(one.url, one.translated_model, pid(one), PLAIN, one.headers))


def latency(loader: Loader, one: Contender) -> dict | None:
    if one.slow:
        return None
    flags = [*PLAIN, "--rate", 200]
    return figures(loader.run(one.url, one.model, pid(one), flags, one.headers, seconds=min(loader.seconds, 3)))


def burst(loader: Loader, one: Contender) -> dict:
    flags = [*PLAIN, "--stream", "--prompt", BURST]
    return figures(loader.run(one.stream_url or one.url, one.model, pid(one), flags, one.headers))


def paced(loader: Loader, one: Contender) -> dict | None:
    if one.slow:
        return None
    flags = ["--connections", 200, "--stream", "--prompt", PACED]
    return figures(loader.run(one.stream_url or one.url, one.model, pid(one), flags, one.headers))


def open_streams(loader: Loader, one: Contender) -> dict | None:
    """Streams that are longer than the run, so that all are open when memory is read."""
    if one.slow:
        return None
    tokens = round((loader.seconds + loader.warmup) * 5) + 25
    prompt = f"[[sim:tokens={tokens} event-ms=200]] Say something about stepwells."
    flags = ["--connections", OPEN_STREAMS, "--stream", "--prompt", prompt]
    return figures(loader.run(one.stream_url or one.url, one.model, pid(one), flags, one.headers))


def million(loader: Loader, one: Contender) -> dict:
    """What stays resident as calls go by: what a call leaves behind would be seen."""
    reports = [
        loader.run(one.url, one.model, pid(one), PLAIN, one.headers, calls=MILLION["calls"]) for _ in range(MILLION["turns"])
    ]
    found = figures(reports[-1]) | {
        "calls": sum(report["calls"] for report in reports),
        "failed": sum(report["failed"] for report in reports),
        "first_mb": reports[0]["process"]["rss_bytes"] / 1e6,
    }
    return found | {"growth": found["rss_mb"] / found["first_mb"]} if "rss_mb" in found else found


ROUNDS = {"plain": plain, "translated": translated, "latency": latency, "burst": burst, "paced": paced}
NAMES = [*ROUNDS, "million", "open_streams", "start"]


def run(running: list[Contender], loader: Loader, rounds: int, names: set | None) -> dict:
    """Every case's figures by contender: `rounds` as they came, `median` of them."""
    wanted = [name for name in NAMES if names is None or name in names]
    found = {name: {} for name in wanted}
    for turn in range(rounds):
        for name in wanted:
            for again in range(TURNS.get(name, 1) if name in ROUNDS else 0):
                order = rotated(running, turn + again)
                measure(found[name], ROUNDS[name], f"{name} {turn + 1}/{rounds}", order, loader)
    # Memory is not a matter of luck: once is enough, after everything else.
    if "million" in wanted:
        measured = [one for one in running if one.name == "stepwell"]
        measure(found["million"], million, "million", measured, loader)
    if "open_streams" in wanted:
        measure(found["open_streams"], open_streams, "open_streams", running, loader)
    if "start" in wanted:
        found["start"] = {one.name: start(one) for one in running if one.name != "direct"}
    for by_contender in found.values():
        for kept in by_contender.values():
            kept["median"] = medians(kept["rounds"])
    return found


def measure(kept: dict, case, label: str, running: list[Contender], loader: Loader) -> None:
    for one in running:
        if (found := case(loader, one)) is None:
            continue
        kept.setdefault(one.name, {"rounds": []})["rounds"].append(found)
        print(f"{label} {one.name}: {brief(found)}", file=sys.stderr)
    add_to_direct(kept)


def add_to_direct(kept: dict) -> None:
    """What each adds to the times of the simulator alone, round by round."""
    for turn, direct in enumerate(kept.get("direct", {"rounds": []})["rounds"]):
        for one in kept.values():
            if turn < len(one["rounds"]):
                for name in ("p50_us", "p99_us", "first_event_p50_us"):
                    if name in direct and name in one["rounds"][turn]:
                        one["rounds"][turn][f"added_{name}"] = one["rounds"][turn][name] - direct[name]


def start(one: Contender) -> dict:
    memory = {"idle_mb": one.idle_mb, "after_mb": resident_mb(one.pid)}
    if one.start_again is None:
        return {"rounds": [memory]}
    return {"rounds": [{**memory, "ready_ms": one.start_again(number) * 1e3} for number in range(STARTS)]}


def rotated(running: list[Contender], turn: int) -> list[Contender]:
    turn %= len(running)
    return running[turn:] + running[:turn]


def pid(one: Contender) -> int | None:
    """The simulator's own CPU is nobody's figure."""
    return None if one.name == "direct" else one.pid


def figures(report: dict) -> dict:
    """What is kept of a report."""
    process = report.get("process") or {}
    found = {
        "calls": report["calls"],
        "failed": report["failed"],
        "not_sent": report["not_sent"],
        "failures": report["failures"],
    }
    if report["failed"] and not report["succeeded"]:
        # How fast something fails is not a figure.
        return found
    found |= {
        "calls_per_second": report["calls_per_second"],
        "p50_us": report["latency"]["p50_us"],
        "p99_us": report["latency"]["p99_us"],
    }
    if report["stream"]:
        found["events_per_second"] = report["events_per_second"]
        found["first_event_p50_us"] = report["first_event"]["p50_us"]
    if process:
        found["cpu_us_per_call"] = process["cpu_us_per_call"]
        found["cpu_us_per_event"] = process["cpu_us_per_event"]
        found["cpu_source"] = process["cpu_source"]
        found["cores"] = process["cores"]
        found["rss_mb"] = process["rss_bytes"] / 1e6
        found["peak_rss_mb"] = process["peak_rss_bytes"] / 1e6
    return found


def medians(rounds: list[dict]) -> dict:
    """Of every number; failures are added up, so that a bad round is not lost in the middle."""
    summed = ("calls", "failed", "not_sent")
    out = {}
    for name in sorted({name for one in rounds for name in one}):
        numbers = [one[name] for one in rounds if isinstance(one.get(name), (int, float))]
        if numbers:
            out[name] = sum(numbers) if name in summed else statistics.median(numbers)
    return out


def brief(found: dict) -> str:
    if "calls_per_second" not in found:
        return f"ALL {found['failed']} FAILED: {found['failures']}"
    cpu = found.get("cpu_us_per_call")
    text = f"{found['calls_per_second']:.0f}/s, p50 {found['p50_us'] / 1e3:.3f} ms"
    return text + (f", {cpu:.1f} µs CPU/call" if cpu else "") + (f", {found['failed']} FAILED" if found["failed"] else "")
