"""One request on its way to being answered."""

from dataclasses import dataclass, field
from typing import Any

from embedded.api.refusals import ApiRefusal, Cause, bad_request, invalid
from embedded.api.registry import Served
from embedded.api.requests import ApiRequest, Place, WriteOptions
from embedded.store import encode


@dataclass(slots=True)
class Call:
    """One request to one resource; warnings gather on the way."""

    request: ApiRequest
    place: Place
    served: Served
    options: WriteOptions
    warnings: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)  # fields that the body gave twice
    patch: Any = None  # the body of a patch that is not server-side apply
    is_apply: bool = False

    def undecodable(self, told: str, kind: str = "") -> ApiRefusal:
        """What cannot be read as the kind (the resource's own): a body is 400, a patch's result 422."""
        if self.patch is not None:
            return invalid("", "", [Cause("patch", f"Invalid value: {encode(encode(self.patch))}: {told}")])
        kind, version = kind or self.served.resource.kind, self.served.resource.version
        return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {told}')
