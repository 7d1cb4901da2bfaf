"""The programs under test: the simulated provider, Stepwell in front of it, and what both wrote down.

Starts them on ports of their own in a folder of their own, and ends only what it started.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "oai": "sk-good-openai-7c1f",
    "ant": "sk-good-anthropic-93ab",
    "gem": "sk-good-gemini-41d8",
    "res": "sk-good-responses-0b6e",
    "coh": "sk-good-cohere-2b67",
    "oll": "sk-good-ollama-2e90",
    "bed": "sk-good-bedrock-a05e",
    "badkey": "sk-bad-5d20",
}
CLIENT_KEY = "sk-client-must-not-travel-e6b4"

# The providers: of which kind, where the simulator serves them, and the dialect that is spoken to them.
PROVIDERS = {
    "oai": ("openai", "/v1", "openai_chat"),
    "res": ("openai", "/v1", "openai_responses"),
    "ant": ("anthropic", "", "anthropic"),
    "gem": ("gemini", "", "gemini"),
    "coh": ("cohere", "", "cohere"),
    "oll": ("ollama", "", "ollama"),
    "bed": ("bedrock", "", "bedrock_converse"),
}

# Each provider's small model under a name of Anthropic's: some clients take no other.
CLAUDES = dict(
    zip(
        PROVIDERS,
        [
            "claude-opus-4-1",
            "claude-opus-4-5",
            "claude-opus-4-6",
            "claude-sonnet-4-5",
            "claude-sonnet-4-6",
            "claude-haiku-4-5",
            "claude-opus-5",
            "claude-sonnet-5",
            "claude-haiku-5-5",
        ],
    )
)

CONFIG = """
data_dir = "data"

[server]
listen = "127.0.0.1:{api}"
admin_listen = "127.0.0.1:{admin}"
drain_timeout = "5s"

[log]
format = "json"
calls = "all"

{providers}

[routes.chat-oai]
targets = ["oai/small", "oai/large"]

[routes.chat-ant]
targets = ["ant/small", "ant/large"]

[routes.chat-gem]
targets = ["gem/small", "gem/large"]

[routes.chat-res]
targets = ["res/small", "res/large"]

[routes.strict-res]
targets = ["res/small"]
strict = true

[routes.chat-coh]
targets = ["coh/small", "coh/large"]

[routes.chat-oll]
targets = ["oll/small", "oll/large"]

[routes.chat-bed]
targets = ["bed/small", "bed/large"]

[routes.strict-oai]
targets = ["oai/small"]
strict = true

[routes.strict-ant]
targets = ["ant/small"]
strict = true

[routes.strict-gem]
targets = ["gem/small"]
strict = true

[routes.strict-coh]
targets = ["coh/small"]
strict = true

[routes.strict-oll]
targets = ["oll/small"]
strict = true

[routes.strict-bed]
targets = ["bed/small"]
strict = true

[routes.fallback-badkey]
targets = ["oai-badkey/small", "ant/small"]

[routes.fallback-dead]
targets = ["dead/small", "oai/small"]

[routes.fallback-large]
targets = ["oai/large", "ant/small"]

[routes.limited]
targets = ["oai/small"]
max_output_tokens = 7

{claudes}
"""

PROVIDER = """
[providers.{name}]
kind = "{kind}"
{dialects}base_url = "{base_url}"
api_key = "literal:{key}"
models = ["small", "large"]
timeouts = {{ connect = "2s", first_byte = "{patience}", idle = "{patience}", total = "60s" }}
[providers.{name}.prices.small]
input = 0.15
output = 0.60
cache_read = 0.075
cache_write = 0.1875
[providers.{name}.prices.large]
input = 3
output = 15
cache_read = 0.30
cache_write = 3.75
[providers.{name}.prices.embed]
input = 0.02
output = 0
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(found, what, seconds=20.0):
    """What `found` returns, once it returns something; polled until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        result = found()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def get(url, method="GET", body=None):
    """The JSON that a URL answers with, or None where there is nothing (404, or nobody listens)."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            text = reply.read()
    except urllib.error.HTTPError as error:
        if error.code in (404, 503):
            return None
        raise AssertionError(f"{method} {url}: {error.code} {error.read()!r}") from error
    except (urllib.error.URLError, ConnectionError):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text.decode() or "ok"


class Program:
    """A process of ours, its output in a file."""

    def __init__(self, binary, arguments, folder, name):
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(binary), *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def ready(self, url):
        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text()}")
            return get(url)

        until(answers, f"{self.name} at {url}", 30)

    def stop(self):
        """Asks it to stop and returns its exit code; kills it after 15 s."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(5)


class Stack:
    """A simulator and, unless `direct`, Stepwell in front of it."""

    def __init__(self, folder, binary, direct):
        self.folder = folder
        self.direct = direct
        port = free_port()
        self.sim_url = f"http://127.0.0.1:{port}"
        self.sim = Program(binary, ["sim", "--listen", f"127.0.0.1:{port}"], folder, "sim")
        self.server = None
        self.api_url = self.sim_url
        self.admin_url = None
        self._entries = []
        self._after = 0
        try:
            self.sim.ready(f"{self.sim_url}/sim")
            if not direct:
                self._serve(binary)
        except BaseException:
            self.stop()
            raise

    def _serve(self, binary):
        api, admin = free_port(), free_port()
        config = self.folder / "stepwell.toml"
        claudes = "\n".join(f'[routes.{claude}]\ntargets = ["{name}/small"]' for name, claude in CLAUDES.items())
        config.write_text(CONFIG.format(api=api, admin=admin, providers=self._providers(), claudes=claudes))
        self.api_url, self.admin_url = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{admin}"
        self.server = Program(binary, ["serve", "--config", str(config)], self.folder, "stepwell")
        self.server.ready(f"{self.api_url}/readyz")

    def _providers(self):
        rows = []
        for name, (kind, path, dialect) in PROVIDERS.items():
            base_url = self.sim_url + path
            for suffix, key, patience in [
                ("", KEYS[name], "20s"),
                ("-faulty", KEYS[name], "500ms"),
                ("-badkey", KEYS["badkey"], "20s"),
            ]:
                rows.append(
                    PROVIDER.format(
                        name=name + suffix,
                        kind=kind,
                        dialects=f'dialects = ["{dialect}"]\n',
                        base_url=base_url,
                        key=key,
                        patience=patience,
                    )
                )
        nobody = f"http://127.0.0.1:{free_port()}/v1"
        rows.append(PROVIDER.format(name="dead", kind="openai", dialects="", base_url=nobody, key=KEYS["oai"], patience="2s"))
        return "\n".join(rows)

    def stop(self):
        programs = [program for program in (self.server, self.sim) if program]
        return {program.name: program.stop() for program in programs}

    # What to ask for.

    def model(self, provider, size="small"):
        """A model's name for clients. The simulator knows no providers."""
        return size if self.direct else f"{provider}/{size}"

    def script_fault(self, fault, times=1, model="large"):
        """The next requests for `model` at the simulator fail so."""
        assert get(f"{self.sim_url}/sim/faults", "POST", {"fault": fault, "times": times, "model": model})

    # What was written down.

    def entries(self):
        """The simulator's account so far, in the order in which requests ended."""
        while page := get(f"{self.sim_url}/sim/oracle?after={self._after}&limit=10000")["data"]:
            self._entries += page
            self._after = page[-1]["seq"]
        return self._entries

    def entries_of(self, call_id):
        """The simulator's entries for the attempts of one call: Stepwell sends the call's id along."""
        return [entry for entry in self.entries() if entry["client_request_id"] == call_id]

    def call(self, call_id):
        """A call as the ledger has it, once it is there."""
        url = f"{self.admin_url}/admin/v1/calls/{call_id}"
        return until(lambda: get(url), f"call {call_id} in the ledger")

    def calls(self):
        """Every call in the ledger, page by page."""
        rows, cursor = [], ""
        while True:
            page = get(f"{self.admin_url}/admin/v1/calls?limit=500{cursor}")
            rows += page["data"]
            if page["next_cursor"] is None:
                return rows
            cursor = f"&cursor={page['next_cursor']}"


def binary():
    path = Path(os.environ.get("STEPWELL_BIN", ROOT / "target" / "debug" / "stepwell"))
    if not path.exists():
        raise RuntimeError(f"{path} is not there: build it with `cargo build -p stepwell-server`, or set STEPWELL_BIN")
    return path.resolve()
