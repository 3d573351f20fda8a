"""``config-deployment``: how a revision's Deployment is made (Knative, pkg/deployment/config.go)."""

from collections.abc import Mapping
from dataclasses import dataclass

from serving.config_autoscaler import ConfigError
from serving.config_values import Reader

SPREAD = "prefer-spread-revision-over-nodes"


@dataclass(frozen=True, slots=True)
class DeploymentConfig:
    """``progress_deadline`` and ``pre_stop_sleep`` are whole seconds.

    ``pre_stop_sleep`` is the time before SIGTERM where a pod can't wait for its in-flight requests (see
    ``serving.reconcile.deployment``); 0: no pod gets a preStop.
    ``automount_service_account_token`` counts for revisions that name no service account.
    """

    progress_deadline: int = 600
    spreads_over_nodes: bool = True
    is_always_schedulable: bool = False
    automount_service_account_token: bool = True
    pre_stop_sleep: int = 3


def parse(data: Mapping[str, str]) -> DeploymentConfig:
    """Raises ConfigError. Keys about the queue sidecar and image digests have nothing to act on here."""
    reader = Reader(data)
    deadline = reader.duration("progress-deadline", 600.0, only_whole=True)
    if deadline <= 0:
        raise ConfigError("progress-deadline", "must be more than 0")
    if data.get("runtime-class-name", "").strip():
        raise ConfigError("runtime-class-name", "runtime classes are not supported; remove the key")
    return DeploymentConfig(
        progress_deadline=int(deadline),
        spreads_over_nodes=reader.text("default-affinity-type", SPREAD, choices=(SPREAD, "none")) == SPREAD,
        is_always_schedulable=reader.flag("pod-is-always-schedulable", default=False),
        automount_service_account_token=reader.flag("automount-service-account-token", default=True),
        pre_stop_sleep=reader.whole("pre-stop-sleep-seconds", 3),
    )
