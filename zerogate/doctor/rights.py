"""What each program may do, as the Roles that we ship say it, and how an API server is asked about it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kube.objects import Obj
from kube.resources import Resource
from serving.reading import mappings

PROGRAMS = ("controller", "autoscaler", "activator")
SELF_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource; `namespace` "": in all of them, `name` "": on every object."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        which = f" {self.name}" if self.name else ""
        return f"{self.verb} {what}{which}" + (f" in {self.namespace}" if self.namespace else "")

    @property
    def is_needed_to_read(self) -> bool:
        """Whether nothing can be known without it."""
        return self.verb in {"list", "watch"}


def rights_of(manifests: Iterable[Obj], system_namespace: str) -> list[Right]:
    """What the Roles and ClusterRoles among a program's manifests grant; Roles are the system namespace's."""
    return [
        right
        for obj in manifests
        if obj["kind"] in {"Role", "ClusterRole"}
        for rule in mappings(obj.get("rules"))
        for right in _of_rule(rule, system_namespace if obj["kind"] == "Role" else "")
    ]


def _of_rule(rule: Obj, namespace: str) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or ("",):
                    yield Right(verb, group, resource, namespace, name)


def is_vital(program: str, right: Right) -> bool:
    """Whether the program is no use without it. Events are a courtesy. A gateway that reads serves."""
    if program == "activator":
        return right.is_needed_to_read
    return right.resource != "events"


def review(right: Right, account: str = "", namespace: str = "") -> Obj:
    """The question whether a ServiceAccount of the namespace, or we ourselves (""), have the right."""
    resource, _, part = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": part,
        "namespace": right.namespace,
        "name": right.name,
    }
    kind = REVIEWS if account else SELF_REVIEWS
    spec: Obj = {"resourceAttributes": {key: text for key, text in attributes.items() if text}}
    if account:
        accounts = "system:serviceaccounts"
        spec["user"] = f"system:serviceaccount:{namespace}:{account}"
        spec["groups"] = [accounts, f"{accounts}:{namespace}", "system:authenticated"]
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}, "spec": spec}


def is_allowed(answer: Obj) -> bool:
    """The answer to a review."""
    return bool((answer.get("status") or {}).get("allowed"))


def few(rights: Iterable[Right], most: int = 3) -> str:
    """Some by name, lists first, and how many more there are."""
    found = [str(right) for right in sorted(rights, key=lambda right: right.verb != "list")]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
