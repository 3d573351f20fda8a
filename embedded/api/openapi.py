"""The documents that describe the API: made when first asked for, and again after definitions changed."""

from collections.abc import Callable

from embedded.api.cluster import Cluster
from embedded.api.refusals import not_acceptable, unknown_path
from embedded.api.requests import JSON, ApiRequest, ApiResponse
from embedded.openapi import openapi_v2, openapi_v3, openapi_v3_index
from embedded.store import encode
from kube.objects import Obj

_READABLE = ("application/json", "application/*", "*/*")


class Documents:
    """Keeps the text of each document; all are for one state of the definitions."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._texts: dict[str, str] = {}
        self._generation = 0

    def answer(self, path: str, request: ApiRequest) -> ApiResponse:
        """/openapi/v2, /openapi/v3, and /openapi/v3/<api|apis/group>/<version>."""
        accepted = [clause.partition(";")[0].strip() for clause in request.accept.split(",")]
        if request.accept and not any(media in _READABLE for media in accepted):
            raise not_acceptable([JSON])
        if self._generation != self._cluster.registry.generation:
            self._generation = self._cluster.registry.generation
            self._texts.clear()
        if path not in self._texts:
            body = self._make(path)
            if body is None:
                raise unknown_path()
            self._texts[path] = encode(body)
        return ApiResponse(200, text=self._texts[path])

    def _make(self, path: str) -> Obj | None:
        schemas = self._cluster.schemas
        resources = [served.resource for served in self._cluster.registry]
        whole: dict[str, Callable[[], Obj]] = {
            "/openapi/v2": lambda: openapi_v2(resources, schemas),
            "/openapi/v3": lambda: openapi_v3_index(resources, schemas),
        }
        if path in whole:
            return whole[path]()
        place = path.removeprefix("/openapi/v3/")
        group_version = (
            place.removeprefix("apis/") if place.startswith("apis/") else place.removeprefix("api/")
        )
        return None if place == group_version else openapi_v3(group_version, resources, schemas)

    def __repr__(self) -> str:
        return f"<Documents {sorted(self._texts)}>"
