"""On a cluster that will not do, a program says so in one line and ends; nothing of it is left there."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests.e2e.machine import ROOT, free_port

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


def start(program, kubeconfig, folder):
    """The program's end: (exit status, what it said on stderr)."""
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
    done = subprocess.run(
        [sys.executable, "-m", "zerogate", program, f"--admin=127.0.0.1:{free_port()}", *here],
        env={**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(kubeconfig)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def refused(program, kubeconfig, folder, *said):
    """Exit 1 and one line with all of that."""
    status, told = start(program, kubeconfig, folder)
    assert (status, len(told.splitlines())) == (1, 1), told
    assert told.startswith(f"zerogate: {program}: ")
    for each in said:
        assert each in told


def everything(plane):
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
def bare(own_plane):
    """A cluster without our definitions."""
    own_plane.kubectl("delete", "crd", "--all")
    return own_plane


def test_a_cluster_without_our_definitions_is_told_how_to_get_them(bare, tmp_path):
    before = everything(bare)
    for program in PROGRAMS:
        refused(
            program, bare.kubeconfig, tmp_path,
            "does not know configurations.serving.knative.dev", "kubectl apply -k config/",
        )  # fmt: skip
    assert everything(bare) == before


def test_an_account_without_rights_is_told_which_it_lacks(installed, tmp_path):
    installed.kubectl("create", "serviceaccount", "nobody", "-n", "default")
    kubeconfig = installed.kubeconfig_of("nobody", "default")
    before = everything(installed)
    for program in PROGRAMS:
        refused(
            program, kubeconfig, tmp_path,
            f"the {program} may not list ", f"ServiceAccount zerogate-{program}",
        )  # fmt: skip
    assert everything(installed) == before


def test_a_cluster_with_knative_itself_is_left_to_it(installed, tmp_path):
    (tmp_path / "knative.yaml").write_text(KNATIVE)
    installed.kubectl("apply", "-f", str(tmp_path / "knative.yaml"))
    before = everything(installed)
    try:
        for program in PROGRAMS:
            account = installed.kubeconfig_of(f"zerogate-{program}")
            refused(program, account, tmp_path, "Knative Serving is installed", "uninstall it")
        assert everything(installed) == before
    finally:
        installed.kubectl("delete", "namespace", "knative-serving")


@contextlib.asynccontextmanager
async def older(server, version):
    """A proxy before the API server that tells of another version."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:

        async def passed_on(request):
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
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", free_port())
        await site.start()
        yield site.name
        await runner.cleanup()


async def test_a_cluster_that_is_too_old_is_refused(installed, tmp_path):
    """The oldest that has what we need is 1.30."""
    config = yaml.safe_load(installed.kubeconfig.read_text())
    before = everything(installed)
    server = config["clusters"][0]["cluster"]["server"]
    async with older(server, {"major": "1", "minor": "29+", "gitVersion": "v1.29.4-eks"}) as proxy:
        config["clusters"][0]["cluster"] = {"server": proxy}
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        for program in PROGRAMS:
            await asyncio.to_thread(
                refused, program, tmp_path / "kubeconfig", tmp_path, "v1.29.4-eks is too old; use 1.30"
            )
    assert everything(installed) == before
