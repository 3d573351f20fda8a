"""README is true: what it names exists."""

import re

import pytest

from testkit.paths import ROOT
from zerogate import cli

README = (ROOT / "README.md").read_text()
TESTS = {
    name
    for folder in ("tests", "bench")
    for path in (ROOT / folder).rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text())
}


def test_each_norm_has_the_test_it_names() -> None:
    """A norm without its test is a wish."""
    named = set(re.findall(r"`(test_\w+)`", README))
    assert len(named) > 30
    assert named <= TESTS, f"README names tests that do not exist: {sorted(named - TESTS)}"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\w+)  ", README))))
def test_each_make_target_that_is_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_each_folder_that_is_named_exists() -> None:
    for folder in re.findall(r"^\| `(\w+)/`", README, re.MULTILINE):
        assert (ROOT / folder).is_dir()


def test_each_setting_has_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    """The flag, the variable and the documentation call it alike."""
    with pytest.raises(SystemExit):
        cli.parse(["up", "--help"], {})
    assert "ZEROGATE_GATEWAY" in capsys.readouterr().out
    assert "`ZEROGATE_GATEWAY`" in README
