"""A request and its answer without a transport, and what a path and a query ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from embedded import queries
from embedded.api.refusals import Cause, bad_request, invalid
from embedded.api.watches import Watch
from embedded.podlogs import LogFile
from embedded.store import Entry, encode

JSON = "application/json"
_MAX_MANAGER = 128


@dataclass(slots=True)
class ApiRequest:
    """One request. `body` is bytes from a socket, or an object of the same process, which is copied.

    `agent` is the User-Agent, from which the field manager is taken when the query names none.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    user: str = "zerogate-admin"
    agent: str = ""


@dataclass(slots=True)
class ApiResponse:
    """One answer: `body` is JSON that the receiver must not change, or text.

    Where the text of an object or of a list's items is known already it is not made again. `watch` and `logs`
    are streams that the transport serves.
    """

    status: int
    body: Any = None
    content_type: str = JSON
    warnings: Sequence[str] = ()
    text: str = ""
    items: list[Entry] | None = None
    headers: Sequence[tuple[str, str]] = ()
    watch: Watch | None = None
    logs: LogFile | None = None

    def encoded(self) -> str:
        """The body as JSON."""
        if self.text:
            return self.text
        if self.items is None:
            return encode(self.body)
        head = encode({**self.body, "items": []})
        return f"{head[:-2]}{','.join(entry.text for entry in self.items)}]}}"


Verb = Literal["create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"]


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names. Without a plural it is the group version itself."""

    group: str
    version: str
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@lru_cache(maxsize=4096)
def parse_path(path: str) -> Place | None:
    """`/apis/apps/v1/namespaces/x/deployments/y/scale`; None for what is no path of a resource."""
    parts = path.strip("/").split("/")
    if "" in parts:
        return None
    if parts[0] == "api" and len(parts) > 1:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 2:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and not (len(rest) == 3 and rest[2] in _OF_NAMESPACES):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = [*rest, "", "", ""][:3]
    return Place(group, version, plural, namespace, name, subresource)


_OF_NAMESPACES = ("status", "finalize")


def verb_of(method: str, place: Place, query: Mapping[str, str]) -> Verb | None:
    """What a method means at a place; None where it means nothing."""
    if method == "GET":
        if place.subresource:
            return "get"
        if place.name:
            return "get"
        return "watch" if queries.is_true(query, "watch") else "list"
    if method == "DELETE":
        return "delete" if place.name else "deletecollection"
    if method == "POST":
        return "create" if not place.name or place.subresource else None
    if place.name and method == "PUT":
        return "update"
    if place.name and method == "PATCH":
        return "patch"
    return None


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A number ≥ 0 of the query; refuses others."""
    try:
        return queries.whole_number(query, name)
    except ValueError as error:
        raise bad_request(str(error)) from error


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a write is to be done. `validation` says what becomes of unknown and duplicate fields."""

    manager: str
    dry_run: bool = False
    validation: Literal["Strict", "Warn", "Ignore"] = "Warn"
    force: bool = False


def write_options(request: ApiRequest) -> WriteOptions:
    """Read fieldManager, dryRun, fieldValidation and force."""
    query = request.query
    causes = []
    dry_run = query.get("dryRun", "")
    if dry_run not in {"", "All"}:
        causes.append(Cause("dryRun", f'Unsupported value: ["{dry_run}"]: supported values: "All"'))
    validation = query.get("fieldValidation") or ("Warn" if isinstance(request.body, bytes) else "Ignore")
    if validation not in {"Strict", "Warn", "Ignore"}:
        known = '"", "Ignore", "Strict", "Warn"'
        causes.append(
            Cause("fieldValidation", f'Unsupported value: "{validation}": supported values: {known}')
        )
    given = query.get("fieldManager", "")
    if len(given) > _MAX_MANAGER:
        causes.append(Cause("fieldManager", f"Too long: may not be more than {_MAX_MANAGER} bytes"))
    if not given.isprintable():
        text = f'Invalid value: "{given}": should only contain printable characters'
        causes.append(Cause("fieldManager", text))
    if causes:
        kind = {"POST": "Create", "PUT": "Update", "PATCH": "Patch"}.get(request.method, "Delete")
        raise invalid(f"{kind}Options.meta.k8s.io", "", causes)
    manager = query.get("fieldManager") or request.agent.split("/", 1)[0] or "unknown"
    return WriteOptions(
        manager,
        bool(dry_run),
        validation,  # type: ignore[arg-type] # one of the three, as checked above
        queries.is_true(query, "force"),
    )
