"""What Kubernetes offers for pods that are containers, and what to do instead where they are processes."""

_INSTEAD = {
    "exec": "a pod is a process of this machine: look at it with the machine's own tools",
    "attach": "kubectl logs -f shows what the pod writes",
    "portforward": "the pod listens on 127.0.0.1 at the port in its annotation zerogate.dev/port",
    "eviction": "delete the pod",
}


def not_offered(what: str) -> str | None:
    """One line that says so and what to do; None for what nobody offers."""
    remedy = _INSTEAD.get(what.lower())
    return f"{what} is not offered here; {remedy}" if remedy else None
