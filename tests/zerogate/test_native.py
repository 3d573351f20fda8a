"""The hot modules, compiled: when they are used, and that none of the hot path is left out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zerogate
from zerogate import native


def run(code: str, mode: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=False, cwd=native.ROOT,
        env={**os.environ, "ZEROGATE_NATIVE": mode},
    )  # fmt: skip


def test_this_suite_runs_what_it_was_asked_to_run() -> None:
    """`ZEROGATE_NATIVE=on` has compiled modules in all tests, otherwise none of them is."""
    from activator.edge.http import relay  # noqa: PLC0415

    assert (os.environ["ZEROGATE_NATIVE"] == "on") == zerogate.IS_NATIVE
    assert relay.__file__.endswith(".so" if zerogate.IS_NATIVE else ".py")


def test_what_a_warm_request_goes_through_is_compiled() -> None:
    """Each module of the packages on its way is in the list, or has its reason here."""
    reasons = {
        "activator.edge.http.faults": "hooks that raise, alone",
        "activator.edge.http.hangups": "requests in mid-body that wait, alone",
        "activator.edge.http.kernel": "calls into the kernel, alone",
        "activator.edge.http.listener": "connections, not requests; tasks",
        "activator.edge.http.sweep": "a timer",
        "activator.http.greeting": "a connection between activators, alone",
    }
    folders = ("activator.edge.http", "activator.hold", "activator.http")
    found = {
        f"{folder}.{path.stem}"
        for folder in folders
        for path in native.source(folder).with_suffix("").glob("*.py")
        if path.stem != "__init__"
    }
    assert found - set(native.MODULES) == reasons.keys()
    assert all(native.source(module).exists() for module in native.MODULES)


def test_other_sources_are_another_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So what was compiled of them is never used for these."""
    was = native.folder()
    copy = tmp_path / "copy.py"
    copy.write_text(native.source(native.MODULES[0]).read_text() + "\n")
    real = native.source
    monkeypatch.setattr(native, "source", lambda name: copy if name == native.MODULES[0] else real(name))
    assert native.folder() != was


@pytest.mark.parametrize(
    ("mode", "said"), [("maybe", "ZEROGATE_NATIVE is 'maybe'"), ("on", "`make native` does it")]
)
def test_what_cannot_be_had_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str, said: str
) -> None:
    monkeypatch.setattr(native, "SETS", tmp_path)
    with pytest.raises((ValueError, RuntimeError), match=re.escape(said)):
        native.use(mode)
    assert not native.use("auto")
    assert not native.use("off")


@pytest.mark.skipif(not native.folder().is_dir(), reason="nothing is compiled: `make native`")
@pytest.mark.parametrize("first", native.MODULES)
def test_each_compiled_module_can_be_the_first(first: str) -> None:
    """A compiled module that is imported in an unlucky order would end the process."""
    done = run(f"import zerogate, {first} as module; print(module.__file__)", "on")
    assert done.stdout.strip().endswith(".so"), done.stderr


def test_one_that_is_imported_too_early_is_told() -> None:
    if not native.folder().is_dir():
        pytest.skip("nothing is compiled: `make native`")
    done = run("import activator.http.bodies, zerogate", "on")
    assert "was imported before zerogate" in done.stderr
