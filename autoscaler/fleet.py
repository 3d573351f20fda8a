"""All revisions, as Deployments, pods and the config map tell of them.

Snapshots come in, in any order; the revision that each concerns goes out.
"""

from collections.abc import Callable, Mapping

from autoscaler.kpa.history import History
from autoscaler.objects import live_pod, revision_of, seen
from autoscaler.revision import Revision
from autoscaler.scalein import Pod
from kube.objects import Key, Obj, uid
from serving.config_autoscaler import DEFAULTS, parse

HISTORIES = 1000
"""Revisions with a history, 45 kB each when busy."""


class Fleet:
    """`revisions` by (namespace, revision), `deployments` by (namespace, name). `number` numbers orders."""

    def __init__(self, number: Callable[[], int]) -> None:
        self._number = number
        self._config = DEFAULTS
        self._data: Mapping[str, str] = {}
        self._revision_of_pod: dict[str, Key] = {}
        self._pods: dict[Key, dict[str, Pod]] = {}
        self._strays: dict[str, Obj] = {}
        self._histories: dict[Key, None] = {}
        self.deployments: dict[Key, Obj] = {}
        self.revisions: dict[Key, Revision] = {}

    def __repr__(self) -> str:
        return f"<Fleet of {len(self.revisions)} revisions, {len(self._revision_of_pod)} pods>"

    def configure(self, data: Mapping[str, str], now: float) -> None:
        """The config map changed. Raises ConfigError; the former one holds then."""
        self._config, self._data = parse(data), dict(data)
        for revision in self.revisions.values():
            deployment = self.deployments[revision.target.namespace, revision.target.deployment]
            revision.see(seen(deployment, self._config, self._data), now)

    def see_deployment(self, where: Key, deployment: Obj | None, now: float) -> Revision | None:
        """A scale target came, changed, or went (None). Returns its revision, None if that is gone."""
        former = self.deployments.get(where)
        if former is not None and (deployment is None or uid(former) != uid(deployment)):
            self._drop(where)
            former = None
        if deployment is None:
            return None
        found = seen(deployment, self._config, self._data)
        revision = self.revisions.get(found.target.key)
        if revision is not None and revision.target.deployment != found.target.deployment:
            return None  # two Deployments claim one revision: the first one has it
        self.deployments[where] = deployment
        if revision is None:
            revision = self._add(Revision(found, self._number, now))
        else:
            revision.see(found, now)
            if former is not None and former["spec"].get("template") != deployment["spec"].get("template"):
                revision.try_again()
        return revision

    def see_pod(self, former: Obj | None, pod: Obj | None) -> Revision | None:
        """A pod came, changed, or went (None). Returns the revision that it belongs to."""
        any_ = pod or former
        if any_ is None:
            return None
        pod_uid = uid(any_)
        key = self.key_of_pod(any_)
        alive = live_pod(pod) if pod is not None else None
        if key is None or alive is None:
            self._strays.pop(pod_uid, None)
            if key is None and alive is not None:
                self._strays[pod_uid] = any_
        if key is None:
            return None
        if alive is None:
            self._revision_of_pod.pop(pod_uid, None)
            self._pods_of(key).pop(pod_uid, None)
            if key not in self.revisions and not self._pods[key]:
                del self._pods[key]
        else:
            self._revision_of_pod[pod_uid] = key
            self._pods_of(key)[pod_uid] = alive
        return self.revisions.get(key)

    def key_of_pod(self, pod: Obj) -> Key | None:
        """The key of the revision that the pod belongs to, which may be gone."""
        return self._revision_of_pod.get(uid(pod)) or self._revision_of(pod)

    def of_pod(self, pod_uid: str) -> Revision | None:
        """The revision that the pod belongs to."""
        key = self._revision_of_pod.get(pod_uid)
        return self.revisions.get(key) if key else None

    def remember(self, revision: Revision) -> None:
        """Keep a history of the revision from now on, if there is room or one that sleeps leaves its."""
        if revision.history is not None:
            return
        if len(self._histories) >= HISTORIES:
            oldest = next(iter(self._histories))
            del self._histories[oldest]
            holder = self.revisions.get(oldest)
            if holder is not None and not holder.is_asleep:
                self._histories[oldest] = None
                return
            if holder is not None:
                holder.history = None
        revision.history = History()
        self._histories[revision.target.key] = None

    def _add(self, revision: Revision) -> Revision:
        key = revision.target.key
        self.revisions[key] = revision
        revision.pods = self._pods_of(key)
        for pod in [*self._strays.values()]:
            if self._revision_of(pod) == key:
                self.see_pod(None, pod)
        return revision

    def _drop(self, where: Key) -> None:
        del self.deployments[where]
        for key in [key for key, each in self.revisions.items() if _place(each) == where]:
            del self.revisions[key]
            self._histories.pop(key, None)

    def _revision_of(self, pod: Obj) -> Key | None:
        return revision_of(pod, (revision.target for revision in self.revisions.values()))

    def _pods_of(self, key: Key) -> dict[str, Pod]:
        return self._pods.setdefault(key, {})


def _place(revision: Revision) -> Key:
    return revision.target.namespace, revision.target.deployment
