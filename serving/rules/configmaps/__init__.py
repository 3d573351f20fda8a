"""What the config maps of the system namespace may say, in CEL.

Here their parsers (`serving.config_*`) are asked; a rule of this folder says the same of one key in the
parser's words. What no expression can tell, the controller that reads the map tells by an Event and goes on
with what held before.

Reading order: `rule` (what the others are made of), `autoscaler`, `revisions` (config-defaults,
config-deployment), `hosts` (config-domain, its claims, config-network), `others`.
"""
