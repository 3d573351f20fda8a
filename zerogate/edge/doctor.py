"""`zerogate doctor`: asks the API server, and prints what is wrong and what to do."""

import argparse
import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping, Sequence

import uvloop

from kube.edge.client import ApiError, Client
from kube.edge.credentials import NoCredentials, is_in_pod, load_credentials
from kube.edge.http import HttpTransport
from kube.objects import Obj, name
from kube.resources import CONFIGMAPS, CORE_SERVICES, CRDS, DEPLOYMENTS, LEASES, ROUTES, SERVICES, Resource
from kube.text import escaped
from zerogate import shipped
from zerogate.addresses import parse_address
from zerogate.doctor.check import Facts, check, unreachable
from zerogate.doctor.findings import Finding, has_problem
from zerogate.doctor.programs import address_of
from zerogate.doctor.rights import PROGRAMS, REVIEWS, Right, is_allowed, review, rights_of
from zerogate.doctor.targets import Around
from zerogate.edge.preflight import learn

HPAS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
REACH_WITHIN = 2.0
"""Seconds for a connection to the autoscaler."""
USES = tuple(Right(verb, SERVICES.group, SERVICES.plural) for verb in ("list", "create", "patch", "delete"))
"""What it takes to use Services with kubectl."""


def main(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the findings; 0 when none is a problem, 1 otherwise."""
    logging.disable(logging.WARNING)  # what went wrong is a finding
    system = environment.get("SYSTEM_NAMESPACE", "zerogate-system")
    findings = uvloop.run(_findings(environment.get("KUBECONFIG", ""), system))
    if arguments.output == "json":
        print(json.dumps([finding.as_json() for finding in findings], indent=2))  # ASCII: all is escaped
    else:
        print("\n".join(escaped(str(finding), keeps_lines=True) for finding in findings))
    return 1 if has_problem(findings) else 0


async def _findings(kubeconfig: str, system: str) -> list[Finding]:
    try:
        credentials = await load_credentials(kubeconfig)
    except NoCredentials as error:
        return [unreachable(str(error))]
    client = Client(HttpTransport(credentials, user_agent="zerogate-doctor"), manager="zerogate-doctor")
    try:
        return list(check(await _Gathering(client, system).facts()))
    except ApiError as error:
        told = f"{credentials.server} does not answer as it should ({error}); start it, or set KUBECONFIG"
        return [unreachable(told)]
    finally:
        await client.close()


class _Gathering:
    """Asks for everything; what is refused is None, and noted in `unread`."""

    def __init__(self, client: Client, system: str) -> None:
        self._client = client
        self._system = system
        self._unread: list[str] = []

    async def facts(self) -> Facts:
        """ApiError: the API server does not answer, or does not know us."""
        cluster = await learn(self._client, USES)
        crds, leases, maps, programs, deployments, routes, services, scalers = await asyncio.gather(
            self._list(CRDS),
            self._list(LEASES, self._system),
            self._list(CONFIGMAPS, self._system),
            self._list(DEPLOYMENTS, self._system),
            self._list(DEPLOYMENTS),
            self._list(ROUTES),
            self._list(CORE_SERVICES),
            self._list(HPAS),
        )
        found = Facts(
            now=time.time(),
            cluster=cluster,
            definitions=crds,
            shipped=shipped.custom_resources(),
            leases=leases,
            is_near=is_in_pod(),
            maps=None if maps is None else {name(obj): obj.get("data") or {} for obj in maps},
            programs=programs,
            deployments=deployments,
            around=Around(routes or (), services or (), scalers or ()),
        )
        accounts = None if found.is_laptop else await self._accounts()
        reached = await _answers(address_of(found.lease("autoscaler")))
        return Facts(**{**vars(found), "accounts": accounts, "is_reached": reached, "unread": self._unread})

    async def _list(self, resource: Resource, namespace: str = "") -> Sequence[Obj] | None:
        try:
            found = await self._client.list(resource, namespace)
        except ApiError as error:
            if error.status not in {403, 404}:
                raise
            if error.status == 403 and resource.plural not in self._unread:
                self._unread.append(resource.plural)
            return None
        return [
            {"kind": resource.kind, "apiVersion": resource.api_version, **item} for item in found["items"]
        ]

    async def _accounts(self) -> dict[str, list[Right]] | None:
        """The rights that each program's account lacks; None where we may not ask."""
        found: dict[str, list[Right]] = {}
        for program in PROGRAMS:
            rights = rights_of(shipped.program_manifests(program), self._system)
            reviews = (review(right, f"zerogate-{program}", self._system) for right in rights)
            try:
                answers = await asyncio.gather(*(self._client.create(REVIEWS, each) for each in reviews))
            except ApiError as error:
                if error.status not in {403, 404}:
                    raise
                self._unread.append(REVIEWS.plural)
                return None
            found[program] = [
                right for right, answer in zip(rights, answers, strict=True) if not is_allowed(answer)
            ]
        return found


async def _answers(address: str) -> bool:
    """Whether something listens there."""
    try:
        host, port = parse_address(address)
        async with asyncio.timeout(REACH_WITHIN):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, ValueError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
