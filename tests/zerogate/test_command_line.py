"""Flags, variables, addresses, manifests: what a user types and what becomes of it."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.objects import Obj
from kube.resources import CONFIGMAPS
from zerogate import cli, manifests, shipped
from zerogate.addresses import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        (":80", Address("", 80)),
        ("[::1]:8080", Address("::1", 8080)),
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["8080", "a:b", "::1:80", "host:99999", "host:", ""])
def test_what_is_no_address_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port, for example 127\.0\.0\.1:8080"):
        parse_address(text)


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    """One name for each setting."""
    environment = {"ZEROGATE_GATEWAY": "127.0.0.1:1", "ZEROGATE_ADMIN": "127.0.0.1:2"}
    parsed = cli.parse(["up", "--gateway", "127.0.0.1:3"], environment)
    assert (parsed.gateway.port, parsed.admin.port, parsed.api.port) == (3, 2, 8001)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["up", "--gateway", "x"], {}, "--gateway: 'x' is no address"),
        (["up"], {"ZEROGATE_GATEWAY": "x"}, "'x' is no address"),
        (["up", "--workers", "-1"], {}, "--workers: '-1'"),
        (["up", "--workers", "257"], {}, "up to 256"),
        (["activator", "--drain-delay", "5"], {}, "--drain-delay: '5' is no duration"),
        (["activator", "--trusted-proxies", "10.0.0.1/8"], {}, "--trusted-proxies: 10.0.0.1/8 has host bits"),
        (["activator", "--max-held-requests", "-1"], {}, "--max-held-requests: '-1'"),
        (["activator", "--max-held-bytes", "much"], {}, "--max-held-bytes: "),
        (["nonsense"], {}, "invalid choice: 'nonsense'"),
        ([], {}, "required: COMMAND"),
    ],
)
def test_wrong_usage_is_status_2_and_names_the_setting(
    arguments: list[str], environment: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.parse(arguments, environment)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


def test_help_names_each_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parse(["up", "--help"], {})
    printed = capsys.readouterr().out
    assert set(re.findall(r"ZEROGATE_\w+", printed)) >= {"ZEROGATE_GATEWAY", "ZEROGATE_API", "ZEROGATE_DATA"}


def test_what_is_shipped_is_whole() -> None:
    """The sample, the CRDs and the config maps are found and are objects."""
    assert "helloworld-go" in shipped.sample_names()
    assert {crd["spec"]["names"]["kind"] for crd in shipped.custom_resources()} == {
        "Service", "Configuration", "Revision", "Route",
    }  # fmt: skip
    maps = shipped.config_maps()
    assert {obj["kind"] for obj in maps} == {CONFIGMAPS.kind}
    assert {"config-autoscaler", "config-images", "config-domain"} <= {o["metadata"]["name"] for o in maps}


@pytest.mark.parametrize("text", ["a: [", "just text", "kind: X", "- a"])
def test_yaml_that_holds_no_objects_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"YAML|apiVersion"):
        list(shipped.objects_of(text))


def _config_map(**data: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data}


def _merged(live: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    for name, value in patch.items():
        if value is None:
            live.pop(name, None)
        elif isinstance(value, dict) and isinstance(live.get(name), dict):
            _merged(live[name], value)
        else:
            live[name] = value
    return live


def test_applying_the_same_again_changes_nothing() -> None:
    live = manifests.with_last_applied(_config_map(a="1"))
    assert manifests.merge_patch_for(live, _config_map(a="1")) == {}


def test_a_field_that_left_the_manifest_is_removed_and_a_strangers_is_kept() -> None:
    """Three ways: what was applied last, what is wanted, what is there."""
    live = manifests.with_last_applied(_config_map(a="1", b="2"))
    live["data"]["foreign"] = "kept"
    patch = manifests.merge_patch_for(live, _config_map(a="9"))
    assert _merged(live, patch)["data"] == {"a": "9", "foreign": "kept"}


_trees = st.recursive(
    st.text("ab", max_size=2), lambda inner: st.dictionaries(st.text("xyz", min_size=1, max_size=1), inner)
)


@given(
    st.dictionaries(st.text("xyz", min_size=1, max_size=1), _trees),
    st.dictionaries(st.text("xyz", min_size=1, max_size=1), _trees),
)
def test_any_manifest_after_any_other_ends_as_if_it_had_been_first(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """apply(a) then apply(b) is apply(b), as long as nobody else wrote."""
    live = manifests.with_last_applied(_config_map(**before))
    wanted = manifests.with_last_applied(_config_map(**after))
    _merged(live, json.loads(json.dumps(manifests.merge_patch_for(live, _config_map(**after)))))
    assert live == wanted
