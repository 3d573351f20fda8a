"""What an operator sees: health, metrics, states, histories; and the programs one by one."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from machine import ROOT, SAMPLE, free_port, host, wait_for

NAME = "helloworld-go"
REVISION = f"{NAME}-00001"


def _page(up, path, *, token=""):
    """Status and text of an admin page."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{up.admin}{path}", headers={"Authorization": f"Bearer {token}"} if token else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_admin_pages_tell_what_goes_on(up):
    """Open: health and metrics. With the token: every revision's state, and a history that replays."""
    up.kubectl("apply", "-f", str(SAMPLE))
    up.wait_ready(NAME)
    for _ in range(3):
        assert up.curl(host(NAME)) == "Hello World!\n"
    assert up.status("nobody.example.com") == 404
    assert _page(up, "/healthz") == (200, "ok\n")
    assert _page(up, "/readyz") == (200, "ok\n")

    metrics = _page(up, "/metrics")[1]
    assert re.search(rf'zerogate_activator_\w+\{{[^}}]*revision="{REVISION}"[^}}]*\}} [1-9]', metrics)
    assert "zerogate_autoscaler_" in metrics
    assert "nobody.example.com" not in metrics, "an unknown host never becomes a label"

    token = (up.data / "token").read_text()
    for path in ("/debug/state", f"/debug/history/default/{REVISION}"):
        assert _page(up, path)[0] == 401
        assert _page(up, path, token="wrong")[0] == 401
    state = json.loads(_page(up, "/debug/state", token=token)[1])
    assert f"default/{REVISION}" in state["autoscaler"]["revisions"]
    assert state["activator"]["unready"] == ""

    def decided():
        lines = _page(up, f"/debug/history/default/{REVISION}", token=token)[1].splitlines()
        return lines if sum('"decide"' in line for line in lines) > 2 else None

    lines = wait_for("some decisions", decided)
    trace = up.folder / "trace.jsonl"
    trace.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "zerogate", "replay", str(trace)],
        capture_output=True, text=True, check=True, timeout=30, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    replayed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(replayed) == 1 + sum('"decide"' in line for line in lines)
    assert _page(up, "/debug/history/default/nobody", token=token)[0] == 404


def test_a_further_activator_serves_beside_the_first(up):
    """The programs share nothing but the API and the link: one more gateway routes, holds and wakes."""
    up.kubectl("apply", "-f", str(SAMPLE))
    up.wait_ready(NAME)
    up.wait_pods(REVISION, 0)
    gateway, admin, token = free_port(), free_port(), str(up.data / "token")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "zerogate", "activator", "--gateway", f"127.0.0.1:{gateway}",
            "--admin", f"127.0.0.1:{admin}", "--drain-delay", "0s", "--link-token-file", token,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(up.data / "kubeconfig")},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:

        def answered():
            return subprocess.run(
                ["curl", "-sS", "-m", "10", "-H", f"Host: {host(NAME)}", f"http://127.0.0.1:{gateway}/"],
                capture_output=True, text=True, check=False,
            ).stdout == "Hello World!\n"  # fmt: skip

        wait_for("its first answer", answered)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_program_without_an_api_server_says_what_to_do(tmp_path):
    """One line, exit 1."""
    for program in ("controller", "node"):
        done = subprocess.run(
            [sys.executable, "-m", "zerogate", program],
            capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 1
        assert "KUBECONFIG" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
