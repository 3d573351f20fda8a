"""Our four kinds: their specs, and the rules that see a whole object; and the config maps."""

from collections.abc import Mapping

from kube.resources import CONFIGURATIONS, REVISIONS, ROUTES, SERVICES, Resource
from serving.rules.configmaps.autoscaler import AUTOSCALER
from serving.rules.configmaps.hosts import CLAIMS, DOMAIN, NETWORK
from serving.rules.configmaps.others import FEATURES as FEATURE_FLAGS
from serving.rules.configmaps.others import GC, OBSERVABILITY
from serving.rules.configmaps.revisions import DEFAULTS, DEPLOYMENT
from serving.rules.metadata import NAME, NAMES_POLICY, NOTES_POLICY, OBJECT_POLICY, SCALES_POLICY
from serving.rules.parts import FEATURES, PODS
from serving.rules.pods import revision_spec
from serving.rules.policy import Policy
from serving.rules.revisions import CONTAINERS_NEEDED, IMMUTABLE, LIMITS, TEMPLATE_NEEDED, template
from serving.rules.rule import Rule
from serving.rules.shape import Shape, record, ruled
from serving.rules.traffic import HOSTS, NEEDED, TAGS, traffic_wanted


def _kind(spec: Shape, *rules: Rule) -> Shape:
    return ruled(record(metadata={"type": "object"}, spec=spec), *rules)


SPECS: Mapping[Resource, Shape] = {
    SERVICES: _kind(
        record(template=template(), traffic=traffic_wanted(is_service=True)),
        NAME,
        TEMPLATE_NEEDED,
    ),
    CONFIGURATIONS: _kind(record(template=template()), NAME, TEMPLATE_NEEDED),
    REVISIONS: _kind(revision_spec(), CONTAINERS_NEEDED, IMMUTABLE),
    ROUTES: _kind(record(traffic=traffic_wanted(is_service=False)), NAME, NEEDED),
}
"""What an object may be: its metadata and its spec."""

POLICIES: tuple[Policy, ...] = (
    OBJECT_POLICY,
    NAMES_POLICY,
    NOTES_POLICY,
    SCALES_POLICY,
    PODS,
    FEATURES,
    LIMITS,
    TAGS,
    HOSTS,
)
"""What schemas cannot see, in the order in which it is asked."""

MAPS = (AUTOSCALER, DEFAULTS, DEPLOYMENT, DOMAIN, CLAIMS, FEATURE_FLAGS, GC, NETWORK, OBSERVABILITY)
"""The config maps of the system namespace."""
