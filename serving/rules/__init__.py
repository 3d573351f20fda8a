"""What an object of ours must look like, field by field; pure.

Reading order: `defaults` (what is filled in), `autoscaling` (annotations), `metadata` (names and other
annotations), `pods` (volumes and which fields a pod may have), `containers`, `probes`, `revisions` (a whole
template), `traffic`. A rule is a generator of `FieldError`; paths are relative to the part it looks at.

Admitted here: rules that see one object, its former self and the config maps. What depends on other objects
is a condition, not a refusal.
"""
