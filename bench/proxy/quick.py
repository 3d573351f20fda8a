"""The ratio to nginx of warm requests, for who works on the hot path: `python -m bench.proxy --quick`."""

import json
import os
from pathlib import Path
from statistics import median

from bench.proxy.figures import ratios, spread
from bench.proxy.names import NGINX
from bench.proxy.rounds import Rounds
from bench.proxy.rows import stage


def run(folder: Path, rounds: Rounds) -> None:
    """Print both costs and their ratio; nothing is kept."""
    mode = os.environ.get("ZEROGATE_NATIVE", "auto")
    with stage(folder / "quick", with_go=False, native=mode) as peers:
        figure = peers.figures("warm", rounds)["warm"]
    for name, values in figure["values"].items():
        spelt = " ".join(f"{value:6.1f}" for value in spread(values))
        print(f"{name:10} {spelt} µs CPU per request (min median max)")
    costs = {name: median(values) for name, values in figure["values"].items()}
    shares = [share for given in figure["others_share_of_core"].values() for share in given]
    told = {"cpu_us": costs, "ratio": round(median(ratios(figure, NGINX)), 2), "others": max(shares)}
    print(json.dumps(told))
