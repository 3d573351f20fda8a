"""What an operator sees: health, metrics, states, histories; and the programs one by one."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from testkit.machines.laptop import Machine, host
from testkit.paths import ROOT, SAMPLE
from testkit.ports import free_port
from testkit.waiting import wait_for

NAME = "helloworld-go"
REVISION = f"{NAME}-00001"


def _page(laptop: Machine, path: str, *, token: str = "") -> tuple[int, str]:
    """Status and text of an admin page."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{laptop.admin}{path}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_admin_pages_tell_what_goes_on(laptop: Machine) -> None:
    """Open: health and metrics. With the token: every revision's state, and a history that replays."""
    laptop.kubectl("apply", "-f", str(SAMPLE))
    laptop.wait_ready(NAME)
    for _ in range(3):
        assert laptop.curl(host(NAME)) == "Hello World!\n"
    assert laptop.status("nobody.example.com") == 404
    assert _page(laptop, "/healthz") == (200, "ok\n")
    assert _page(laptop, "/readyz") == (200, "ok\n")

    metrics = _page(laptop, "/metrics")[1]
    assert re.search(rf'zerogate_activator_\w+\{{[^}}]*revision="{REVISION}"[^}}]*\}} [1-9]', metrics)
    assert "zerogate_autoscaler_" in metrics
    assert "nobody.example.com" not in metrics, "an unknown host never becomes a label"

    token = (laptop.data / "token").read_text()
    for path in ("/debug/state", f"/debug/history/default/{REVISION}"):
        assert _page(laptop, path)[0] == 401
        assert _page(laptop, path, token="wrong")[0] == 401
    state = json.loads(_page(laptop, "/debug/state", token=token)[1])
    assert f"default/{REVISION}" in state["autoscaler"]["revisions"]
    assert [each["unready"] for each in state["activators"].values()] == [""]

    def decided() -> list[str] | None:
        lines = _page(laptop, f"/debug/history/default/{REVISION}", token=token)[1].splitlines()
        return lines if sum('"decide"' in line for line in lines) > 2 else None

    lines = wait_for("some decisions", decided)
    trace = laptop.folder / "trace.jsonl"
    trace.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "zerogate", "replay", str(trace)],
        capture_output=True, text=True, check=True, timeout=30, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    replayed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(replayed) == 1 + sum('"decide"' in line for line in lines)
    assert _page(laptop, "/debug/history/default/nobody", token=token)[0] == 404


def test_a_further_activator_serves_beside_the_first(laptop: Machine) -> None:
    """The programs share nothing but the API and the link: one more gateway routes, holds and wakes."""
    laptop.kubectl("apply", "-f", str(SAMPLE))
    laptop.wait_ready(NAME)
    laptop.wait_pods(REVISION, 0)
    gateway, admin, token = free_port(), free_port(), str(laptop.data / "token")
    process = subprocess.Popen(
        [
            "prlimit", "--nofile=512:",  # of which it may take more, and does
            sys.executable, "-m", "zerogate", "activator", "--gateway", f"127.0.0.1:{gateway}",
            "--local-gateway", "", "--admin", f"127.0.0.1:{admin}", "--drain-delay", "0s",
            "--link-token-file", token,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(laptop.data / "kubeconfig")},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:

        def answered() -> bool:
            return subprocess.run(
                ["curl", "-sS", "-m", "10", "-H", f"Host: {host(NAME)}", f"http://127.0.0.1:{gateway}/"],
                capture_output=True, text=True, check=False,
            ).stdout == "Hello World!\n"  # fmt: skip

        wait_for("its first answer", answered)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        soft, hard = next(line for line in limits.splitlines() if "open files" in line).split()[3:5]
        assert soft == hard
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_program_without_an_api_server_says_what_to_do(tmp_path: Path) -> None:
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


NOBODY = """
apiVersion: v1
kind: Config
contexts: [{name: c, context: {cluster: k, user: u}}]
current-context: c
clusters: [{name: k, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
"""


def test_while_the_api_server_is_away_programs_are_alive_and_those_that_only_wait_are_ready(
    tmp_path: Path,
) -> None:
    """A restart would help nobody; but to an activator that knows no host no traffic is to come."""
    (tmp_path / "kubeconfig").write_text(NOBODY)
    (tmp_path / "token").write_text("secret")
    token = f"--link-token-file={tmp_path / 'token'}"
    flags = {
        "controller": [],
        "autoscaler": [f"--link=127.0.0.1:{free_port()}", token],
        "activator": [
            f"--gateway=127.0.0.1:{free_port()}",
            f"--local-gateway=127.0.0.1:{free_port()}",
            "--drain-delay=0s",
            token,
        ],
    }
    ports = {program: free_port() for program in flags}
    running = {
        program: subprocess.Popen(
            [
                sys.executable,
                "-m",
                "zerogate",
                program,
                f"--admin=127.0.0.1:{ports[program]}",
                *flags[program],
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(tmp_path / "kubeconfig")},
            stderr=subprocess.DEVNULL,
        )
        for program in flags
    }

    def asked(program: str, page: str) -> int | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[program]}{page}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return None

    try:
        for program in flags:
            wait_for(f"{program} to be alive", lambda: asked(program, "/healthz") == 200, 60)  # noqa: B023
        assert {program: asked(program, "/readyz") for program in flags} == {
            "controller": 200,
            "autoscaler": 200,
            "activator": 503,
        }
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        assert [process.wait(90) for process in running.values()] == [0, 0, 0]
    finally:
        for process in running.values():
            process.kill()
            process.wait()
