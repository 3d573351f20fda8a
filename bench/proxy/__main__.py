"""What the proxy costs beside nginx and Go's ReverseProxy.

Everything is on this machine: the proxy that is measured has one core to itself; clients, pods and the
control process of `zerogate up` have the others.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import report
from bench.proxy import figures, published, quick
from bench.proxy.cores import one_core, several_cores
from bench.proxy.parts import demand, go_peer, versions
from bench.proxy.rounds import Rounds
from bench.proxy.rows import APART, LOADS, RATE, ROWS, Figures, stage
from testkit.paths import ROOT
from zerogate import native


def say(text: str) -> None:
    """Progress, for who waits."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


@contextmanager
def kept_if_failed() -> Iterator[Path]:
    """A folder that is removed when all went well, and named when not."""
    folder = Path(tempfile.mkdtemp(prefix="zerogate-bench-"))
    folder.chmod(0o755)  # a pod started by root reads its file as nobody
    try:
        yield folder
    except BaseException:
        say(f"logs: {folder}")
        raise
    shutil.rmtree(folder)


def measured(wanted: list[str], rounds: Rounds, folder: Path) -> Figures:
    """The figures of some rows."""
    found: Figures = {}

    def note(row: str, more: Figures) -> None:
        found.update(more)
        for key, figure in more.items():
            say(f"{row}: {key} {json.dumps(figure['values'])}")

    together = [row for row in wanted if row not in APART]
    if together:
        say("starting the gateway and its peers")
        with stage(folder / "together") as peers:
            for row in together:
                note(row, peers.figures(row, rounds))
    for row in wanted:
        if row in APART:
            apart = folder / row
            apart.mkdir()
            note(row, APART[row](apart, rounds))
    return {key: found[key] for key in figures.FIGURES if key in found}


def settings(rounds: Rounds) -> dict[str, Any]:
    """What the figures were measured with."""
    alone, several = one_core(), several_cores()
    return {
        "rounds": rounds.number,
        "seconds": rounds.seconds,
        "versions": versions(go_peer()),
        "hot_modules_are_compiled": native.folder().is_dir(),
        "load_average_before": os.getloadavg(),
        "cores": {"proxy": sorted(alone.proxy), "clients, pods, control process": sorted(alone.rest)},
        "cores_of_workers": {"proxy": sorted(several.proxy), "rest": sorted(several.rest)},
        "loads": {key: load._asdict() for key, load in LOADS.items()},
        "latency": {"requests_per_second": RATE},
        "peers": {path.name: path.read_text() for path in published.PEERS},
        "knative_cpu_us_cited": figures.KNATIVE,
    }


def printed(found: Figures) -> str:
    """Each figure of each peer."""
    rows = [["figure", "unit", "of", "min", "median", "max"]]
    for key, figure in found.items():
        _, unit, _, digits = figures.FIGURES[key]
        for name, values in figure["values"].items():
            rows.append([key, unit, name, *(f"{value:.{digits}f}" for value in figures.spread(values))])
    return report.table(rows)


def main() -> None:
    """Run the rows named, or all; only a run of all leaves the JSON, the picture and README's table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.proxy", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each peer in each round")
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="the ratio to nginx of warm requests alone")
    options = parser.parse_args()
    os.environ["PATH"] = f"{ROOT / '.cache' / 'bin'}:{os.environ['PATH']}"
    demand("nginx", "wrk", "kubectl")
    rounds = Rounds(options.rounds, options.seconds)
    with kept_if_failed() as folder:
        if options.quick:
            quick.run(folder, rounds)
            return
        wanted = options.only or list(ROWS)
        stated = settings(rounds)
        found = measured(wanted, rounds, folder)
    print(printed(found))
    name = "proxy" if len(wanted) == len(ROWS) else "proxy-" + "-".join(wanted)
    where = report.written(name, {"settings": stated, "figures": found})
    result = json.loads(where.read_text())
    print(f"\n{published.table(result)}\n{where.relative_to(ROOT)}")
    if name == "proxy":
        published.drawn(result, where.with_suffix(".png"))
        published.main()


if __name__ == "__main__":
    main()
