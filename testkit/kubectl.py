"""The environment in which kubectl runs."""

from collections.abc import Mapping
from pathlib import Path


def environment(base: Mapping[str, str], kubeconfig: Path, home: Path | None = None) -> dict[str, str]:
    """Return `base` with the kubeconfig and, if it is given, a folder for kubectl's caches.

    kubectl lives for a moment: without collecting garbage it costs a fifth less CPU time.
    """
    own = {"KUBECONFIG": str(kubeconfig), "GOGC": "off"}
    return {**base, **own, **({"HOME": str(home)} if home else {})}
