"""Starts processes and ends exactly those, by their ids, however the program exits."""

import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path


class NotReady(Exception):
    """A process did not come up; the message says what it wrote last."""


class Processes:
    """All that was started. Leaving its context ends them, last first."""

    def __init__(self, directory: Path):
        self.directory = directory
        self._started: list[subprocess.Popen] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._started):
            self.end(process)

    def start(self, name: str, command: list, env: dict | None = None) -> subprocess.Popen:
        log = open(self.directory / f"{name}.log", "ab")
        began = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
        )
        log.close()
        process.began = began
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen) -> None:
        """Asks it to end, and after five seconds kills it and what it started."""
        if process in self._started:
            self._started.remove(process)
        family = descendants(process.pid)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in family:
            if started_at(pid) == family[pid]:
                kill(pid)

    def log(self, name: str) -> str:
        """The last lines it wrote."""
        text = (self.directory / f"{name}.log").read_text(errors="replace")
        return " / ".join(text.strip().splitlines()[-3:])

    def wait_ready(self, name: str, process: subprocess.Popen, port: int, path: str, timeout: float) -> float:
        """Polls until the path answers, and not with a status of 500 or more. Seconds since it was started."""
        while time.monotonic() - process.began < timeout:
            if process.poll() is not None:
                raise NotReady(f"{name} ended with {process.returncode}: {self.log(name)}")
            if answers(port, path):
                return time.monotonic() - process.began
            time.sleep(0.001)
        raise NotReady(f"{name} was not ready within {timeout:.0f} s: {self.log(name)}")


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the command: state, parent, …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def started_at(pid: int) -> str | None:
    """When it started, which tells it from a later process of the same id."""
    fields = stat(pid)
    return fields[19] if fields else None


def descendants(root: int) -> dict[int, str]:
    """All processes below root, and when each started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat(int(entry.name))):
            parents[int(entry.name)] = (int(fields[1]), fields[19])
    family, size = {root: ""}, 0
    while len(family) > size:
        size = len(family)
        family.update({pid: since for pid, (parent, since) in parents.items() if parent in family})
    del family[root]
    return family


def resident_mb(root: int) -> float:
    """Resident memory of a process and its descendants, in units of 1,000,000 bytes."""
    kilobytes = 0
    for pid in [root, *descendants(root)]:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return kilobytes * 1024 / 1e6
