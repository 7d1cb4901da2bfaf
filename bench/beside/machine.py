"""What the figures were measured on."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path


def describe(root: Path) -> dict:
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(field("/proc/meminfo", "MemTotal").split()[0]) * 1024 / 1e9, 1),
        "kernel": platform.release(),
        "system": os_name(),
        "commit": first_line(["git", "-C", root, "rev-parse", "--short=12", "HEAD"]),
        "rustc": first_line(["rustc", "--version"]),
        "load_before": os.getloadavg()[0],
    }


def field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def first_line(command: list) -> str:
    """What a program says about itself, on either output; `unknown` where it is not there."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"
