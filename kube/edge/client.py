"""The verbs of the Kubernetes API over a transport: HTTP to a server, or a call within the process."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal, Protocol

from kube.objects import Obj, namespace
from kube.resources import Resource

PatchKind = Literal["json", "merge", "strategic", "apply"]

PATCH_TYPES: Mapping[PatchKind, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_REFUSED_FROM = 400
PAGE = 500
"""Objects of one answer to a list."""


class ApiError(Exception):
    """The API server refused; `status`, `reason` and `message` are its own words.

    Status 0 stands for a server that could not be reached at all, or whose answer made no sense.
    `retry_after`: the seconds after which it wants to be asked again, 0 when it named none.
    """

    def __init__(self, status: int, reason: str, message: str, body: Obj | None = None) -> None:
        super().__init__(f"{message} ({status} {reason})" if status else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.body: Obj = body or {}
        self.retry_after = 0.0

    @classmethod
    def from_answer(cls, status: int, body: Any) -> "ApiError":
        """The error that a Status object, or whatever else came instead, speaks of."""
        if isinstance(body, dict) and body.get("kind") == "Status":
            code = body.get("code")
            code = code if isinstance(code, int) and code >= _REFUSED_FROM else status
            return cls(code, body.get("reason") or "", body.get("message") or "", body)
        return cls(status, "", str(body)[:500])

    @property
    def is_unreachable(self) -> bool:
        """No answer came: the server is away."""
        return self.status == 0

    @property
    def is_not_found(self) -> bool:
        """404: the object does not exist."""
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        """409 Conflict: the object changed since it was read."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def is_already_exists(self) -> bool:
        """409 AlreadyExists: the name is taken."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def is_gone(self) -> bool:
        """410: the resourceVersion is too old to watch from; list again."""
        return self.status == 410

    @property
    def is_passing(self) -> bool:
        """Whether the same may succeed later: the server is away or busy, or knows us no more for now."""
        return self.status in {0, 401, 403, 429, 500, 502, 503}


Before = Callable[[], Mapping[str, str]]
"""Called at each try of a request, and again in the step that hands its body over, as late as can be. What it
returns is added to the query; the ApiError that it may raise ends the request.
"""


class Transport(Protocol):
    """Carries requests to one API server."""

    async def request(  # noqa: PLR0913 - a request of HTTP, and its guard
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
        before: Before | None = None,
    ) -> tuple[int, Any]:
        """Status and decoded body. Raises ApiError with status 0 when the server can't be reached."""
        ...

    def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Obj]:
        """The events of a watch until the server ends it. Raises ApiError on a refusal."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class Client:
    """Verbs on objects. Every failure is an `ApiError`. Objects that it returns are not to be changed."""

    def __init__(self, transport: Transport, *, manager: str) -> None:
        self._transport = transport
        self.manager = manager

    def over(self, wrap: Callable[[Transport], Transport]) -> "Client":
        """The same verbs, by the same manager, over the transport wrapped."""
        return Client(wrap(self._transport), manager=self.manager)

    async def get(self, resource: Resource, namespace: str, name: str) -> Obj:
        """One object."""
        return await self._call("GET", resource.path(namespace, name))

    async def list(
        self, resource: Resource, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Obj:
        """The List object with `items`, and the resourceVersion to watch from in its metadata.

        It is asked for page by page, so that no answer is huge. 410: the list was so long in coming that the
        server has forgotten its beginning; begin again.
        """
        query = {"labelSelector": label_selector, "fieldSelector": field_selector, "limit": str(PAGE)}
        found = _list(await self._call("GET", resource.path(namespace), query=query))
        items = [*found["items"]]
        while token := found["metadata"].get("continue"):
            found = _list(
                await self._call("GET", resource.path(namespace), query={**query, "continue": token})
            )
            items += found["items"]
        return {**found, "items": items}

    async def discover(self, group: str, version: str) -> Obj:
        """The APIResourceList of a group's version: which kinds it serves, and how."""
        return await self._call("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")

    async def read(self, path: str) -> Obj:
        """What the server says of itself: /version, /apis."""
        return await self._call("GET", path)

    def watch(
        self, resource: Resource, namespace: str = "", *, query: Mapping[str, str]
    ) -> AsyncIterator[Obj]:
        """The events after `query["resourceVersion"]`, bookmarks included."""
        asked = {"watch": "true", "allowWatchBookmarks": "true", **query}
        return self._transport.watch(resource.path(namespace), query=_without_empty(asked))

    async def create(self, resource: Resource, obj: Obj) -> Obj:
        """Create the object where its metadata says."""
        query = {"fieldManager": self.manager}
        return await self._call("POST", resource.path(namespace(obj)), query=query, body=obj)

    async def replace(self, resource: Resource, obj: Obj, *, subresource: str = "") -> Obj:
        """Write the whole object; its resourceVersion must be the stored one."""
        meta = obj["metadata"]
        path = resource.path(meta.get("namespace") or "", meta["name"], subresource)
        return await self._call("PUT", path, query={"fieldManager": self.manager}, body=obj)

    async def patch(  # noqa: PLR0913 - the address of an object has three parts, a patch has a kind and a body
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Any,
        *,
        kind: PatchKind,
        subresource: str = "",
        force: bool = False,
    ) -> Obj:
        """Change a part of the object; `force` takes fields from other managers (apply only)."""
        query = {"fieldManager": self.manager}
        if kind == "apply":
            query["force"] = "true" if force else "false"
        path = resource.path(namespace, name, subresource)
        return await self._call("PATCH", path, query=query, body=patch, content_type=PATCH_TYPES[kind])

    async def delete(  # noqa: PLR0913 - the address of an object has three parts, a deletion three options
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        grace_period: int | None = None,
        propagation: str = "",
        uid: str = "",
    ) -> None:
        """Delete the object; with `uid` only if it is still that one."""
        body: Obj = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_period is not None:
            body["gracePeriodSeconds"] = grace_period
        if propagation:
            body["propagationPolicy"] = propagation
        if uid:
            body["preconditions"] = {"uid": uid}
        await self._call("DELETE", resource.path(namespace, name), body=body)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Obj:
        status, answer = await self._transport.request(
            method, path, query=_without_empty(query or {}), body=body, content_type=content_type
        )
        if status >= _REFUSED_FROM:
            raise ApiError.from_answer(status, answer)
        if not isinstance(answer, dict):
            raise ApiError(0, "NoObject", f"{method} {path}: {status}, but no object: {str(answer)[:200]!r}")
        return answer

    async def close(self) -> None:
        """Let go of the transport."""
        await self._transport.close()


def _list(answer: Obj) -> Obj:
    """The answer with its `items` and `metadata`. What is no list must not be taken for an empty one."""
    items, meta = answer.get("items"), answer.get("metadata")
    if not isinstance(meta, dict) or not isinstance(items, list | None):
        raise ApiError(0, "NoList", f"the answer is no list: {str(answer)[:200]}")
    return {**answer, "items": items or [], "metadata": meta}


def _without_empty(query: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if value}
