"""What libFuzzer runs: `python -m testkit.fuzz requests|answers [libFuzzer's options and folders]`."""

import importlib
import sys

import atheris

with atheris.instrument_imports(include=["activator"]):
    target = importlib.import_module(f"testkit.fuzz.{sys.argv[1]}")

atheris.Setup([sys.argv[0], *sys.argv[2:]], target.one_input)
atheris.Fuzz()
