"""Before a program begins: whether it can do its work on this cluster at all.

Only what is said definitely ends it. An API server that is away, busy or will not tell says nothing: the
program begins, and is ended when the answer comes and is a bad one. Nothing is created by asking.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from kube.edge.client import ApiError, Client
from kube.objects import Obj
from kube.resources import DEPLOYMENTS
from zerogate import shipped
from zerogate.doctor.cluster import KNATIVE, KNATIVE_LABEL, KNATIVE_NAMESPACE, ClusterFacts, hopeless, unfit
from zerogate.doctor.rights import PROGRAMS, SELF_REVIEWS, Right, is_allowed, review, rights_of
from zerogate.errors import Failed

log = logging.getLogger("zerogate")

PATIENCE = 15.0
"""Seconds that an API server may take before the program begins without its answer."""
SETTLES = 5.0
"""Seconds until what an API server does not know or allow yet is what it never will."""
AGAIN = 2.0
"""Seconds between questions to one that is away."""


@contextlib.asynccontextmanager
async def passed(client: Client, program: str, system_namespace: str) -> AsyncIterator[None]:
    """Run the body on a cluster that will do. Raises Failed, at once or as soon as the answer is known."""
    if program not in PROGRAMS:
        yield
        return
    rights = rights_of(shipped.program_manifests(program), system_namespace)
    try:
        async with asyncio.timeout(PATIENCE):
            await _judge(client, program, rights)
    except (ApiError, TimeoutError) as error:
        told = str(error) or "no answer"
        log.warning("The API server can't be asked whether it will do (%s); going on", told)
    else:
        yield
        return
    async with _judged_later(client, program, rights):
        yield


@contextlib.asynccontextmanager
async def _judged_later(client: Client, program: str, rights: Sequence[Right]) -> AsyncIterator[None]:
    """Run the body until the cluster turns out not to do. Raises Failed then."""
    body = asyncio.current_task()
    judging = asyncio.create_task(_judge_until_told(client, program, rights))
    judging.add_done_callback(lambda judged: body.cancel() if body and _verdict(judged) else None)
    try:
        yield
    except asyncio.CancelledError:
        if not _verdict(judging):
            raise
    finally:
        judging.cancel()
    if verdict := _verdict(judging):
        if body is not None:
            body.uncancel()
        raise verdict


def _verdict(judging: asyncio.Task[None]) -> BaseException | None:
    """How the judgement failed, if it is over and did."""
    return judging.exception() if judging.done() and not judging.cancelled() else None


async def _judge_until_told(client: Client, program: str, rights: Sequence[Right]) -> None:
    while True:
        await asyncio.sleep(AGAIN)
        with contextlib.suppress(ApiError):
            return await _judge(client, program, rights)


async def _judge(client: Client, program: str, rights: Sequence[Right]) -> None:
    """Raises Failed for what is wrong and stays wrong: one who installs us may not be ready yet."""
    ends = time.monotonic() + SETTLES
    while problem := unfit(facts := await learn(client, rights), program):
        if hopeless(facts) or time.monotonic() >= ends:
            raise Failed(f"{program}: {problem}")
        await asyncio.sleep(SETTLES / 10)


async def learn(client: Client, rights: Sequence[Right]) -> ClusterFacts:
    """What the cluster is, and which of the rights we do not have. ApiError: it is away."""
    version, kinds, deployments, refused = await asyncio.gather(
        _told(lambda: client.read("/version")),
        _kinds(client),
        knative(client),
        refused_rights(client, rights),
    )
    return ClusterFacts(version, kinds, deployments, refused)


async def _kinds(client: Client) -> frozenset[str] | None:
    """The plurals in serving.knative.dev/v1."""
    try:
        found = await client.discover("serving.knative.dev", "v1")
    except ApiError as error:
        if error.is_not_found:
            return frozenset()
        if _is_away(error):
            raise
        return None
    return frozenset(entry["name"] for entry in found.get("resources") or ())


async def knative(client: Client) -> list[Obj]:
    """Deployments that may be Knative's: where it is usually installed, and those that say so."""
    asked = (
        lambda: client.list(DEPLOYMENTS, KNATIVE_NAMESPACE),
        lambda: client.list(DEPLOYMENTS, label_selector=f"{KNATIVE_LABEL}={KNATIVE}"),
    )
    found = await asyncio.gather(*map(_told, asked))
    return [each for one in found if one is not None for each in one["items"]]


async def refused_rights(client: Client, rights: Sequence[Right]) -> list[Right]:
    """Those that we do not have; what can't be asked counts as granted."""
    asked = (partial(client.create, SELF_REVIEWS, review(right)) for right in rights)
    answers = await asyncio.gather(*map(_told, asked))
    return [right for right, answer in zip(rights, answers, strict=True) if answer and not is_allowed(answer)]


async def _told(ask: Callable[[], Awaitable[Obj]]) -> Obj | None:
    """The answer, None where it was refused. ApiError: the server is away."""
    try:
        return await ask()
    except ApiError as error:
        if _is_away(error):
            raise
        return None


def _is_away(error: ApiError) -> bool:
    """Whether it may answer later: no answer, too much to do, or it does not know us for now."""
    return error.status in {0, 401, 429} or error.status >= 500
