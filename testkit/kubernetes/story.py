"""Everything that our programs do at an API server, as one story that tests drive step by step."""

import concurrent.futures
import json
import time
import urllib.request
from typing import Any

from kube.objects import Obj
from testkit.kubernetes.programs import SYSTEM, Programs, container
from testkit.machines.laptop import QUICK_WINDOWS, host, service
from testkit.waiting import wait_for

REFUSED = "refused"
"""A namespace whose administrator refuses what our programs then must read again, or try again."""

AUTOSCALER = 'request.userInfo.username.endsWith(":zerogate-autoscaler")'
STUCK = 'object.metadata.labels["serving.knative.dev/service"] == "stuck"'


def refusing(name: str, resources: list[str], who: str, reason: str) -> tuple[Obj, Obj]:
    """A policy in the namespace `refused`, with its binding."""
    about = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    group = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": resources, "operations": ["UPDATE"]}
    spec = {
        "matchConstraints": {
            "resourceRules": [group],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": REFUSED}},
        },
        "matchConditions": [{"name": "who", "expression": who}],
        "validations": [{"expression": "false", "message": "not here", "reason": reason}],
    }
    policy = {**about, "kind": "ValidatingAdmissionPolicy", "spec": spec}
    bound = {"policyName": name, "validationActions": ["Deny"]}
    return policy, {**about, "kind": "ValidatingAdmissionPolicyBinding", "spec": bound}


def quota() -> tuple[Obj, ...]:
    """No Deployment may be made in the namespace: the controller tries again and again, and tells of it."""
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "full"}},
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none", "namespace": "full"},
            "spec": {"hard": {"count/deployments.apps": "0"}},
        },
    )


def plain() -> dict[str, Any]:
    """A Deployment without a Service of ours."""
    labels = {"app": "plain", "zerogate.dev/scale": "true"}
    containers = [{"name": "app", "image": "dev.local/helloworld-go:1", "ports": [{"containerPort": 8080}]}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "plain",
            "namespace": "default",
            "labels": labels,
            "annotations": {"zerogate.dev/host": "plain.default.example.com"},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "plain"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


class Story:
    """What an administrator and users do, one after the other."""

    def __init__(self, programs: Programs) -> None:
        self.programs = programs
        self.plane = programs.plane
        self.kubectl = programs.plane.kubectl

    def apply(self, *objects: Any) -> None:
        file = self.programs.folder / "applied.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        self.kubectl("apply", "-f", str(file))

    def configure(self, name: str, **data: Any) -> None:
        patch = json.dumps({"data": data})
        self.kubectl("patch", "configmap", name, "-n", SYSTEM, "--type=merge", "-p", patch)

    def ask(self, name: str, *, is_local: bool = False) -> int:
        """The status of a request; a cold one waits."""
        port = self.programs.local_gateway if is_local else self.programs.gateway
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host(name)})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return int(answer.status)

    def ready(self, name: str, namespace: str = "default") -> None:
        self.kubectl("wait", f"ksvc/{name}", "-n", namespace, "--for=condition=Ready", "--timeout=180s")

    def replicas(self, deployment: str, namespace: str = "default") -> int:
        found = self.kubectl("get", "deploy", deployment, "-n", namespace, "-o", "jsonpath={.spec.replicas}")
        return int(found)

    def sleeps(self, deployment: str) -> None:
        wait_for(f"{deployment} at zero", lambda: self.replicas(deployment) == 0, 180, 0.25)

    def begins(self) -> None:
        """Two of each that elect a leader, one of the others, windows of seconds; nobody has ever led."""
        self.kubectl("delete", "leases", "--all", "-n", SYSTEM)
        self.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": REFUSED}},
            *refusing("refuse-scale", ["deployments/scale"], AUTOSCALER, "Invalid"),
            *refusing("refuse-status", ["pods/status"], STUCK, "Forbidden"),
            *quota(),
        )
        self.programs.start("node", "controller-a", "autoscaler-a")
        self.programs.start("activator-a", "controller-b", "autoscaler-b")
        self.programs.admit_all_pods()
        self.configure("config-autoscaler", **QUICK_WINDOWS)

    def lives(self) -> None:
        """A Service is applied, asked, changed, pressed, and sleeps; some never come up."""
        words = {"name": "words", "namespace": "default"}
        self.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": words, "data": {"TARGET": "World"}},
            {"apiVersion": "v1", "kind": "Secret", "metadata": words, "stringData": {"DELAY": "500ms"}},
        )
        sources = [{"configMapRef": {"name": "words"}}, {"secretRef": {"name": "words"}}]
        hello = service("hello", annotations={"autoscaling.knative.dev/target": "1"})
        hello["spec"]["template"]["spec"]["containers"][0]["envFrom"] = sources
        lost = service("lost", annotations={"serving.knative.dev/progress-deadline": "1s"})
        lost["spec"]["template"]["spec"]["containers"][0] |= {
            "env": [{"name": "DELAY", "value": "5s"}],
            "readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 1, "timeoutSeconds": 1},
        }
        refused = [service(name, namespace=REFUSED) for name in ("stuck", "sleepless")]
        self.apply(hello, lost, service("homeless", namespace="full"), *refused)
        self.ready("hello")
        assert self.ask("hello") == 200
        assert (
            self.kubectl("logs", "-l", "serving.knative.dev/service=hello", "-c", "user-container")
            is not None
        )
        hello["spec"]["template"]["metadata"]["annotations"]["a"] = "another revision"
        hello["spec"]["traffic"] = [{"latestRevision": True, "percent": 100, "tag": "newest"}]
        self.apply(hello)
        wait_for("the second revision", lambda: self._ready_revision("hello") == "hello-00002", 60)
        self.configure("config-deployment", **{"default-affinity-type": "none"})

    def _ready_revision(self, name: str) -> str:
        return self.kubectl("get", "ksvc", name, "-o", "jsonpath={.status.latestReadyRevisionName}")

    def is_pressed(self) -> None:
        """Four at a time are four pods, which go when it is over."""
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            end = time.monotonic() + 60

            def client(_: Any) -> None:
                while self.replicas("hello-00002-deployment") < 2 and time.monotonic() < end:
                    assert self.ask("hello") == 200

            list(clients.map(client, range(4)))
        assert self.replicas("hello-00002-deployment") >= 2
        self.sleeps("hello-00002-deployment")

    def plain_ones_too(self) -> None:
        self.apply(plain())
        wait_for("the plain one's host", lambda: self._is_answered("plain"), 30)
        self.sleeps("plain")
        assert self.ask("plain") == 200

    def _is_answered(self, name: str) -> bool:
        try:
            return bool(self.ask(name) == 200)
        except OSError:
            return False

    def leaders_change(self) -> None:
        """One by a good end, one by a bad one; meanwhile the activator wakes by itself."""
        leader = self.programs.leader("zerogate-controller")
        assert self.programs.stop(leader) == [0]
        wait_for(
            "another controller", lambda: self.programs.leader("zerogate-controller") not in {"", leader}
        )
        self.sleeps("hello-00002-deployment")
        assert self.ask("hello", is_local=True) == 200
        self.sleeps("hello-00002-deployment")
        self.programs.stop("autoscaler-a", "autoscaler-b", number=9)
        assert self.ask("hello") == 200
        self.programs.start("autoscaler-a", "autoscaler-b")

    def is_probed(self) -> None:
        """As a kubelet would, by the probes of the Deployments in config/."""
        for instance in self.programs.running() - {"node"}:
            for probe in ("readinessProbe", "livenessProbe"):
                path = container(instance.partition("-")[0])[probe]["httpGet"]["path"]
                wait_for(f"{probe} of {instance}", lambda: self._is_well(self.programs.admin[instance], path))  # noqa: B023 - called at once

    def _is_well(self, port: int, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def ends(self) -> None:
        """Old revisions are collected, what never came up was given up, all is deleted."""
        none = {"min-non-active-revisions": "0", "max-non-active-revisions": "0"}
        self.configure("config-gc", **none)
        revisions = ("get", "revisions.serving.knative.dev", "-n", "default", "-o", "name")
        wait_for("the old revision to go", lambda: "hello-00001" not in self.kubectl(*revisions))
        note = "jsonpath={.metadata.annotations.zerogate\\.dev/given-up}"
        lost = ("get", "deploy", "lost-00001-deployment", "-o", note)
        wait_for("the lost one to be given up", lambda: self.kubectl(*lost), 90, 0.5)
        self.kubectl("delete", "ksvc", "--all", "--all-namespaces")
        self.kubectl("delete", "deploy", "plain")
        pods = ("get", "pods", "-n", "default", "-o", "name")
        wait_for("the pods to go", lambda: not self.kubectl(*pods), 60)
