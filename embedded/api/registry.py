"""Which resources are served: Kubernetes' own that a laptop needs, and those that definitions (CRDs) add."""

from collections.abc import Iterator
from dataclasses import dataclass

from kube import resources as kube
from kube.objects import Obj
from kube.resources import Resource

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps what its scale sub-resource shows; dotted paths as in a definition."""

    spec_replicas: str
    status_replicas: str
    selector: str  # of the pods that are counted: an object or its text; "" when it is not told


@dataclass(frozen=True, slots=True)
class Served:
    """One resource as this server serves it. `id` is its name in the store and in error messages."""

    resource: Resource
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False  # writes to the object leave its status alone, writes to /status all else
    has_generation: bool = False  # metadata.generation counts changes of what is wanted
    tracks_fields: bool = (
        True  # our programs' writes are noted in managedFields; not where they write all the time
    )
    scale: ScalePaths | None = None
    more: tuple[str, ...] = ()  # other sub-resources: log, binding
    verbs: tuple[str, ...] = VERBS
    crd: Obj | None = None

    @property
    def id(self) -> str:
        """`pods`, `deployments.apps`."""
        return (
            f"{self.resource.plural}.{self.resource.group}" if self.resource.group else self.resource.plural
        )

    @property
    def group_kind(self) -> str:
        """`Pod`, `Deployment.apps`."""
        return f"{self.resource.kind}.{self.resource.group}" if self.resource.group else self.resource.kind

    @property
    def subresources(self) -> tuple[str, ...]:
        """What may stand behind an object's name in a path."""
        found = [*self.more]
        if self.has_status:
            found.append("status")
        if self.scale:
            found.append("scale")
        return tuple(sorted(found))


BUILT_IN_SCALE = ScalePaths(".spec.replicas", ".status.replicas", ".spec.selector")
BUILT_IN = (
    Served(
        kube.NAMESPACES,
        "namespace",
        ("ns",),
        has_status=True,
        verbs=tuple(verb for verb in VERBS if verb != "deletecollection"),
    ),
    Served(kube.NODES, "node", ("no",), has_status=True, tracks_fields=False),
    Served(
        kube.PODS,
        "pod",
        ("po",),
        ("all",),
        has_status=True,
        has_generation=True,
        tracks_fields=False,
        more=("binding", "eviction", "log"),
    ),
    Served(kube.CONFIGMAPS, "configmap", ("cm",)),
    Served(kube.SECRETS, "secret"),
    Served(kube.EVENTS, "event", ("ev",), tracks_fields=False),
    Served(kube.CORE_SERVICES, "service", ("svc",), ("all",), has_status=True),
    Served(kube.SERVICEACCOUNTS, "serviceaccount", ("sa",)),
    Served(
        kube.DEPLOYMENTS,
        "deployment",
        ("deploy",),
        ("all",),
        has_status=True,
        has_generation=True,
        scale=BUILT_IN_SCALE,
    ),
    Served(
        kube.REPLICASETS,
        "replicaset",
        ("rs",),
        ("all",),
        has_status=True,
        has_generation=True,
        tracks_fields=False,
        scale=BUILT_IN_SCALE,
    ),
    Served(kube.LEASES, "lease", tracks_fields=False),
    Served(
        kube.CRDS,
        "customresourcedefinition",
        ("crd", "crds"),
        ("api-extensions",),
        has_status=True,
        has_generation=True,
    ),
)


class Registry:
    """Resources by their place in a path and by kind. `generation` rises with each change of definitions."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, str, str], Served] = {}
        self._by_kind: dict[tuple[str, str], Served] = {}
        self._by_id: dict[str, Served] = {}
        self.generation = 0
        for served in BUILT_IN:
            self._add(served)

    def _add(self, served: Served) -> None:
        resource = served.resource
        self._by_path[resource.group, resource.version, resource.plural] = served
        self._by_kind[resource.group, resource.kind] = served
        self._by_id[served.id] = served

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """By the parts of a path."""
        return self._by_path.get((group, version, plural))

    def of_kind(self, group: str, kind: str) -> Served | None:
        """By an owner reference's or an object's words; any version."""
        return self._by_kind.get((group, kind))

    def get(self, id_: str) -> Served | None:
        """By name in the store; None when it is not served."""
        return self._by_id.get(id_)

    def __getitem__(self, id_: str) -> Served:
        return self._by_id[id_]

    def __contains__(self, id_: str) -> bool:
        return id_ in self._by_id

    def __iter__(self) -> Iterator[Served]:
        return iter(self._by_id.values())

    def groups(self) -> list[str]:
        """The groups, core ("") first, the others in the order of their registration."""
        return list(dict.fromkeys(served.resource.group for served in self))

    def define(self, crd: Obj) -> Served:
        """Serve what a CustomResourceDefinition describes, in its storage version, from now on."""
        served = custom(crd)
        self.withdraw(crd)
        self._add(served)
        self.generation += 1
        return served

    def withdraw(self, crd: Obj) -> None:
        """Serve it no longer."""
        known = self._by_id.pop(crd["metadata"]["name"], None)
        if known is not None:
            resource = known.resource
            del self._by_path[resource.group, resource.version, resource.plural]
            del self._by_kind[resource.group, resource.kind]
            self.generation += 1


def custom(crd: Obj) -> Served:
    """A definition as a resource, in its storage version alone. Raises ValueError when it has none."""
    spec = crd["spec"]
    names = spec["names"]
    stored = [version for version in spec["versions"] if version.get("storage")]
    if len(stored) != 1:
        raise ValueError("exactly one version must be marked as storage version")
    subresources = stored[0].get("subresources") or {}
    scale = subresources.get("scale")
    return Served(
        Resource(
            spec["group"], stored[0]["name"], names["plural"], names["kind"], spec["scope"] == "Namespaced"
        ),
        names.get("singular") or names["kind"].lower(),
        tuple(names.get("shortNames") or ()),
        tuple(names.get("categories") or ()),
        has_status="status" in subresources,
        has_generation=True,
        scale=ScalePaths(
            scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", "")
        )
        if scale
        else None,
        crd=crd,
    )
