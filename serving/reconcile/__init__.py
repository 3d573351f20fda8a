"""From Services to Deployments: what an object asks for, compared with what is there; pure.

Reading order: `actions` (what is left to do), `conditions` (how a status says it), `world` (what is there,
and whom a change concerns), `service` (→ Configuration, Route), `configuration` (→ Revisions), `gc` (which
may go), `revision` (→ Deployment, readiness), `deployment` (its content), `pods` (why one does not start),
`route` (→ hosts and shares), `traffic` (entry → revision), `labels` (which revisions are routed to),
`refused` (what an API server should not have taken), `plain` (Deployments that a user wrote), `plan` (which
of these is asked).

Admitted here: functions of (world, object, now) to actions. They are level-triggered: asked again after their
own actions took effect they return nothing.
"""
