"""What `kubectl explain` says of Kubernetes' own kinds: a sentence for each kind and each field at its top.

The fields below have names and types, and no texts: those are many, and Kubernetes' documentation's own.
"""

from kube.objects import Obj

KINDS = {
    "Deployment": "Pods of one template, kept at a number, replaced step by step when it changes.",
    "ReplicaSet": "Pods of one template, kept at a number.",
    "Pod": "Containers that run together; here each is a process of the node's machine.",
    "ConfigMap": "Settings by key, for pods and programs to read.",
    "Secret": "As a config map, for what should not be seen by chance.",
    "Namespace": "A room for names: what stands in it goes with it.",
    "Node": "A machine that runs pods.",
    "Event": "What happened to an object, kept for an hour.",
    "Service": "A name for the pods that a selector finds; kept and shown, nothing is routed by it here.",
    "ServiceAccount": "Whom a program speaks as.",
    "Lease": "Who leads, and until when.",
    "CustomResourceDefinition": "A further kind that the API serves.",
}
FIELDS = {
    "apiVersion": "Group and version of the kind, as in the path of the API.",
    "kind": "Which kind of object this is.",
    "metadata": "Name, namespace, labels, annotations, owners, and what the API keeps of the object.",
    "spec": "What is wanted.",
    "status": "What is: written by programs, not by users.",
    "data": "Values by key.",
    "binaryData": "Values that are no text, in base64, by key.",
    "stringData": "Values as plain text: written into data in base64, never shown.",
    "immutable": "True: data can't be changed any more.",
    "type": "Which sort of it this is.",
    "action": "What was done to the object.",
    "count": "How often it happened.",
    "eventTime": "When it happened first, to the microsecond.",
    "firstTimestamp": "When it happened first.",
    "lastTimestamp": "When it happened last.",
    "involvedObject": "Which object this is about.",
    "related": "A second object that had a part in it.",
    "message": "What happened, for people.",
    "reason": "What happened, in one word for programs.",
    "reportingComponent": "Which program tells this.",
    "reportingInstance": "Which process of that program.",
    "series": "How often it happened since, and when last.",
    "source": "Which program on which machine tells this.",
    "automountServiceAccountToken": "Whether pods get a token of the account.",
    "imagePullSecrets": "Secrets for fetching images.",
    "secrets": "Secrets that belong to the account.",
}


def told(made: Obj, kind: str, *, is_custom: bool) -> Obj:
    """A kind's type with its texts, as far as there are any; a definition speaks for its kind itself."""
    known = {field: FIELDS[field] for field in ("apiVersion", "kind", "metadata")} if is_custom else FIELDS
    properties = {
        field: _described(entry, known.get(field, "")) for field, entry in made.get("properties", {}).items()
    }
    described = {**made, "properties": properties} if properties else made
    return described if is_custom else _described(described, KINDS.get(kind, ""))


def _described(made: Obj, text: str) -> Obj:
    if not text or "description" in made:
        return made
    if "$ref" in made:  # beside a reference OpenAPI reads nothing else
        return {"allOf": [made], "description": text}
    return {**made, "description": text}
