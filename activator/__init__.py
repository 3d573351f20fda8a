"""The data plane: routes by Host, holds what can't be served yet, picks a pod, proxies, counts.

Files in this root are pure: time is an argument, what is left to do is returned, nothing waits, connects,
logs or looks at a clock. All of that is in `edge/`. In reading order:

what a message is
    http1       the grammar of heads; how they are rewritten for the other side
    requests    a request's head: what it means to us, what of it a pod gets
    answers     the same for a pod's answer
    bodies      where bodies end and what is in them: length, chunks, until close
    forwarded   who a request came from, as the pod is told
    replies     what the activator answers by itself, a line a reason

who goes where
    hosts       the hosts that Routes and plain Deployments claim
    routes      from a Host to its revision, one look-up a request
    revision    one revision: its target, pods, queue, load and counts
    throttle    slots and the queue of a revision
    balance     the pod with the fewest requests in flight
    pacing      how fast a young pod gets what waits
    retry       what becomes of a request whose attempt failed
    deadlines   deadlines that are swept instead of armed
    timing      where a wait went, phase by phase
    settings    what of the proxy can be set

what the rest of the world says and hears
    load        how busy a revision is, as the autoscaler wants to hear it
    reports     what is told on the link, and when
    rhythm      when probes are made
    orders      which pods the autoscaler wants left alone
    wake        the wake guard: when the activator itself scales 0 to 1
    pods        what is read off a pod
    members     which pods belong to a revision, and how far they are
"""
