"""What a schema cannot see, as admission policies; ``python -m serving.policies`` writes
`config/admission-policies.yaml`.

They come from `rules/`, as our own check does. No function of CEL is used that Kubernetes 1.30 lacks, the
first release that has these policies.
"""

import sys
from typing import Any

import yaml

from kube.objects import Obj
from kube.resources import Resource
from serving.manifests import Plain
from serving.rules.configmaps.rule import ConfigMapRules
from serving.rules.kinds import MAPS, POLICIES
from serving.rules.policy import NOTES, POD, Policy, PolicyRule, filled

SYSTEM_NAMESPACE = "zerogate-system"
API = "admissionregistration.k8s.io/v1"
HEADER = """\
# What is refused besides what the kinds' own schemas refuse: metadata, one field against another, and what
# the config maps limit. Written by `python -m serving.policies`, not by hand. Needs Kubernetes 1.30 or later.
"""
ALIVE = {
    "name": "alive",
    "expression": "!has(object.metadata.deletionTimestamp)",
}
"""What is on its way out stays writable."""

_TEMPLATE = "(has({0}.spec.template) && has({0}.spec.template.{1}) ? {0}.spec.template.{1} : {{}})"
_POD = "object.kind == 'Revision' ? {0}.spec : " + _TEMPLATE.replace("{1}", "spec")
_NOTES = (
    "object.kind == 'Revision' ? (has({0}.metadata.annotations) ? {0}.metadata.annotations : {{}}) : "
    "(has({0}.spec.template) && has({0}.spec.template.metadata) && "
    "has({0}.spec.template.metadata.annotations) ? {0}.spec.template.metadata.annotations : {{}})"
)


def _former(expression: str) -> str:
    return f"oldObject == null ? {{}} : ({expression.format('oldObject')})"


BASES = {
    POD.cel: (("pod", _POD.format("object")),),
    NOTES.cel: (("notes", _NOTES.format("object")), ("formerNotes", _former(_NOTES))),
}
"""Where a policy's paths begin → the variables by which its rules name what is there."""


def admission_policies() -> list[Obj]:
    """Every policy with its binding."""
    made = [part for policy in POLICIES for part in (_policy(policy), _binding(policy.name, policy.config))]
    for rules in MAPS:
        made += [_config_policy(rules), _binding(rules.name, "")]
    return made


def _policy(policy: Policy) -> Obj:
    variables = [
        *BASES.get(policy.base.cel, ()),
        *policy.variables,
        *(each for rule in policy.rules for each in rule.variables),
        ("at", policy.base.cel),
        (
            "untouched",
            f"oldObject != null && (has(object.metadata.deletionTimestamp) || ({policy.untouched}))",
        ),
    ]
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": _constraints(_rule(policy.kinds), {}),
        "variables": [{"name": name, "expression": expression} for name, expression in variables],
        "validations": [_validation(policy.rules)],
    }
    if policy.config:
        spec = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}, **spec}
    return _object("ValidatingAdmissionPolicy", policy.name, spec)


def _constraints(rule: Obj, namespaces: Obj) -> Obj:
    """With the defaults spelt out: else kubectl finds a difference at each apply."""
    return {
        "matchPolicy": "Equivalent",
        "namespaceSelector": namespaces,
        "objectSelector": {},
        "resourceRules": [{**rule, "scope": "*"}],
    }


def _rule(kinds: tuple[Resource, ...]) -> Obj:
    return {
        "apiGroups": [kinds[0].group],
        "apiVersions": [kinds[0].version],
        "operations": ["CREATE", "UPDATE"],
        "resources": sorted(kind.plural for kind in kinds),
    }


def _validation(rules: tuple[PolicyRule, ...]) -> Obj:
    """All rules of a policy as one, which says what the first broken one does.

    An API server tells of one offence anyway, and each expression that it evaluates costs every write.
    """
    *firsts, last = rules
    choices = "\n".join(f"!({rule.cel}) ? {_told(rule)} :" for rule in firsts)
    return {
        "expression": "variables.untouched || (\n" + " &&\n".join(f"({rule.cel})" for rule in rules) + "\n)",
        "message": "the object breaks a rule of this policy",
        "messageExpression": f"variables.at + (\n{choices}\n{_told(last)}\n)",
        "reason": "Invalid",
    }


def _told(rule: PolicyRule) -> str:
    return filled(rule.path + ": " + rule.message, rule.path_words + rule.message_words)


def _config_policy(rules: ConfigMapRules) -> Obj:
    matched = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
        "resourceNames": [rules.name],
    }
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": _constraints(
            matched, {"matchLabels": {"kubernetes.io/metadata.name": SYSTEM_NAMESPACE}}
        ),
        "matchConditions": [ALIVE],
        "variables": [
            {"name": "data", "expression": "has(object.data) ? object.data : {}"},
            *({"name": name, "expression": expression} for name, expression in rules.variables),
        ],
        "validations": [
            {
                "expression": rule.cel,
                "message": f"data.{rule.key}: {rule.message}".replace("{}", "…"),
                "messageExpression": filled(f"data.{rule.key}: {rule.message}", rule.words),
                "reason": "Invalid",
            }
            for rule in rules.rules
        ],
    }
    return _object("ValidatingAdmissionPolicy", rules.name, spec)


def _binding(name: str, config: str) -> Obj:
    spec: dict[str, Any] = {"policyName": f"zerogate-{name}", "validationActions": ["Deny"]}
    if config:
        # Where the map is missing the controller holds objects against Knative's defaults (a condition).
        spec["paramRef"] = {
            "name": config,
            "namespace": SYSTEM_NAMESPACE,
            "parameterNotFoundAction": "Allow",
        }
    return _object("ValidatingAdmissionPolicyBinding", name, spec)


def _object(kind: str, name: str, spec: Obj) -> Obj:
    return {
        "apiVersion": API,
        "kind": kind,
        "metadata": {"name": f"zerogate-{name}", "labels": {"app.kubernetes.io/name": "zerogate"}},
        "spec": spec,
    }


def manifest() -> str:
    """The text of `config/admission-policies.yaml`."""
    documents = yaml.dump_all(
        admission_policies(), Dumper=Plain, sort_keys=False, width=110, allow_unicode=True
    )
    return f"{HEADER}---\n{documents}"


if __name__ == "__main__":
    sys.stdout.write(manifest())
