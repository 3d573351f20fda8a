"""What `kubectl apply` does, for `up -f`: a three-way merge against what was applied last.

The same annotation is kept as kubectl keeps, so that a later `kubectl apply -f` of the file finds its own
words and says `unchanged`.
"""

import json
from typing import Any

from kube.objects import Obj, annotations

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def with_last_applied(manifest: Obj) -> Obj:
    """The manifest with the annotation that remembers it, as `kubectl apply` would create it."""
    plain = {**manifest, "metadata": {**manifest["metadata"]}}
    marks = {k: v for k, v in annotations(manifest).items() if k != LAST_APPLIED}
    plain["metadata"]["annotations"] = marks
    text = json.dumps(plain, sort_keys=True, separators=(",", ":")) + "\n"
    return {**plain, "metadata": {**plain["metadata"], "annotations": {**marks, LAST_APPLIED: text}}}


def merge_patch_for(live: Obj, manifest: Obj) -> Obj:
    """The JSON merge patch that takes a live object to the manifest; {} where nothing is to be done.

    Fields that stood in the manifest last applied and are gone from this one are removed; fields that
    others added are left alone.
    """
    wanted = with_last_applied(manifest)
    try:
        last = json.loads(annotations(live).get(LAST_APPLIED) or "{}")
    except ValueError:
        last = {}
    return _difference(live, wanted, last if isinstance(last, dict) else {})


def _difference(live: Obj, wanted: Obj, last: Obj) -> Obj:
    patch: dict[str, Any] = {name: None for name in last if name not in wanted and name in live}
    for name, value in wanted.items():
        there = live.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            before = last.get(name)
            inner = _difference(there, value, before if isinstance(before, dict) else {})
            if inner:
                patch[name] = inner
        elif there != value:
            patch[name] = value
    return patch
