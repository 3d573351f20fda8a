"""What a cluster offers and a laptop does not, its pods being processes, and what to do instead."""

_INSTEAD = {
    "exec": "a pod is a process of this machine: look at it with the machine's own tools",
    "attach": "kubectl logs -f shows what the pod writes",
    "portforward": "the pod listens on 127.0.0.1 at the port in its annotation zerogate.dev/port",
    "horizontalpodautoscalers": "label the Deployment zerogate.dev/scale: that is scaled by its requests",
}


def not_offered(what: str) -> str | None:
    """One line that says so and what to do; None for what nobody offers."""
    remedy = _INSTEAD.get(what.lower())
    is_or_are = "are" if what.endswith("s") else "is"
    return f"{what} {is_or_are} not offered here; {remedy}" if remedy else None
