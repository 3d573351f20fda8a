"""On a cluster that will not do, a program says so in one line and ends; nothing of it is left there."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.programs import install
from testkit.paths import ROOT
from testkit.ports import free_port
from testkit.waiting import wait_for

PROGRAMS = ("controller", "autoscaler", "activator")
KNATIVE = """\
apiVersion: v1
kind: Namespace
metadata: {name: knative-serving}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: controller
  namespace: knative-serving
  labels: {app.kubernetes.io/name: knative-serving, app.kubernetes.io/component: controller}
spec:
  replicas: 0
  selector: {matchLabels: {app: controller}}
  template:
    metadata: {labels: {app: controller}}
    spec: {containers: [{name: controller, image: none}]}
"""


def command(program: str, folder: Path) -> list[str]:
    """How the program is started beside others."""
    token = folder / "token"
    token.write_text("secret")
    here = {
        "controller": [],
        "autoscaler": [f"--link=127.0.0.1:{free_port()}", f"--link-token-file={token}"],
        "activator": [
            f"--gateway=127.0.0.1:{free_port()}",
            f"--local-gateway=127.0.0.1:{free_port()}",
            f"--link-token-file={token}",
        ],
    }[program]
    return [sys.executable, "-m", "zerogate", program, f"--admin=127.0.0.1:{free_port()}", *here]


def environment(kubeconfig: Path) -> dict[str, Any]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(kubeconfig)}


def start(program: str, kubeconfig: Path, folder: Path) -> tuple[int, str]:
    """The program's end: (exit status, what it said on stderr)."""
    done = subprocess.run(
        command(program, folder), env=environment(kubeconfig),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def in_background(program: str, kubeconfig: Path, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as told:
        return subprocess.Popen(command(program, folder), env=environment(kubeconfig), stderr=told)


def refused(program: str, kubeconfig: Path, folder: Path, *said: Any) -> None:
    """Exit 1 and one line with all of that."""
    status, told = start(program, kubeconfig, folder)
    assert (status, len(told.splitlines())) == (1, 1), told
    assert told.startswith(f"zerogate: {program}: ")
    for each in said:
        assert each in told


def all_refused(refuse: Callable[[str], None]) -> None:
    """Call `refuse` for each program, all at the same time: most of it is waiting."""
    with ThreadPoolExecutor(len(PROGRAMS)) as side_by_side:
        list(side_by_side.map(refuse, PROGRAMS))


def everything(plane: ControlPlane) -> set[Any]:
    """What a program could have made; Events of the cluster's own parts come and go."""
    kinds = "leases,configmaps,deployments,events,crds"
    found = json.loads(plane.kubectl("get", kinds, "-A", "-o", "json"))["items"]
    return {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in found
        if each["metadata"].get("namespace") != "kube-system"
        and (each["kind"] != "Event" or "zerogate" in each["source"].get("component", ""))
    }


@pytest.fixture
def bare(installed: ControlPlane) -> Iterator[ControlPlane]:
    """A cluster without our definitions; they are there again afterwards."""
    installed.kubectl("delete", "crd", "--all")
    yield installed
    install(installed)


def test_a_cluster_without_our_definitions_is_told_how_to_get_them(
    bare: ControlPlane, tmp_path: Path
) -> None:
    before = everything(bare)
    said = ("does not know configurations.serving.knative.dev", "kubectl apply -k config/")
    all_refused(lambda program: refused(program, bare.kubeconfig, tmp_path, *said))
    assert everything(bare) == before


def test_an_account_without_rights_is_told_which_it_lacks(installed: ControlPlane, tmp_path: Path) -> None:
    installed.kubectl("create", "serviceaccount", "nobody", "-n", "default")
    kubeconfig = installed.kubeconfig_of("nobody", "default")
    before = everything(installed)
    all_refused(
        lambda program: refused(
            program, kubeconfig, tmp_path,
            f"the {program} may not list ", f"ServiceAccount zerogate-{program}",
        )
    )  # fmt: skip
    assert everything(installed) == before


def test_a_cluster_with_knative_itself_is_left_to_it(installed: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "knative.yaml").write_text(KNATIVE)
    installed.kubectl("apply", "-f", str(tmp_path / "knative.yaml"))
    before = everything(installed)
    try:
        accounts = {program: installed.kubeconfig_of(f"zerogate-{program}") for program in PROGRAMS}
        said = ("Knative Serving is installed", "uninstall it")
        all_refused(lambda program: refused(program, accounts[program], tmp_path, *said))
        assert everything(installed) == before
    finally:
        installed.kubectl("delete", "namespace", "knative-serving")


@contextlib.asynccontextmanager
async def older(server: str, version: dict[str, str], port: int = 0) -> AsyncIterator[str]:
    """A proxy before the API server that tells of another version."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:

        async def passed_on(request: web.Request) -> web.Response:
            if request.path == "/version":
                return web.json_response(version)
            headers = {"Authorization": request.headers["Authorization"], "Content-Type": "application/json"}
            url = server + request.path_qs
            async with session.request(
                request.method, url, data=await request.read(), headers=headers
            ) as answer:
                return web.Response(
                    status=answer.status, body=await answer.read(), content_type="application/json"
                )

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", passed_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)  # watches never end by themselves
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port or free_port())
        await site.start()
        yield site.name
        await runner.cleanup()


OLD = {"major": "1", "minor": "29+", "gitVersion": "v1.29.4-eks"}


async def test_a_cluster_that_is_too_old_is_refused(installed: ControlPlane, tmp_path: Path) -> None:
    """The oldest that has what we need is 1.30."""
    config = yaml.safe_load(installed.kubeconfig.read_text())
    before = everything(installed)
    server = config["clusters"][0]["cluster"]["server"]
    async with older(server, OLD) as proxy:
        config["clusters"][0]["cluster"] = {"server": proxy}
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        for program in PROGRAMS:
            await asyncio.to_thread(
                refused, program, tmp_path / "kubeconfig", tmp_path, "v1.29.4-eks is too old; use 1.30"
            )
    assert everything(installed) == before


async def test_a_gateway_waits_for_an_api_server_that_is_away_and_ends_when_it_will_not_do(
    installed: ControlPlane, tmp_path: Path
) -> None:
    """It begins without an answer; the answer, when it comes, counts."""
    config, port = yaml.safe_load(installed.kubeconfig.read_text()), free_port()
    server = config["clusters"][0]["cluster"]["server"]
    config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    log = tmp_path / "log"
    process = in_background("activator", tmp_path / "kubeconfig", tmp_path, log)
    try:
        waits = "routes can't be watched"
        await asyncio.to_thread(wait_for, "it to begin", lambda: waits in log.read_text(), 30)
        assert process.poll() is None
        async with older(server, OLD, port):
            assert await asyncio.to_thread(process.wait, 30) == 1
    finally:
        process.kill()
        process.wait()
    assert (
        log.read_text().splitlines()[-1].startswith("zerogate: activator: Kubernetes v1.29.4-eks is too old")
    )
