"""Who is measured: how each is configured, started, and asked for the same work."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .load import KEY
from .machine import first_line
from .process import NotReady, Processes, free_port, resident_mb

BENCH = Path(__file__).resolve().parent.parent
RIVALS = BENCH / ".rivals"


@dataclass
class Contender:
    """One that runs and can be loaded."""

    name: str
    about: str
    version: str
    pid: int | None
    url: str
    model: str = "small"
    # Where streams go, if elsewhere.
    stream_url: str = ""
    # The model whose provider speaks the other dialect, if it translates.
    translated_model: str = ""
    headers: dict = field(default_factory=dict)
    # Of Python and Node, which would need minutes for what the others do in seconds.
    slow: bool = False
    idle_mb: float = 0.0
    # Starts another copy and gives the seconds it took to be ready.
    start_again: object = None


def start_simulator(processes: Processes, stepwell: Path) -> Contender:
    """The provider behind all of them.

    Without its account, which would grow with every call; and with every event a chunk of its own, as providers send
    them, so that a proxy that writes event by event pays for it.
    """
    port = free_port()
    told = subprocess.run([stepwell, "sim", "--help"], capture_output=True, text=True).stdout
    command = [stepwell, "sim", "--listen", f"127.0.0.1:{port}"]
    for flag in (["--no-oracle"], ["--burst-bytes", "0"]):
        if flag[0] in told:
            command += flag
    process = processes.start("sim", command)
    processes.wait_ready("sim", process, port, "/v1/models", timeout=10)
    about = f"the simulator itself, no proxy: `stepwell {' '.join(command[1:])}`"
    return Contender("direct", about, first_line([stepwell, "--version"]), process.pid, base(port))


def start_all(processes: Processes, simulator: Contender, stepwell: Path, only: set | None):
    """All that are installed, the simulator first; and why the others are not here."""
    running, absent = [simulator], {}
    for name, start in STARTERS.items():
        if only is not None and name not in only:
            continue
        try:
            contender = start(processes, simulator, stepwell)
        except (NotReady, FileNotFoundError) as reason:
            absent[name] = str(reason)
            print(f"without {name}: {reason}", file=sys.stderr)
            continue
        contender.idle_mb = resident_mb(contender.pid)
        running.append(contender)
        print(f"started {name} ({contender.version})", file=sys.stderr)
    return running, absent


def start_nginx(processes: Processes, simulator: Contender, _stepwell: Path) -> Contender:
    binary = find("nginx", "/usr/sbin/nginx", hint="apt-get install nginx-light")
    port, stream_port = free_port(), free_port()
    config = processes.directory / "nginx.conf"
    text = (BENCH / "nginx.conf").read_text()
    for name, value in {
        "DIR": str(processes.directory),
        "UPSTREAM": authority(simulator.url),
        "LISTEN": f"127.0.0.1:{port}",
        "LISTEN_STREAMS": f"127.0.0.1:{stream_port}",
    }.items():
        text = text.replace(f"@{name}@", value)
    config.write_text(text)
    process = processes.start("nginx", [binary, "-c", config, "-p", processes.directory])
    processes.wait_ready("nginx", process, port, "/v1/models", timeout=10)
    about = "plain reverse proxy, bench/nginx.conf: one worker per core, keep-alive both sides, no log; buffering off for streams"
    return Contender("nginx", about, first_line([binary, "-v"]), process.pid, base(port), stream_url=base(stream_port))


def start_passthrough(processes: Processes, simulator: Contender, stepwell: Path) -> Contender:
    binary = find(str(stepwell.parent / "examples/passthrough"), hint="cargo build --release -p stepwell-load --examples")
    port = free_port()
    process = processes.start("passthrough", [binary, f"127.0.0.1:{port}", authority(simulator.url)])
    processes.wait_ready("passthrough", process, port, "/v1/models", timeout=10)
    about = "hyper server and hyper-util's pooled client, two threads, no parsing (crates/load/examples/passthrough.rs)"
    return Contender("passthrough", about, "hyper 1", process.pid, base(port))


STEPWELL_CONFIG = """\
data_dir = "{data}"
[server]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin_port}"
[providers.same]
kind = "openai"
api_key = "literal:bench"
base_url = "{simulator}/v1"
[providers.across]
kind = "anthropic"
api_key = "literal:bench"
base_url = "{simulator}"
"""


def start_stepwell(processes: Processes, simulator: Contender, stepwell: Path) -> Contender:
    def launch(name: str):
        port, data = free_port(), processes.directory / name
        config = processes.directory / f"{name}.toml"
        config.write_text(
            STEPWELL_CONFIG.format(data=data, port=port, admin_port=free_port(), simulator=simulator.url)
        )
        process = processes.start(name, [stepwell, "serve", "--config", config])
        return process, port, processes.wait_ready(name, process, port, "/readyz", timeout=10)

    def again(number: int) -> float:
        process, _, seconds = launch(f"stepwell-start-{number}")
        processes.end(process)
        return seconds

    process, port, _ = launch("stepwell")
    return Contender(
        "stepwell",
        "one process, default config: ledger, journal (grouped fsync) and metrics on",
        first_line([stepwell, "--version"]),
        process.pid,
        base(port),
        model="same/small",
        translated_model="across/small",
        start_again=again,
    )


LITELLM_CONFIG = """\
model_list:
  - model_name: small
    litellm_params:
      model: openai/small
      api_base: {simulator}/v1
      api_key: bench
general_settings:
  master_key: {key}
"""


def start_litellm(processes: Processes, simulator: Contender, _stepwell: Path) -> Contender:
    binary = find(str(RIVALS / "venv/bin/litellm"), "litellm", hint="see bench/run --help")
    port = free_port()
    config = processes.directory / "litellm.yaml"
    config.write_text(LITELLM_CONFIG.format(simulator=simulator.url, key=KEY))
    command = [binary, "--config", config, "--host", "127.0.0.1", "--port", port, "--num_workers", 2]
    quiet = {"LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    process = processes.start("litellm", command, env=quiet)
    processes.wait_ready("litellm", process, port, "/health/liveliness", timeout=120)
    about = "two workers, no database"
    return Contender("litellm", about, first_line([binary, "--version"]), process.pid, base(port), slow=True)


def start_portkey(processes: Processes, simulator: Contender, _stepwell: Path) -> Contender:
    package = RIVALS / "node_modules/@portkey-ai/gateway"
    script = find(str(package / "build/start-server.js"), hint="see bench/run --help")
    port = free_port()
    process = processes.start("portkey", [find("node"), script, f"--port={port}", "--headless"])
    processes.wait_ready("portkey", process, port, "/", timeout=30)
    version = first_line(["node", "-p", f"require('{package}/package.json').version"])
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{simulator.url}/v1"}
    about = f"one process on Node {first_line(['node', '--version'])}"
    return Contender("portkey", about, version, process.pid, base(port), headers=headers, slow=True)


STARTERS = {
    "nginx": start_nginx,
    "passthrough": start_passthrough,
    "stepwell": start_stepwell,
    "litellm": start_litellm,
    "portkey": start_portkey,
}


def base(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def authority(url: str) -> str:
    return url.removeprefix("http://")


def find(*places: str, hint: str = "") -> str:
    """The first of these that is there: a path, or a command's name."""
    for place in places:
        if found := shutil.which(place) or (place if Path(place).exists() else None):
            return found
    raise FileNotFoundError(f"not installed ({hint or places[0]})")
