"""config/ is what `kubectl apply -k config/` needs: complete, true to the programs, and strict.

What an API server makes of it is asked in tests/cluster/.
"""

import json
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml

from testkit.paths import CONFIG, ROOT
from zerogate import __version__, cli

KUSTOMIZATION = yaml.safe_load((CONFIG / "kustomization.yaml").read_text())
OBJECTS = [
    obj
    for file in KUSTOMIZATION["resources"]
    for obj in yaml.safe_load_all((CONFIG / file).read_text())
    if obj is not None
]
PROGRAMS = ("controller", "autoscaler", "activator")
BESIDE_A_CLUSTER = {"config-images.yaml", "node.yaml"}
"""For `zerogate node` alone."""


def of_kind(kind: str) -> dict[str, Any]:
    return {obj["metadata"]["name"]: obj for obj in OBJECTS if obj["kind"] == kind}


def pod_of(program: str) -> dict[str, Any]:
    found: dict[str, Any] = of_kind("Deployment")[f"zerogate-{program}"]["spec"]["template"]["spec"]
    return found


def container_of(program: str) -> dict[str, Any]:
    (container,) = pod_of(program)["containers"]
    found: dict[str, Any] = container
    return found


def settings_of(program: str) -> Namespace:
    return cli.parse(container_of(program)["args"], {})


def ports_of(program: str) -> dict[str, Any]:
    return {port["name"]: port["containerPort"] for port in container_of(program)["ports"]}


def test_no_manifest_is_forgotten() -> None:
    files = {path.name for path in CONFIG.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files - BESIDE_A_CLUSTER


def test_the_image_has_the_version_of_the_programs() -> None:
    assert KUSTOMIZATION["images"] == [{"name": "zerogate", "newTag": __version__}]
    assert {container_of(program)["image"] for program in PROGRAMS} == {"zerogate"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_deployment_starts_its_program_with_settings_that_it_knows(program: str) -> None:
    settings, ports = settings_of(program), ports_of(program)
    assert settings.command == program
    assert settings.admin.port == ports["admin"]
    if program == "autoscaler":
        assert settings.link.port == ports["link"]
        assert settings.link_auth == "token-review"
        assert settings.activators_service in of_kind("Service")
    if program == "activator":
        assert (settings.gateway.port, settings.local_gateway.port) == (ports["public"], ports["local"])
        (mount,) = container_of(program)["volumeMounts"]
        (volume,) = pod_of(program)["volumes"]
        (source,) = volume["projected"]["sources"]
        file = f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
        assert settings.link_token_file == file
        assert pod_of(program)["terminationGracePeriodSeconds"] > settings.drain_delay + 600


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_may_do_as_little_as_possible_on_its_node(program: str) -> None:
    """Pod security standard "restricted", and a file system that it can't write."""
    pod, container = pod_of(program), container_of(program)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (
        set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == {"cpu", "memory"}
    )
    assert {"readinessProbe", "livenessProbe"} <= set(container)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_has_an_account_a_budget_and_replicas_that_keep_apart(program: str) -> None:
    name = f"zerogate-{program}"
    deployment = of_kind("Deployment")[name]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert pod_of(program)["serviceAccountName"] == name
    assert name in of_kind("ServiceAccount")
    for binding in (of_kind("ClusterRoleBinding")[name], of_kind("RoleBinding")[name]):
        assert [subject["name"] for subject in binding["subjects"]] == [name]
        assert binding["roleRef"]["name"] == name
    assert of_kind("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == labels
    spread = pod_of(program)["topologySpreadConstraints"]
    assert all(each["labelSelector"]["matchLabels"] == labels for each in spread)
    assert "kubernetes.io/hostname" in {each["topologyKey"] for each in spread}
    # A number beside a HorizontalPodAutoscaler would be written over its own by each apply.
    has_autoscaler = name in of_kind("HorizontalPodAutoscaler")
    assert deployment["spec"].get("replicas") == (None if has_autoscaler else 2)
    assert not has_autoscaler or of_kind("HorizontalPodAutoscaler")[name]["spec"]["minReplicas"] == 2


def test_rights_name_what_they_are_for() -> None:
    for role in (*of_kind("ClusterRole").values(), *of_kind("Role").values()):
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert not {"secrets", "serviceaccounts/token"} & set(rule["resources"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_port_is_reached_by_those_that_a_policy_names(program: str) -> None:
    name = f"zerogate-{program}"
    reached = set()
    for policy in of_kind("NetworkPolicy").values():
        selector = policy["spec"]["podSelector"]
        chosen = [selector.get("matchLabels", {}).get("app.kubernetes.io/name")]
        for each in selector.get("matchExpressions", ()):
            chosen += each["values"]
        if name in chosen:
            rules = policy["spec"]["ingress"]
            reached |= {port["port"] for rule in rules for port in rule["ports"]}
    assert reached == set(ports_of(program).values())
    assert of_kind("NetworkPolicy")["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}


def test_each_service_leads_to_a_port_that_is_there() -> None:
    targets = {
        name: [port["targetPort"] for port in service["spec"]["ports"]]
        for name, service in of_kind("Service").items()
    }
    assert targets == {"zerogate-activator": ["public"], "zerogate-local-gateway": ["local"]}
    assert set(ports_of("activator")) >= {"public", "local"}


def test_the_wake_policy_compares_every_field_of_a_deployment() -> None:
    """A field that it forgot could be patched together with replicas."""
    models = json.loads((ROOT / "embedded" / "schema" / "schemas.json").read_text())["models"]
    fields = {field.rstrip("!") for field in models["V1DeploymentSpec"]}
    policy = of_kind("ValidatingAdmissionPolicy")["zerogate-wake"]["spec"]
    rules = " ".join(rule["expression"] for rule in policy["validations"])
    compared = set(re.findall(r"object\.spec\.\??(\w+) == oldObject\.spec", rules))
    assert compared == fields - {"replicas"}
    compared = set(re.findall(r"object\.metadata\.\??(\w+) == oldObject\.metadata", rules))
    assert compared == {"labels", "annotations", "ownerReferences", "finalizers"}


@pytest.mark.parametrize("file", sorted(CONFIG.glob("config-*.yaml")), ids=lambda file: file.stem)
def test_each_key_of_a_config_map_is_explained(file: Path) -> None:
    """By a comment above it, or above the keys that it stands directly below."""
    head, _, data = file.read_text().partition("\ndata:\n")
    assert head.startswith("# ")
    explained = len(head.split("apiVersion:")[0].splitlines()) >= 3
    for line in data.splitlines():
        if not line.strip():
            explained = False
        elif line.startswith("  #"):
            explained = True
        elif re.match(r"  [\w.-]+:", line):
            assert explained, f"{file.name}: {line.strip()} has no comment"
