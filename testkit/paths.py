"""Folders of the checkout that tests, the testkit and benchmarks read."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
SAMPLE = CONFIG / "samples" / "helloworld-go.yaml"
