"""Pod templates: when two are the same, and the hash that names a ReplicaSet and marks its pods."""

import hashlib
import json

from kube.objects import Obj, labels

HASH_LABEL = "pod-template-hash"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Of Kubernetes' made-up names: nothing that could become a word, or be misread."""


def template_hash(deployment: Obj) -> str:
    """Ten letters that stand for the pod template, in the alphabet of Kubernetes' names."""
    text = json.dumps(bare_template(deployment), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def bare_template(obj: Obj) -> Obj:
    """The pod template without what a ReplicaSet adds to it, in a form that compares."""
    template = obj["spec"].get("template") or {}
    meta = {part: value for part, value in (template.get("metadata") or {}).items() if value}
    marks = {label: value for label, value in labels({"metadata": meta}).items() if label != HASH_LABEL}
    meta = {**meta, "labels": marks}
    meta.pop("creationTimestamp", None)
    return {"metadata": meta, "spec": template.get("spec") or {}}
