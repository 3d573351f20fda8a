"""What the API says no with: one exception, and its Status object in Kubernetes' words."""

from collections.abc import Iterable
from dataclasses import dataclass

from embedded import instead
from kube.objects import Obj

_REASONS = {
    "Required value": "FieldValueRequired",
    "Unsupported value": "FieldValueNotSupported",
    "Duplicate value": "FieldValueDuplicate",
    "Forbidden": "FieldValueForbidden",
    "Too long": "FieldValueTooLong",
    "Not found": "FieldValueNotFound",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: its path, what is wrong, and Kubernetes' reason for the kind of mistake.

    A message begins with words that tell the reason, where none is given.
    """

    field: str
    message: str
    kind: str = ""

    @property
    def reason(self) -> str:
        """`Required value: …` → FieldValueRequired."""
        return self.kind or _REASONS.get(self.message.partition(":")[0], "FieldValueInvalid")

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ApiRefusal(Exception):  # noqa: N818 - the client's mistake, not ours
    """A request that is refused; nothing was changed. `code` is the HTTP status."""

    def __init__(
        self, code: int, reason: str, message: str, details: Obj | None = None, *, meta: Obj | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.meta: Obj = meta or {}

    def status(self) -> Obj:
        """The refusal as a meta/v1 Status."""
        status: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.meta,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


def success(details: Obj | None = None) -> Obj:
    """The Status that a deletion answers."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details or {},
    }


def details_of(group_resource: str, name: str) -> Obj:
    """`deployments.apps`, x → {"name": x, "group": "apps", "kind": "deployments"}; nothing empty in it."""
    kind, _, group = group_resource.partition(".")
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def not_found(group_resource: str, name: str) -> ApiRefusal:
    """404: no such object."""
    return ApiRefusal(
        404, "NotFound", f'{group_resource} "{name}" not found', details_of(group_resource, name)
    )


def unknown_path(plural: str = "") -> ApiRefusal:
    """404: nothing is served under this path; says what to do instead where something is to be done."""
    text = instead.not_offered(plural) or "the server could not find the requested resource"
    return ApiRefusal(404, "NotFound", text, {})


def not_offered(subresource: str) -> ApiRefusal:
    """405 with what to do instead, for what Kubernetes has and this API has not; else 404."""
    text = instead.not_offered(subresource)
    return ApiRefusal(405, "MethodNotAllowed", text) if text else unknown_path()


def already_exists(group_resource: str, name: str) -> ApiRefusal:
    """409: the name is taken."""
    text = f'{group_resource} "{name}" already exists'
    return ApiRefusal(409, "AlreadyExists", text, details_of(group_resource, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group_resource: str, name: str, why: str = STALE) -> ApiRefusal:
    """409: the object is not what the client thinks it is."""
    text = f'Operation cannot be fulfilled on {group_resource} "{name}": {why}'
    return ApiRefusal(409, "Conflict", text, details_of(group_resource, name))


def invalid(group_kind: str, name: str, causes: Iterable[Cause]) -> ApiRefusal:
    """422: `group_kind` is "Deployment.apps"; each cause names a field."""
    found = list(causes)
    told = ", ".join(str(cause) for cause in found)
    if len(found) > 1:
        told = f"[{told}]"
    details = details_of(group_kind, name)
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in found
    ]
    return ApiRefusal(422, "Invalid", f'{group_kind} "{name}" is invalid: {told}', details)


def bad_request(text: str) -> ApiRefusal:
    """400."""
    return ApiRefusal(400, "BadRequest", text)


def forbidden(group_resource: str, name: str, why: str, causes: Iterable[Cause] = ()) -> ApiRefusal:
    """403."""
    details = details_of(group_resource, name)
    found = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    if found:
        details["causes"] = found
    return ApiRefusal(403, "Forbidden", f'{group_resource} "{name}" is forbidden: {why}', details)


def unauthorized() -> ApiRefusal:
    """401."""
    return ApiRefusal(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiRefusal:
    """405."""
    text = "the server does not allow this method on the requested resource"
    return ApiRefusal(405, "MethodNotAllowed", text)


def nameless(name: str) -> ApiRefusal:
    """400: the body of a change does not say whose it is; `name` is the path's."""
    return bad_request(
        f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
    )


def expired(text: str, meta: Obj | None = None) -> ApiRefusal:
    """410: the client's place in history is gone; it has to list again. `meta` may tell where to go on."""
    return ApiRefusal(410, "Expired", text, meta=meta)


def too_large(limit: int) -> ApiRefusal:
    """413."""
    return ApiRefusal(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def not_acceptable(known: Iterable[str]) -> ApiRefusal:
    """406."""
    text = f"only the following media types are accepted: {', '.join(known)}"
    return ApiRefusal(406, "NotAcceptable", text)


def unsupported_media_type(found: str, known: Iterable[str]) -> ApiRefusal:
    """415."""
    text = f"the body of the request was in an unknown format ({found})"
    text += f" - accepted media types include: {', '.join(known)}"
    return ApiRefusal(415, "UnsupportedMediaType", text)
