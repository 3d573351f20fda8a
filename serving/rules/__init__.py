"""What an object of ours must look like, field by field: one table, of which each rule stands once; pure.

A rule says what is wrong and what to do, and tells it in Python and in CEL. It stands in one of three places.
In a shape (`shape`, a schema with rules at its parts) it sees that part alone: this becomes the definitions
of `serving.crds`. In a policy (`policy`) it sees a whole object, its former self and a config map: this
becomes the admission policies of `serving.policies`. In `configmaps/` it sees a config map.

Reading order: `rule`, `shape`; `probes`, `containers`, `policy`, `pods`, `quantities`, `parts` (one part of a
pod against another), `traffic`; `texts` (values written as texts), `autoscaling` (annotations), `metadata`
(names and other annotations), `revisions` (a template, its limits, what may not change); `configmaps/`;
`kinds` (what each kind is held against), `rows` (all of it as the table in README); `defaults` (what a
revision is made with).

Admitted here: rules that see one object, its former self and the config maps. What depends on other objects
is a condition, not a refusal.
"""
