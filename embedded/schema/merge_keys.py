"""How lists and maps of the built-in kinds merge: by which key, as a set, or not at all.

Two patch languages, two columns: a strategic merge patch knows one key, server-side apply may need several
(two ports of one number differ by protocol). Lists that are not named here are replaced as a whole.
"""

from dataclasses import dataclass

from embedded.schema.types import ListType


@dataclass(frozen=True, slots=True)
class Merge:
    """Of a list: its type and keys for server-side apply; its key for strategic patches ("" = replaced)."""

    list_type: ListType
    map_keys: tuple[str, ...] = ()
    merge_key: str = ""


def _by(key: str, *more: str) -> Merge:
    return Merge("map", (key, *more), key)


SET = Merge("set")  # plain values, merged by both languages
CONDITIONS = _by("type")
CONTAINER = {
    "env": _by("name"),
    "ports": _by("containerPort", "protocol"),
    "volumeMounts": _by("mountPath"),
    "volumeDevices": _by("devicePath"),
}
OBJECT_LISTS = {"ownerReferences": _by("uid"), "finalizers": SET}

LISTS: dict[str, dict[str, Merge]] = {
    "V1ObjectMeta": OBJECT_LISTS,
    "V1PodSpec": {
        "containers": _by("name"),
        "initContainers": _by("name"),
        "ephemeralContainers": _by("name"),
        "volumes": _by("name"),
        "imagePullSecrets": _by("name"),
        "hostAliases": _by("ip"),
        "topologySpreadConstraints": _by("topologyKey", "whenUnsatisfiable"),
        "resourceClaims": _by("name"),
        "schedulingGates": _by("name"),
    },
    "V1Container": CONTAINER,
    "V1EphemeralContainer": CONTAINER,
    "V1ResourceRequirements": {"claims": Merge("map", ("name",))},
    "V1PodStatus": {
        "conditions": CONDITIONS,
        "podIPs": _by("ip"),
        "hostIPs": Merge("atomic", (), "ip"),
        "resourceClaimStatuses": _by("name"),
    },
    "V1DeploymentStatus": {"conditions": CONDITIONS},
    "V1ReplicaSetStatus": {"conditions": CONDITIONS},
    "V1NamespaceStatus": {"conditions": CONDITIONS},
    "V1NodeStatus": {"conditions": CONDITIONS, "addresses": CONDITIONS},
    "V1NodeSpec": {"podCIDRs": SET},
    "V1ServiceSpec": {"ports": _by("port", "protocol")},
    "V1ServiceStatus": {"conditions": CONDITIONS},
    "V1ServiceAccount": {"secrets": _by("name"), "imagePullSecrets": Merge("atomic")},
    "V1CustomResourceDefinitionStatus": {"conditions": Merge("map", ("type",))},
}
# A key that may be left out of an element because the API fills it in.
KEY_DEFAULTS = {"protocol": "TCP"}
# A patch of these lists what to keep (`$retainKeys`): their fields exclude each other.
RETAIN_KEYS = {"V1PodSpec.volumes", "V1DeploymentSpec.strategy"}
ATOMIC_MODELS = frozenset(
    {
        "V1LabelSelector",
        "V1ObjectReference",
        "V1LocalObjectReference",
        "V1TypedLocalObjectReference",
        "V1ConfigMapKeySelector",
        "V1SecretKeySelector",
        "V1ObjectFieldSelector",
        "V1ResourceFieldSelector",
        "V1NodeSelector",
        "V1NodeSelectorTerm",
        "V1OwnerReference",
        "V1SecretReference",
    }
)
ATOMIC_MAPS = frozenset({"V1PodSpec.nodeSelector", "V1ServiceSpec.selector"})
