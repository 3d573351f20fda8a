"""An honest little cluster for the controller's histories: it keeps objects as an API server does, runs the
reconcilers until nothing is left to do, and plays the Deployment controller when asked.
"""

import copy
import itertools
from typing import Any

import pytest

from kube.objects import Obj, controller_of, format_time, key, labels, name, namespace
from kube.resources import CONFIGURATIONS, DEPLOYMENTS, PODS, REVISIONS, ROUTES, SERVICES, Resource
from serving.configs import parse_configs
from serving.reconcile.actions import Action, Create, Delete, Note, Replace, SetStatus
from serving.reconcile.plan import reconcile
from serving.reconcile.world import World
from serving.targets import GIVEN_UP_ANNOTATION
from serving.validation import admit

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


class Cluster:
    """Objects, a clock, and the log of what the controller did."""

    def __init__(self, configs: dict[str, Any] | None = None, **settings: Any) -> None:
        self.maps = configs or {}
        self.admits = True  # False: an API server without our policies
        self.world = World(parse_configs(self.maps), **settings)
        self.objects: dict[tuple[Resource, tuple[Any, ...]], Any] = {}
        self.now = START
        self.writes: list[tuple[str, str, str]] = []
        self.notes: list[tuple[str, str]] = []
        self.due: dict[tuple[Resource, tuple[Any, ...]], Any] = {}
        self.versions = itertools.count(1)

    # what a user does

    def apply(self, resource: Resource, obj: Obj) -> None:
        """Create or replace with admission and generation, then let everything settle."""
        obj = copy.deepcopy(obj)
        obj["metadata"].setdefault("namespace", "default")
        self.store(resource, obj)
        self.settle()

    def delete(self, resource: Resource, where: str, home: str = "default") -> None:
        """Deletion with background collection of what is owned."""
        gone = self.objects.pop((resource, (home, where)))
        self.tell(resource, key(gone), None)
        for other, place in list(self.objects):
            found = self.objects.get((other, place))
            if found and (controller_of(found) or {}).get("uid") == gone["metadata"]["uid"]:
                self.delete(other, place[1], place[0])
        self.settle()

    def get(self, resource: Resource, where: str, home: str = "default") -> Any:
        """The object as it stands, None when it is not there."""
        return self.objects.get((resource, (home, where)))

    def names(self, resource: Resource) -> list[str]:
        return sorted(place[1] for other, place in self.objects if other == resource)

    # what the API server does

    def store(self, resource: Resource, obj: Obj, *, is_status: bool = False) -> None:
        old = self.objects.get((resource, key(obj)))
        obj = copy.deepcopy(obj)
        if not is_status and self.admits:
            obj = admit(resource, obj, old, self.maps)
        meta = obj["metadata"]
        if old is None:
            number = next(self.versions)
            meta |= {
                "uid": f"uid-{number}",
                "generation": 1,
                "creationTimestamp": format_time(self.now + number),
            }
        else:
            meta |= {each: old["metadata"][each] for each in ("uid", "creationTimestamp")}
            if is_status:
                obj = {**copy.deepcopy(old), "status": obj["status"]}
                meta = obj["metadata"]
            elif "status" in old:
                obj["status"] = copy.deepcopy(old["status"])
            same = obj.get("spec") == old.get("spec")
            meta["generation"] = old["metadata"]["generation"] + (0 if same else 1)
            meta["resourceVersion"] = old["metadata"]["resourceVersion"]
            if obj == old:
                return
        meta["resourceVersion"] = str(next(self.versions))
        self.objects[resource, key(obj)] = obj
        self.tell(resource, key(obj), obj)

    def tell(self, resource: Resource, place: tuple[str, str], obj: Obj | None) -> None:
        """The watch event, and the work that follows from it."""
        work = self.world.remove(resource, place) if obj is None else self.world.put(resource, obj)
        self.due.update(dict.fromkeys(work))

    # what the controller does

    def settle(self, limit: int = 400) -> None:
        """Reconcile until nothing is due."""
        for _ in range(limit):
            if not self.due:
                return
            work = next(iter(self.due))
            del self.due[work]
            for action in reconcile(self.world, work, self.now).actions:
                self.perform(action)
        pytest.fail(f"never settles: {self.writes[-6:]}")

    def perform(self, action: Action) -> None:
        if isinstance(action, Note):
            self.notes.append((action.reason, action.message))
            return
        self.writes.append((type(action).__name__, action.resource.kind, name(action.obj)))
        if isinstance(action, Create):
            assert (action.resource, key(action.obj)) not in self.objects
            self.store(action.resource, action.obj)
        elif isinstance(action, Replace | SetStatus):
            found = self.objects[action.resource, key(action.obj)]
            assert found["metadata"]["resourceVersion"] == action.obj["metadata"]["resourceVersion"]
            self.store(action.resource, action.obj, is_status=isinstance(action, SetStatus))
        elif isinstance(action, Delete):
            gone = self.objects.pop((action.resource, key(action.obj)))
            self.tell(action.resource, key(gone), None)

    # what the Deployment controller and the autoscaler do

    def scale(
        self,
        revision: str,
        replicas: int,
        ready: int | None = None,
        *,
        given_up: str = "",
        is_complete: bool = False,
    ) -> None:
        """Set a revision's replicas and how many are ready (all of them unless told)."""
        deployment = copy.deepcopy(self.get(DEPLOYMENTS, f"{revision}-deployment"))
        deployment["spec"]["replicas"] = replicas
        deployment["status"] = {"readyReplicas": replicas if ready is None else ready}
        if given_up:
            deployment["metadata"]["annotations"][GIVEN_UP_ANNOTATION] = given_up
        if is_complete:
            complete = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
            deployment["status"]["conditions"] = [complete]
        deployment["metadata"]["resourceVersion"] = str(next(self.versions))
        self.objects[DEPLOYMENTS, key(deployment)] = deployment
        self.tell(DEPLOYMENTS, key(deployment), deployment)
        self.settle()

    def pod(self, revision: str, **status: Any) -> None:
        """The state of the revision's one pod; nothing said: it is gone."""
        deployment = self.get(DEPLOYMENTS, f"{revision}-deployment")
        marks = labels(deployment["spec"]["template"])
        pod = {"metadata": {"name": f"{revision}-pod", "namespace": namespace(deployment), "labels": marks}}
        self.tell(PODS, key(pod), {**pod, "status": status} if status else None)
        self.settle()

    def condition(self, resource: Resource, where: str, type_: str = "Ready") -> tuple[str, str, str]:
        """(status, reason, message) of a condition."""
        entries = self.get(resource, where)["status"]["conditions"]
        found = next(each for each in entries if each["type"] == type_)
        return found["status"], found.get("reason", ""), found.get("message", "")


KINDS = {"Service": SERVICES, "Configuration": CONFIGURATIONS, "Revision": REVISIONS, "Route": ROUTES}
