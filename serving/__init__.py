"""The API: Services, Configurations, Revisions and Routes, what may stand in them and what is made from them.

Reading order: `targets` (what data plane and autoscaler read off a Deployment), `routing` (hosts and who owns
them), `marks` (labels and annotations), `reading`, `templates`; `config_values` and the config maps
`config_autoscaler`, `config_defaults`, `config_deployment`, `config_domain`, `config_features`, `config_gc`,
`config_network`, `config_observability`, all together `configs`; `refusals` and `validation` (what is taken
at all, by the rules in `rules/`); `crds` (the kinds as an API server must know them), `policies` (what it
must ask besides), `manifests` (how both are written); `reconcile/` (from Services to Deployments), `lost`
(what went before its owner); then `edge/`: `queue`, `controller`.

Admitted here: what the words of the API mean. How requests flow and how many pods there are: elsewhere.
"""
