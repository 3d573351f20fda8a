"""A wheel installed into an empty folder is all one needs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from testkit.machines.laptop import Machine, host
from testkit.paths import ROOT


def _environment(folder: Path) -> dict[str, str]:
    """The wheel's modules alone; they are pure Python, whatever this run tests."""
    return {"PYTHONPATH": str(folder / "lib"), "ZEROGATE_NATIVE": "auto"}


def _python(folder: Path, *arguments: Any) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, check=False, timeout=240, cwd=folder,
        env={**os.environ, **_environment(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_runs_the_walk_through_from_an_empty_folder(tmp_path: Path) -> None:
    """It carries the custom resources, the config maps, the samples and their server."""
    pip = ("-m", "pip", "--quiet")
    _python(tmp_path, *pip, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("zerogate-*.whl")
    _python(tmp_path, *pip, "install", "--no-deps", "--target", str(tmp_path / "lib"), str(wheel))
    home = _python(tmp_path, "-c", "import zerogate; print(zerogate.__file__)").strip()
    assert home.startswith(str(tmp_path)), "the test must not see the checkout"
    assert _python(tmp_path, "-m", "zerogate", "sample").split() == ["helloworld-go", "plain-deployment"]
    (tmp_path / "mine.yaml").write_text(_python(tmp_path, "-m", "zerogate", "sample", "helloworld-go"))

    machine = Machine(tmp_path, environment=_environment(tmp_path))
    try:
        machine.start("-f", "mine.yaml")
        machine.wait_ready("helloworld-go")
        assert machine.curl(host("helloworld-go")) == "Hello World!\n"
        machine.quick_windows()
        machine.wait_pods("helloworld-go-00001", 0)
        assert machine.curl(host("helloworld-go")) == "Hello World!\n"
        assert machine.stop() == 0
    finally:
        machine.kill()
