"""What a run leaves: results/proxy.json, its picture, and README's table, which is made of the JSON.

`python -m bench.proxy.published` writes the table again.
"""

import json
import textwrap
from pathlib import Path
from typing import Any

from bench.proxy.figures import FIGURES, Judged, judged, spread
from bench.proxy.names import GO, NGINX, OURS
from bench.report import RESULTS
from testkit.paths import ROOT

MARK = "<!-- proxy -->\n"
README = ROOT / "README.md"
JSON = RESULTS / "proxy.json"
PEERS = sorted((ROOT / "bench" / "proxy" / "conf").iterdir())
"""What the peers and the pods are told; the JSON repeats it."""


def table(result: dict[str, Any]) -> str:
    """The figures as Markdown, below what they were measured under."""
    heads = ["median (least to most) of the rounds", OURS, NGINX, "Go's ReverseProxy", "bar"]
    rows = [_row(heads), _row(["---"] * len(heads))]
    for key, figure in result["figures"].items():
        what, unit, _, digits = FIGURES[key]
        cells = [_cell(figure["values"].get(name), digits) for name in (OURS, NGINX, GO)]
        rows.append(_row([f"{what}, {unit}", *cells, "; ".join(map(_verdict, judged(key, figure)))]))
    return "\n".join([_circumstances(result), "", *rows, ""])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(values: list[float] | None, digits: int) -> str:
    if values is None:
        return "-"
    least, middle, most = (f"{value:,.{digits}f}" for value in spread(values))
    return f"{middle} ({least} to {most})"


def _verdict(found: Judged) -> str:
    bar = found.bar
    said = f"{found.value:.2f} of {bar.against}" if bar.against else f"{found.value:.3g}"
    if found.most is None:
        return f"{said}, reported"
    limit = f"at most {bar.source + ', ' if bar.source else ''}{found.most:.3g}"
    return f"{said}, {limit}" if found.is_met else f"{said}, {limit}: **missed**"


def _circumstances(result: dict[str, Any]) -> str:
    machine, settings = result["machine"], result["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    compiled = "After" if settings.get("hot_modules_are_compiled") else "Without"
    said = (
        f"{compiled} `make native`; {settings['rounds']} rounds of {settings['seconds']:g} s for each; "
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; Python {machine['python']}, "
        f"uvloop {machine['packages']['uvloop']}; {versions}. Others had {_others(result):.0%} of the "
        f"proxy's core in the middle round, {_others(result, most=True):.0%} in the worst."
    )
    return textwrap.fill(said, 120, break_on_hyphens=False)


def _others(result: dict[str, Any], *, most: bool = False) -> float:
    shares = [
        share
        for figure in result["figures"].values()
        if not figure.get("cores_are_shared")
        for given in figure.get("others_share_of_core", {}).values()
        for share in given
    ]
    return spread(shares or [0.0])[2 if most else 1]


def written(readme: str, result: dict[str, Any]) -> str:
    """README with the table between its marks."""
    before, _, after = readme.split(MARK)
    return before + MARK + table(result) + MARK + after


def drawn(result: dict[str, Any], path: Path) -> None:
    """Costs as multiples of nginx's, and added latencies."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants the picture needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    colours = {OURS: "#1e5f74", NGINX: "#c9d6df", GO: "#c98b2b"}
    figures = result["figures"]
    costs = [key for key in ("warm", "bare", "answers", "uploads", "connections") if key in figures]
    waits = [key for key in ("latency_p50", "latency_p99") if key in figures]
    picture, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), width_ratios=[5, 2])

    def bars(axis: Any, place: int, name: str, values: list[float]) -> None:
        least, middle, most = spread(values)
        offset = [*colours].index(name) - 1
        axis.bar(
            place + offset * 0.27, middle, 0.25, yerr=[[middle - least], [most - middle]],
            color=colours[name], error_kw={"elinewidth": 0.8}, label=name if place == 0 else None,
        )  # fmt: skip

    for place, key in enumerate(costs):
        for name in filter(figures[key]["values"].__contains__, colours):
            ours = figures[key]["values"][name]
            theirs = figures[key]["values"][NGINX]
            bars(left, place, name, [a / b for a, b in zip(ours, theirs, strict=True)])
    for place, key in enumerate(waits):
        for name in filter(figures[key]["values"].__contains__, colours):
            bars(right, place, name, figures[key]["values"][name])
    left.axhline(1.5, color="#888888", linewidth=0.8, linestyle="--")
    left.set_xticks(range(len(costs)), costs)
    left.set_ylabel("CPU time, nginx = 1")
    left.legend()
    right.set_xticks(range(len(waits)), [key.partition("_")[2] for key in waits])
    right.set_ylabel("ms added at 1,000 requests/s")
    picture.tight_layout()
    picture.savefig(path, dpi=120)
    plt.close(picture)


def main() -> None:
    """Write README's table from the JSON that is there."""
    README.write_text(written(README.read_text(), json.loads(JSON.read_text())))


if __name__ == "__main__":
    main()
