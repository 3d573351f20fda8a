"""Probes: what to ask, how often, and what a row of answers means. Source: Kubernetes, pkg/kubelet/prober."""

from dataclasses import dataclass
from typing import Any, Literal

from kube.objects import Obj

EAGER = 0.025
"""Seconds between the first tries of a container that just started: readiness should follow it closely."""
_EAGER_FOR = 1.0
_SLOWEST_EAGER = 1.0

Kind = Literal["startup", "liveness", "readiness"]


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to a container. Durations are seconds; `grace` None means the pod's own."""

    action: Literal["http", "tcp", "exec"]
    port: int = 0
    host: str = ""
    path: str = "/"
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    grace: float | None = None

    def pace(self, elapsed: float) -> float:
        """Seconds until the next try of a container that has not answered yet, `elapsed` after its start.

        Eager in the first second, then ever slower down to the period. A command costs a process: ten times
        slower.
        """
        eager = EAGER if self.action != "exec" else EAGER * 10
        if elapsed > _EAGER_FOR:
            eager = min(eager * elapsed * 2, _SLOWEST_EAGER)
        return min(eager, self.period)


def probes_of(container: Obj, own_port: int, serving_port: int) -> dict[Kind, Probe]:
    """A container's probes. `own_port` is 0 where it does not serve.

    A serving container that declares a port but no readiness probe is asked whether the port is open; one
    without ports is ready once it runs, as everywhere.
    """
    declared: tuple[tuple[Kind, str], ...] = (
        ("startup", "startupProbe"),
        ("liveness", "livenessProbe"),
        ("readiness", "readinessProbe"),
    )
    found = {
        kind: probe_of(container, container[part], own_port, serving_port)
        for kind, part in declared
        if container.get(part)
    }
    if own_port and serving_port:
        found.setdefault("readiness", Probe("tcp", own_port, period=1.0))
    return found


def probe_of(container: Obj, declared: Obj, own_port: int, serving_port: int) -> Probe:
    """Read a container's probe; ports that mean the serving one become the pod's own.

    A gRPC probe is asked as TCP only: whether the port is open, not what the health service says.
    """
    action: Literal["http", "tcp", "exec"] = "tcp"
    target = declared.get("tcpSocket") or declared.get("grpc") or {}
    if "exec" in declared:
        action, target = "exec", {}
    elif "httpGet" in declared:
        action, target = "http", declared["httpGet"]
    path = target.get("path") or "/"
    grace = declared.get("terminationGracePeriodSeconds")
    return Probe(
        action,
        port=port_of(container, target.get("port"), own_port, serving_port),
        host=target.get("host") or "",
        path=path if path.startswith("/") else f"/{path}",
        scheme=(target.get("scheme") or "HTTP").lower(),
        headers=tuple((each["name"], each.get("value") or "") for each in target.get("httpHeaders") or ()),
        command=tuple((declared.get("exec") or {}).get("command") or ()),
        initial_delay=float(declared.get("initialDelaySeconds") or 0),
        period=float(declared.get("periodSeconds") or (1 if "periodSeconds" in declared else 10)),
        timeout=float(declared.get("timeoutSeconds") or 1),
        success_threshold=int(declared.get("successThreshold") or 1),
        failure_threshold=int(declared.get("failureThreshold") or 3),
        grace=None if grace is None else float(grace),
    )


def port_of(container: Obj, wanted: Any, own_port: int, serving_port: int) -> int:
    """A port by name or number as the process has it. None, 0 and the serving port mean the pod's own one."""
    named = [port for port in container.get("ports") or () if port.get("name") == wanted]
    if named:
        wanted = named[0].get("containerPort")
    if isinstance(wanted, str):
        wanted = int(wanted) if wanted.isdecimal() else 0
    number = int(wanted or 0)
    return own_port if own_port and number in {0, serving_port} else number


@dataclass(slots=True)
class Tally:
    """Answers in a row; says when they amount to a verdict."""

    probe: Probe
    passed: int = 0
    failed: int = 0

    def observe(self, *, answered: bool) -> bool | None:
        """True or False when enough equal answers came in a row, None until then."""
        self.passed, self.failed = (self.passed + 1, 0) if answered else (0, self.failed + 1)
        if self.passed >= self.probe.success_threshold:
            return True
        if self.failed >= self.probe.failure_threshold:
            return False
        return None
