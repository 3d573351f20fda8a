"""Scale targets: what makes their cold starts slow, who else touches them, and who goes past the gateway."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kube.objects import Obj, annotations, labels, name, namespace
from kube.resources import DEPLOYMENTS, ROUTES
from serving.configs import Configs
from serving.marks import LAST_APPLIED_ANNOTATION
from serving.reading import mapping, mappings, whole
from serving.reconcile.actions import Note
from serving.reconcile.plain import reconcile_deployment
from serving.reconcile.world import World
from serving.targets import DEFAULT_GRACE_PERIOD, HOST_ANNOTATION, SCALE_LABEL, ScaleTarget, scale_target
from zerogate.doctor.findings import Finding

DEFAULT_PERIOD = 10
OURS = "zerogate"


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside the scale targets. `scalers` are HorizontalPodAutoscalers, `services` of v1."""

    routes: Sequence[Obj] = ()
    services: Sequence[Obj] = ()
    scalers: Sequence[Obj] = ()
    configs: Configs | None = None
    is_laptop: bool = False


def check(deployments: Sequence[Obj], around: Around) -> Iterator[Finding]:
    """All that is to be said of those that are scale targets, or are meant to be."""
    yield from _unlabelled(deployments)
    deployments = [each for each in deployments if _is_target(each)]
    world = World(*filter(None, [around.configs]), localhost_alias=around.is_laptop)
    for route in around.routes:
        world.put(ROUTES, route)
    for deployment in deployments:
        world.put(DEPLOYMENTS, deployment)
    for taken in world.hosts.table().taken:
        if taken.kind == "Route":
            yield Finding("problem", f"Route {taken.namespace}/{taken.name}", taken.message)
    well = 0
    for deployment in deployments:
        found = list(_of_one(world, deployment, around))
        well += not found
        yield from found
    if well or not deployments:
        yield Finding("ok", "scale targets", f"nothing to say of {well} of {len(deployments)}")


def _is_target(deployment: Obj) -> bool:
    return labels(deployment).get(SCALE_LABEL) == "true"


def _unlabelled(deployments: Iterable[Obj]) -> Iterator[Finding]:
    """Those that ask for a host and would be seen by nobody."""
    for each in deployments:
        if HOST_ANNOTATION in annotations(each) and not _is_target(each):
            told = f'it has a host but lacks the label {SCALE_LABEL}: "true", so it is not seen here; add it'
            yield Finding("problem", f"Deployment {namespace(each)}/{name(each)}", told)


def _of_one(world: World, deployment: Obj, around: Around) -> Iterator[Finding]:
    target = scale_target(deployment)
    about = f"Deployment {namespace(deployment)}/{name(deployment)}"
    for note in reconcile_deployment(world, deployment, 0.0).actions:
        if isinstance(note, Note):
            yield Finding("problem", about, note.message)
    if target.given_up:
        told = f"given up: {target.given_up}; mend its template, or send a request to try again"
        yield Finding("problem", about, told)
    pod = mapping(mapping(mapping(deployment.get("spec")).get("template")).get("spec"))
    advice = [*slow_probes(target, pod), *_token(pod, around), *_pre_stop(target, pod)]
    advice += [*other_writers(deployment), *past_the_gateway(deployment, around.services)]
    for told in advice:
        yield Finding("advice", about, told)
    for scaler in scalers_of(deployment, around.scalers):
        told = f"HorizontalPodAutoscaler {name(scaler)} writes its replicas too; delete it, load decides here"
        yield Finding("problem", about, told)


def slow_probes(target: ScaleTarget, pod: Obj) -> Iterator[str]:
    """Probes that only the kubelet can run, whose period a cold request may have to wait for."""
    for container in mappings(pod.get("containers")):
        for kind in ("startupProbe", "readinessProbe"):
            probe = mapping(container.get(kind))
            period = whole(probe.get("periodSeconds"), DEFAULT_PERIOD)
            if not probe or period <= 1 or (kind == "readinessProbe" and target.probe.trusted_early):
                continue
            yield (
                f"its {kind} is one that only the kubelet runs, each {period} s: so much longer a cold start "
                "may take; set periodSeconds: 1, or leave it to an httpGet or tcpSocket readinessProbe"
            )


def _token(pod: Obj, around: Around) -> Iterator[str]:
    if not around.is_laptop and pod.get("automountServiceAccountToken") is not False:
        yield (
            "a mounted ServiceAccount token makes each cold start some 300 ms longer; if the app does not use"
            " it set automountServiceAccountToken: false"
        )


def _pre_stop(target: ScaleTarget, pod: Obj) -> Iterator[str]:
    containers = mappings(pod.get("containers"))
    serving = [
        each
        for each in containers
        if any(port.get("containerPort") == target.port for port in mappings(each.get("ports")))
    ]
    for container in (serving or containers)[:1]:
        if not mapping(mapping(container.get("lifecycle")).get("preStop")):
            grace = whole(pod.get("terminationGracePeriodSeconds"), DEFAULT_GRACE_PERIOD)
            yield (
                "without a preStop an app that ends at once on SIGTERM may lose requests when others delete a"
                f" pod; set lifecycle: {{preStop: {{sleep: {{seconds: {grace}}}}}}}, its whole grace period,"
                " which the autoscaler shortens after the last request"
            )


def other_writers(deployment: Obj) -> Iterator[str]:
    """Manifests that carry a number, and who has written one last."""
    try:
        applied = json.loads(annotations(deployment).get(LAST_APPLIED_ANNOTATION) or "{}")
    except ValueError:
        applied = {}
    if mapping(mapping(applied).get("spec")).get("replicas") is not None:
        yield "the manifest last applied sets spec.replicas, which each apply writes again; take it out"
    for entry in mappings(mapping(deployment.get("metadata")).get("managedFields")):
        who = str(entry.get("manager") or "")
        is_owner = "f:replicas" in mapping(mapping(entry.get("fieldsV1")).get("f:spec"))
        if not is_owner or who.startswith(OURS):
            continue
        if entry.get("operation") == "Apply":
            yield f"{who} applies spec.replicas again and again; take it out of its manifest"
        elif entry.get("subresource") == "scale":
            yield f"{who} has scaled it last; load, min-scale and max-scale write over that"


def scalers_of(deployment: Obj, scalers: Iterable[Obj]) -> list[Obj]:
    """The HorizontalPodAutoscalers that have it as their target."""
    wanted = ("Deployment", name(deployment))
    return [
        each
        for each in scalers
        if namespace(each) == namespace(deployment)
        and (ref := mapping(mapping(each.get("spec")).get("scaleTargetRef")))
        and (ref.get("kind"), ref.get("name")) == wanted
    ]


def past_the_gateway(deployment: Obj, services: Iterable[Obj]) -> Iterator[str]:
    """Services whose requests reach its pods without being seen here."""
    marks = labels(mapping(mapping(deployment.get("spec")).get("template")))
    for service in services:
        selector = mapping(mapping(service.get("spec")).get("selector"))
        if selector and namespace(service) == namespace(deployment) and selector.items() <= marks.items():
            yield (
                f"Service {name(service)} leads to its pods past the gateway: such requests are not counted, "
                "and find nobody at zero; send them to the gateway"
            )
