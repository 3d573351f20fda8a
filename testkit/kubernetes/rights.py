"""What our manifests grant, and what the audit log says was used of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from testkit.paths import CONFIG

GRANTING = ("controller.yaml", "autoscaler.yaml", "activator.yaml", "node.yaml")
PROGRAMS = ("zerogate-controller", "zerogate-autoscaler", "zerogate-activator", "zerogate-node")


class Right(NamedTuple):
    """One verb on one resource, by one role. `names` restricts it to those objects, empty: all."""

    role: str
    verb: str
    resource: str
    names: tuple[str, ...] = ()


def granted() -> set[Right]:
    """All that the Roles and ClusterRoles in config/ grant."""
    return {right for file in GRANTING for right in _of_file(CONFIG / file)}


def _of_file(file: Path) -> Iterator[Right]:
    for obj in yaml.safe_load_all(file.read_text()):
        if obj["kind"] not in {"Role", "ClusterRole"}:
            continue
        for rule in obj["rules"]:
            names = tuple(rule.get("resourceNames", ()))
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        role = f"{obj['kind']} {obj['metadata']['name']}"
                        yield Right(role, verb, _with_group(resource, group), names)


def _with_group(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


class Request(NamedTuple):
    """A line of the audit log: who asked for what, and what the authorizer said."""

    account: str
    agent: str
    verb: str
    resource: str
    name: str
    is_allowed: bool
    reason: str

    @property
    def is_everybodys(self) -> bool:
        """Whether every account may ask that: what the server is, and what one may do oneself."""
        roles = ("system:basic-user", "system:discovery", "system:public-info-viewer")
        return any(f'ClusterRole "{role}"' in self.reason for role in roles)

    def uses(self, right: Right) -> bool:
        """Whether it was this right that let the request pass, as far as the authorizer tells."""
        return (
            self.is_allowed
            and (self.verb, self.resource) == (right.verb, right.resource)
            and f'of {right.role.replace(" ", " " + chr(34))}"' in self.reason
            and (not right.names or self.name in right.names)
        )


def requests(audit_log: Path, since: int = 0) -> list[Request]:
    """All that our programs asked the API server since the log had so many bytes.

    Tests that ask in their name have an agent of their own.
    """
    return [
        found
        for line in audit_log.read_bytes()[since:].decode().splitlines()
        if (found := _request(json.loads(line))).agent in PROGRAMS
    ]


def _request(event: dict[str, Any]) -> Request:
    what = event.get("objectRef") or {}
    notes = event.get("annotations") or {}
    resource = "/".join(part for part in (what.get("resource"), what.get("subresource")) if part)
    return Request(
        account=event["user"]["username"].rpartition(":")[2],
        agent=event.get("userAgent", ""),
        verb=event["verb"],
        resource=_with_group(resource or event["requestURI"], what.get("apiGroup", "")),
        name=what.get("name", ""),
        is_allowed=notes.get("authorization.k8s.io/decision") == "allow",
        reason=notes.get("authorization.k8s.io/reason", ""),
    )
