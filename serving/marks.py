"""Labels and annotations by which our objects know each other; the other programs' are in `targets`."""

SERVICE_UID_LABEL = "serving.knative.dev/serviceUID"
CONFIGURATION_UID_LABEL = "serving.knative.dev/configurationUID"
GENERATION_LABEL = "serving.knative.dev/configurationGeneration"
ROUTE_LABEL = "serving.knative.dev/route"
ROUTES_ANNOTATION = "serving.knative.dev/routes"
"""On a Revision: the names of the Routes that lead to it, with commas between."""
STATE_LABEL = "serving.knative.dev/routingState"
MODIFIED_ANNOTATION = "serving.knative.dev/routingStateModified"
ACTIVE, RESERVE, PENDING = "active", "reserve", "pending"
NO_GC_ANNOTATION = "serving.knative.dev/no-gc"
ROLLOUT_ANNOTATIONS = ("serving.knative.dev/rollout-duration", "serving.knative.dev/rolloutDuration")
LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
