"""What is shipped in config/ is what the code says it is."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kube.objects import Obj
from kube.resources import CONFIGMAPS
from serving import policies
from serving.configs import COMPILED, PARSERS, parse_configs
from serving.crds import custom_resources, manifest
from serving.rules.rows import written
from serving.validation import admit
from testkit.paths import CONFIG

MAPS = {path.stem: yaml.safe_load(path.read_text()) for path in CONFIG.glob("config-*.yaml")}


def test_the_shipped_definitions_are_those_of_the_code() -> None:
    assert (CONFIG / "crds.yaml").read_text() == manifest()


def test_the_shipped_policies_are_those_of_the_code() -> None:
    assert (CONFIG / "admission-policies.yaml").read_text() == policies.manifest()


def test_the_readme_has_the_table_of_what_is_refused() -> None:
    """``python -m serving.rules.rows <README.md`` writes it."""
    readme = (CONFIG.parent / "README.md").read_text()
    assert readme == written(readme)


@pytest.mark.parametrize("name", sorted(MAPS))
def test_a_shipped_config_map_is_taken(name: str) -> None:
    obj = MAPS[name]
    assert (obj["metadata"]["name"], obj["metadata"]["namespace"]) == (name, "zerogate-system")
    assert all(isinstance(value, str) for value in obj.get("data", {}).values())
    admit(CONFIGMAPS, obj, None, {})


def test_every_config_map_that_is_read_is_shipped() -> None:
    assert set(PARSERS) <= set(MAPS)


def test_the_shipped_maps_differ_from_the_defaults_where_they_say_so_only() -> None:
    shipped = parse_configs({name: obj.get("data", {}) for name, obj in MAPS.items()})
    assert shipped.broken == {}
    assert shipped.defaults == COMPILED.defaults
    assert shipped.gc == COMPILED.gc
    assert shipped.features == COMPILED.features
    assert shipped.network == COMPILED.network
    assert list(shipped.domain.domains) == ["example.com"]
    assert not shipped.deployment.automount_service_account_token
    assert shipped.deployment.progress_deadline == COMPILED.deployment.progress_deadline


def test_a_map_that_cannot_be_read_leaves_what_held_before() -> None:
    before = parse_configs({"config-gc": {"min-non-active-revisions": "3"}})
    after = parse_configs({"config-gc": {"min-non-active-revisions": "x"}}, before)
    assert after.gc == before.gc
    assert after.broken == {"config-gc": "min-non-active-revisions: 'x' is not a whole number"}


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for key, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


@pytest.mark.parametrize("crd", custom_resources(), ids=lambda crd: crd["spec"]["names"]["kind"])
def test_a_schema_is_structural(crd: Obj) -> None:
    """Every node has a type (or is an int-or-string), as an API server demands."""
    for path, schema in nodes(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]):
        assert schema.get("type") or schema.get("x-kubernetes-int-or-string"), path
