"""Small answers about the client itself: whoever holds the credential may do everything."""

from typing import Any

from embedded.api.bodies import decode
from embedded.api.refusals import bad_request
from embedded.api.requests import ApiRequest, ApiResponse
from kube.objects import Obj, format_time
from kube.resources import Resource

ACCESS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
RULES = Resource(
    "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False
)
SUBJECT = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)
REVIEWS = (ACCESS, RULES, SUBJECT)
GROUPS = ("system:masters", "system:authenticated")


def review_at(group: str, version: str, plural: str) -> Resource | None:
    """The review kind under a path."""
    for kind in REVIEWS:
        if (kind.group, kind.version, kind.plural) == (group, version, plural):
            return kind
    return None


def review(request: ApiRequest, kind: Resource, now: float) -> ApiResponse:
    """The body with its status filled in; nothing is stored."""
    body, _ = decode(request.body, request.content_type)
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict | None):
        raise bad_request(f"the body is no {kind.kind}")
    status: Obj
    if kind == ACCESS:
        status = {"allowed": True, "reason": "whoever holds the credential may do everything"}
    elif kind == RULES:
        every: dict[str, Any] = {"verbs": ["*"]}
        status = {
            "resourceRules": [{**every, "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{**every, "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
    else:
        status = {"userInfo": {"username": request.user, "groups": list(GROUPS)}}
    meta = {**(body.get("metadata") or {}), "creationTimestamp": format_time(now)}
    answer = {**body, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "status": status}
    return ApiResponse(201, answer)
