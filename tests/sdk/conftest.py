"""Starts the programs, makes SDK clients that remember their calls, and audits every call in the end.

    STEPWELL_BIN=target/debug/stepwell pytest tests/sdk                 # through Stepwell, every provider
    SDK_TARGET=sim STEPWELL_BIN=... pytest tests/sdk                    # the SDKs straight at the simulator
"""

import os

import anthropic
import google.genai
import httpx
import openai
import pytest
from audit import audit
from stack import CLIENT_KEY, PROVIDERS, Stack, binary, until

CALL_ID = "x-stepwell-call-id"
# Nothing here is encrypted, and reading the authorities that nobody asks takes longer than a test.
NO_TLS = False


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    target = os.environ.get("SDK_TARGET", "stepwell")
    assert target in ("stepwell", "sim"), f"SDK_TARGET is stepwell or sim, not {target}"
    stack = Stack(tmp_path_factory.mktemp("stack"), binary(), target == "sim")
    stack.made = {}
    yield stack
    wrong = [] if stack.direct else audit_all(stack)
    codes = stack.stop()
    assert set(codes.values()) == {0}, f"asked to stop, the programs ended with {codes}"
    assert not wrong, "\n".join(["ledger and simulator disagree:", *wrong])


def audit_all(stack):
    """Audits every call of every test; returns what is wrong, by test."""
    wrong = []
    for test, ids in stack.made.items():
        for call_id in dict.fromkeys(ids):
            try:
                audit(stack, call_id)
            except (AssertionError, TimeoutError) as error:
                wrong.append(f"{test}: {error}")
    return wrong


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(autouse=True)
def only_through_stepwell(request, stack):
    if stack.direct and request.node.get_closest_marker("gateway"):
        pytest.skip("the simulator alone has no gateway")


@pytest.fixture
def spoken(request):
    """The provider whose dialect the client speaks. Clients of several dialects say it themselves."""
    owns = {"test_openai": "oai", "test_gemini": "gem", "test_responses": "res", "test_cohere": "coh"}
    return owns.get(request.module.__name__, "ant")


@pytest.fixture(params=PROVIDERS)
def provider(request, stack, spoken):
    """The provider's dialect: with each SDK, all."""
    if stack.direct and request.param != spoken:
        pytest.skip("the simulator alone does not translate")
    return request.param


@pytest.fixture
def model(stack, provider):
    return stack.model(provider)


@pytest.fixture
def made(request, stack):
    """The ids of the calls that this test makes. In the end, ledger and simulator must agree about each."""
    return stack.made.setdefault(request.node.nodeid, [])


class Account:
    """What the simulator writes down while a test runs."""

    def __init__(self, stack):
        self.stack = stack
        self.before = len(stack.entries())

    def entries(self):
        return [entry for entry in self.stack.entries()[self.before :] if entry["endpoint"] == "chat"]

    def usage(self, number=0):
        """What was billed for the test's call of this number, once that call has ended."""
        until(lambda: len(self.entries()) > number, f"call number {number} in the simulator's account")
        return self.entries()[number]["billed_usage"]


@pytest.fixture
def account(stack, made):
    """The simulator's account of this test's calls, for clients that keep replies' headers to themselves."""
    account = Account(stack)
    yield account
    made += [entry["client_request_id"] for entry in account.entries() if not stack.direct]


@pytest.fixture
def new_oai(stack, made):
    """Makes OpenAI clients: no retries of their own unless asked, and each reply's call id is kept."""
    http = openai.DefaultHttpx2Client(event_hooks={"response": [lambda reply: remember(made, reply)]}, verify=NO_TLS)

    def new(**options):
        options = {"base_url": f"{stack.api_url}/v1", "api_key": CLIENT_KEY, "max_retries": 0} | options
        return openai.OpenAI(http_client=http, **options)

    yield new
    http.close()


@pytest.fixture
def new_ant(stack, made):
    """Makes Anthropic clients, likewise."""
    http = anthropic.DefaultHttpxClient(event_hooks={"response": [lambda reply: remember(made, reply)]}, verify=NO_TLS)

    def new(**options):
        options = {"base_url": stack.api_url, "api_key": CLIENT_KEY, "max_retries": 0} | options
        return anthropic.Anthropic(http_client=http, **options)

    yield new
    http.close()


@pytest.fixture(scope="session")
def gem(stack):
    """A client of Google's. Its replies have the headers in them: see `kept` in the tests."""
    with google.genai.Client(api_key=CLIENT_KEY, http_options={"base_url": stack.api_url}) as client:
        yield client


@pytest.fixture
def coh(stack, made):
    """A client of Cohere's, likewise."""
    import cohere  # The frameworks' environment has none.

    hooks = {"response": [lambda reply: remember(made, reply)]}
    with httpx.Client(event_hooks=hooks, timeout=60) as http:
        yield cohere.ClientV2(api_key=CLIENT_KEY, base_url=stack.api_url, max_retries=0, httpx_client=http)


@pytest.fixture
def oai(new_oai):
    return new_oai()


@pytest.fixture
def ant(new_ant):
    return new_ant()


@pytest.fixture
async def async_oai(stack, made):
    async def keep(reply):
        remember(made, reply)

    http = openai.DefaultAsyncHttpx2Client(event_hooks={"response": [keep]}, verify=NO_TLS)
    async with openai.AsyncOpenAI(
        base_url=f"{stack.api_url}/v1", api_key=CLIENT_KEY, max_retries=0, http_client=http
    ) as client:
        yield client


@pytest.fixture
async def async_ant(stack, made):
    async def keep(reply):
        remember(made, reply)

    http = anthropic.DefaultAsyncHttpxClient(event_hooks={"response": [keep]}, verify=NO_TLS)
    async with anthropic.AsyncAnthropic(
        base_url=stack.api_url, api_key=CLIENT_KEY, max_retries=0, http_client=http
    ) as client:
        yield client


def remember(made, reply):
    if CALL_ID in reply.headers:
        made.append(reply.headers[CALL_ID])
