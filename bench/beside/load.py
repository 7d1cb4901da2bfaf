"""Calls the load generator: `stepwell bench`, or its library's example where the binary has no such command."""

import json
import subprocess
import sys
from pathlib import Path

# What every contender is sent as the caller's credential. LiteLLM refuses to start without a long one.
KEY = "sk-bench-5f0c9a7d3e1b8246"


class Loader:
    """Makes runs of one length."""

    def __init__(self, stepwell: Path, seconds: float, warmup: float):
        self.seconds = seconds
        self.warmup = warmup
        has_bench = subprocess.run([stepwell, "bench", "--help"], capture_output=True).returncode == 0
        example = stepwell.parent / "examples/load"
        self.command = [str(stepwell), "bench"] if has_bench else [str(example)]

    def run(self, url: str, model: str, pid: int | None, flags: list, headers: dict, seconds: float | None = None, calls: int | None = None) -> dict:
        """One run's report: of so many calls, or of as many as the time allows."""
        command = [*self.command, url, "--model", model, "--json", "--api-key", KEY]
        length = ["--calls", str(calls), "--warmup", "0"] if calls else ["--duration", str(seconds or self.seconds), "--warmup", str(self.warmup)]
        command += length
        command += [str(flag) for flag in flags]
        for name, value in headers.items():
            command += ["--header", f"{name}: {value}"]
        if pid:
            command += ["--pid", str(pid)]
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            print(done.stderr, file=sys.stderr)
            raise SystemExit(f"no report from: {' '.join(command)}") from None

    def describe(self) -> str:
        program = "stepwell bench" if self.command[-1] == "bench" else "load"
        return f"{program} URL --model MODEL --json --duration {self.seconds} --warmup {self.warmup} --pid PID"
