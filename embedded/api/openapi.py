"""The documents that describe the API: made when first asked for, and again after definitions changed."""

from embedded.api.cluster import Cluster
from embedded.api.refusals import unknown_path
from embedded.api.requests import ApiRequest, ApiResponse


class Documents:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def answer(self, path: str, request: ApiRequest) -> ApiResponse:
        raise unknown_path()
