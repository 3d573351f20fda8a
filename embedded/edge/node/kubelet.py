"""What a real API server asks a kubelet for: the logs of containers (`kubectl logs`).

Served over TLS to those alone who show a certificate of the authority that the settings name, and whom the
API allows `nodes/proxy`, as a kubelet does. The laptop's API reads the files itself.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Mapping

from aiohttp import web

from embedded.edge import logs
from embedded.edge.lock import make_lock
from embedded.edge.node.workshop import Workshop
from embedded.instead import not_offered
from embedded.podlogs import LogFile, NoLog, is_over, log_file
from kube.edge.client import ApiError
from kube.objects import Key, Obj
from kube.resources import Resource

log = logging.getLogger("zerogate.node")

_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
_SHUTDOWN = 1.0


async def serve(shop: Workshop, pods: Callable[[], Mapping[Key, Obj]]) -> None:
    """Answer until cancelled. Raises OSError when the address or the authority's file can't be had."""
    place = shop.settings.log_endpoint
    if place is None:
        return
    tls = make_lock(shop.settings.folder / "pki", filter(None, [place.host])).tls()
    tls.load_verify_locations(place.client_authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    endpoint = Endpoint(shop, pods)
    runner = web.ServerRunner(
        web.Server(endpoint.answer, handler_cancellation=True, access_log=None), shutdown_timeout=_SHUTDOWN
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, place.host, place.port, ssl_context=tls).start()
        await asyncio.Event().wait()
    finally:
        endpoint.is_closing = True
        await runner.cleanup()


class Endpoint:
    """One request at a time: who asks, for which pod's log."""

    def __init__(self, shop: Workshop, pods: Callable[[], Mapping[Key, Obj]]) -> None:
        self._shop = shop
        self._pods = pods
        self.is_closing = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/containerLogs/NAMESPACE/POD/CONTAINER`; its refusals are plain text, as a kubelet's."""
        parts = request.path.strip("/").split("/")
        if parts[0] != "containerLogs" or len(parts) != 4 or request.method != "GET":
            text = not_offered(parts[0])
            return web.Response(status=405 if text else 404, text=text or "404 page not found")
        if not await self._may_read(request):
            return web.Response(status=403, text="Forbidden")
        _, namespace, name, container = parts
        pod = self._pods().get((namespace, name))
        if pod is None:
            return web.Response(status=404, text=f'pod "{name}" is not on this node')
        try:
            found = log_file(pod, container, request.query, time.time())
        except NoLog as refusal:
            return web.Response(status=400, text=str(refusal))
        return await self._stream(request, found)

    async def _may_read(self, request: web.BaseRequest) -> bool:
        """Whether the API allows the certificate's owner to read logs of this node."""
        certificate = request.get_extra_info("peercert") or {}
        subject = [pair for entry in certificate.get("subject", ()) for pair in entry]
        review = {
            "apiVersion": _REVIEWS.api_version,
            "kind": _REVIEWS.kind,
            "spec": {
                "user": next((value for key, value in subject if key == "commonName"), ""),
                "groups": [value for key, value in subject if key == "organizationName"],
                "resourceAttributes": {
                    "verb": "get", "version": "v1", "resource": "nodes", "subresource": "proxy",
                    "name": self._shop.settings.name,
                },
            },
        }  # fmt: skip
        try:
            found = await self._shop.client.create(_REVIEWS, review)
        except ApiError as error:
            log.warning("the API can't be asked who may read logs: %s", error)
            return False
        return bool((found.get("status") or {}).get("allowed"))

    async def _stream(self, request: web.BaseRequest, found: LogFile) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        folder = self._shop.settings.folder / "logs"

        def ended() -> bool:
            return self.is_closing or is_over(self._pods().get((found.namespace, found.pod)), found)

        with contextlib.suppress(ConnectionError, asyncio.CancelledError):  # the client went away
            await response.prepare(request)
            async with contextlib.aclosing(logs.read(folder, found, ended)) as blocks:
                async for block in blocks:
                    await response.write(block)
            await response.write_eof()
        return response
