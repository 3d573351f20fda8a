"""The walk-through of the README, word for word, with real kubectl, curl and hey."""

import re
import signal
import subprocess

from testkit.machines.laptop import Machine, host
from testkit.paths import SAMPLE
from testkit.waiting import wait_for

NAME = "helloworld-go"
REVISION = "helloworld-go-00001"


def test_hello_world_from_zero(engine: Machine) -> None:
    """Apply, ask, be silent, ask again, press: what the tutorial shows, in its order."""
    engine.start("-f", str(SAMPLE))
    if engine.engine == "embedded":
        assert "export KUBECONFIG=" in engine.output
        assert str(engine.gateway) in engine.output

    assert re.search(
        r"service.serving.knative.dev/helloworld-go (unchanged|configured|created)",
        engine.kubectl("apply", "-f", str(SAMPLE)),
    )
    engine.wait_ready(NAME)

    header, row = engine.kubectl("get", "ksvc").splitlines()[:2]
    assert header.split() == ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"]
    assert row.split() == [NAME, f"http://{host(NAME)}", REVISION, REVISION, "True"]
    engine.wait_pods(REVISION, 1)
    wait_for("a running pod", lambda: " 1/1 " in engine.kubectl("get", "pods"))
    assert re.search(rf"{REVISION}-deployment-\w+-\w{{5}}\s+1/1\s+Running\s+0", engine.kubectl("get", "pods"))
    url = engine.kubectl("get", "route", NAME, "-o", "jsonpath={.status.url}")
    assert url == f"http://{host(NAME)}"

    assert engine.curl(host(NAME)) == "Hello World!\n"

    engine.quick_windows()
    wait_for(
        "the last pod to go",
        lambda: "No resources found in default namespace." in engine.kubectl("get", "pods"),
        60,
        0.5,
    )
    assert "True" in engine.kubectl("get", "ksvc", NAME)

    assert engine.curl(host(NAME)) == "Hello World!\n"
    wait_for("a line about the cold start", lambda: re.search(r"woke|cold start", engine.output))

    with subprocess.Popen(
        ["hey", "-z", "180s", "-c", "50", "-host", host(NAME), f"http://{engine.door}/"],
        stdout=subprocess.PIPE, text=True,
    ) as press:  # fmt: skip
        try:
            engine.wait_pods(REVISION, 5, 120)
        finally:
            press.send_signal(signal.SIGINT)  # hey ends its requests and prints its report
            printed, _ = press.communicate(timeout=60)
    assert re.findall(r"\[(\d+)\]\s+\d+ responses", printed) == ["200"], printed
    assert "Error distribution" not in printed
    assert engine.stop() == 0


def test_a_burst_at_a_sleeping_service_is_answered_whole(up: Machine) -> None:
    """`hey` started at zero pods: every answer is 200."""
    up.kubectl("apply", "-f", str(SAMPLE))
    up.wait_ready(NAME)
    up.wait_pods(REVISION, 0)
    done = subprocess.run(
        ["hey", "-z", "5s", "-c", "50", "-host", host(NAME), f"http://{up.door}/"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert re.findall(r"\[(\d+)\]\s+\d+ responses", done.stdout) == ["200"], done.stdout
    assert "Error distribution" not in done.stdout


def test_a_service_answers_at_its_localhost_name_too(laptop: Machine) -> None:
    """`<name>.<namespace>.localhost` opens in a browser, which resolves it to this machine."""
    laptop.kubectl("apply", "-f", str(SAMPLE))
    laptop.wait_ready(NAME)
    assert laptop.curl(f"{NAME}.default.localhost:{laptop.gateway}") == "Hello World!\n"
