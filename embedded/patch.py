"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386), refused as Kubernetes refuses them."""

from typing import Any

from embedded.json_patch import Misfit, operate
from embedded.schema.types import copy_json
from kube.objects import Obj

MAX_OPERATIONS = 10_000  # of one JSON patch, as in Kubernetes' API server
REJECTED = "the server rejected our request due to an error in our request"


class PatchFailed(Exception):  # noqa: N818  the patch failed, no program did
    """A patch that cannot be read (400), or that does not fit the object (422)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


def json_patch(doc: Obj, ops: Any) -> Obj:
    """The document after all operations in order; the argument stays as it was.

    Raises PatchFailed: 400 for what is no list of operations, 413 for one that is too long, 422 when an
    operation does not fit the document, a failed `test` among them.
    """
    if not isinstance(ops, list) or not all(isinstance(operation, dict) for operation in ops):
        raise PatchFailed(400, "BadRequest", "error decoding patch: a JSON patch is a list of operations")
    if len(ops) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(ops)}"
        raise PatchFailed(413, "RequestEntityTooLarge", f"Request entity too large: {message}")
    patched = copy_json(doc)
    for operation in ops:
        try:
            patched = operate(patched, operation)
        except Misfit as error:
            # Operation and path only: the object may hold secrets.
            where = f"{operation.get('op')} {operation.get('path')}"
            raise PatchFailed(422, "Invalid", f"{REJECTED}: {error} ({where})") from error
    if not isinstance(patched, dict):
        raise PatchFailed(422, "Invalid", f"{REJECTED}: the patch leaves no object")
    return patched


def merge_patch(doc: Obj, patch: Any) -> Obj:
    """The document with the patch's fields set and its nulls removed; the argument stays as it was.

    Raises PatchFailed (400) when the patch is no object.
    """
    if not isinstance(patch, dict):
        raise PatchFailed(400, "BadRequest", "error decoding patch: a merge patch is an object")
    merged: Obj = _merged(doc, patch)
    return merged


def _merged(doc: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy_json(patch)
    merged = dict(doc) if isinstance(doc, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
