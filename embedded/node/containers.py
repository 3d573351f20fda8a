"""What a container is in: waiting, running or terminated, as a pod's status spells it and restores it."""

from collections.abc import Collection
from dataclasses import dataclass

from embedded.node.probing import Kind
from kube.objects import Obj, format_time, parse_time

LOST = 137
"""Exit code told for a process whose end nobody saw, as the kubelet tells it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running; `reason` as kubectl prints it."""

    reason: str
    message: str = ""


CREATING = Waiting("ContainerCreating")
"""Before a start that is no restart: the first one, or the one after the agent was stopped in order."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process since then (Unix seconds)."""

    started_at: float


@dataclass(frozen=True, slots=True)
class Terminated:
    """A process that ended. `exit_code` is 128 + the signal for one that was killed."""

    exit_code: int
    reason: str
    started_at: float
    finished_at: float
    message: str = ""
    container_id: str = ""


State = Waiting | Running | Terminated


@dataclass(slots=True)
class Container:
    """What the node knows of one container. `trouble`: why a running one can't be reached, if known."""

    name: str
    image: str
    state: State
    last: Terminated | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False
    container_id: str = ""
    trouble: str = ""

    def begin(self, since: float, process: str, awaits: Collection[Kind]) -> None:
        """A process runs; `awaits`: the probes it has. It is ready at once where none asks about that."""
        self.state = Running(since)
        self.container_id = f"process://{process}-{self.restarts}"
        self.trouble = ""
        self.started = "startup" not in awaits
        self.ready = self.started and "readiness" not in awaits

    def hear(self, kind: Kind, awaits: Collection[Kind], *, is_fine: bool) -> bool:
        """Note a probe's verdict; returns whether the process has to end because of it."""
        if kind == "readiness":
            self.ready = is_fine
            self.trouble = "" if is_fine else self.trouble
            return False
        if kind == "startup" and is_fine:
            self.started = True
            self.ready = "readiness" not in awaits
        return not is_fine

    def end(self, end: Terminated) -> None:
        """The process ended."""
        self.last = self.state = end
        self._serve_no_more()

    def lay_down(self) -> None:
        """The process ended because its agent stops in order: the next start will be no restart."""
        self.state, self.container_id = CREATING, ""
        self._serve_no_more()

    def _serve_no_more(self) -> None:
        self.ready = self.started = False
        self.trouble = ""

    def status(self) -> Obj:
        """Its entry in containerStatuses."""
        found: Obj = {
            "name": self.name,
            "image": self.image,
            "imageID": f"process://{self.image}",
            "containerID": self.container_id,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
            "state": _state(self.state),
            "lastState": _state(self.last) if self.last is not None else {},
        }
        return found


def terminated(
    exit_code: int, started_at: float, finished_at: float, message: str, container_id: str
) -> Terminated:
    """A normal end or a failure, by the exit code."""
    reason = "Completed" if exit_code == 0 else "Error"
    return Terminated(exit_code, reason, started_at, finished_at, message, container_id)


def _state(state: State) -> Obj:
    if isinstance(state, Waiting):
        return {"waiting": {"reason": state.reason} | ({"message": state.message} if state.message else {})}
    if isinstance(state, Running):
        return {"running": {"startedAt": format_time(state.started_at)}}
    ended: Obj = {
        "exitCode": state.exit_code,
        "reason": state.reason,
        "startedAt": format_time(state.started_at),
        "finishedAt": format_time(state.finished_at),
        "containerID": state.container_id,
    }
    if state.exit_code > 128:
        ended["signal"] = state.exit_code - 128
    return {"terminated": ended | ({"message": state.message} if state.message else {})}


def restored(pod: Obj, now: float) -> list[Container]:
    """The containers of a pod, with what its status tells of a former life of the agent.

    A container that ran then counts as ended: its process did not outlive the agent.
    """
    told = {each["name"]: each for each in (pod.get("status") or {}).get("containerStatuses") or ()}
    found = []
    for each in pod["spec"].get("containers") or ():
        before = told.get(each["name"]) or {}
        made = Container(each["name"], each.get("image") or "", CREATING)
        made.restarts = int(before.get("restartCount") or 0)
        state = before.get("state") or {}
        if "waiting" in state and state["waiting"].get("reason") != CREATING.reason:
            made.state = Waiting(state["waiting"].get("reason") or "", state["waiting"].get("message") or "")
        ended = state.get("terminated") or (before.get("lastState") or {}).get("terminated")
        if "running" in state:
            since = parse_time(state["running"]["startedAt"])
            text = "The process ended together with its node agent."
            made.state = Terminated(
                LOST, "ContainerStatusUnknown", since, now, text, before.get("containerID", "")
            )
        elif ended:
            made.last = _ended(ended)
            if "terminated" in state:
                made.state = made.last
        found.append(made)
    return found


def _ended(told: Obj) -> Terminated:
    started = parse_time(told["startedAt"]) if told.get("startedAt") else 0.0
    finished = parse_time(told["finishedAt"]) if told.get("finishedAt") else started
    return Terminated(
        int(told.get("exitCode") or 0),
        str(told.get("reason") or ""),
        started,
        finished,
        str(told.get("message") or ""),
        str(told.get("containerID") or ""),
    )
