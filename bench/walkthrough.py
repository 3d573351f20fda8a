"""The walk-through with hey and the real 90 seconds, beside the tutorial's figures and Knative's own.

`make bench` runs it; results/walkthrough.json and results/walkthrough.png are what it leaves. Parts may be
named: `python -m bench.walkthrough start walk scale speed cold burst held`.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import hey, report
from testkit import load
from testkit.machines.laptop import Machine, host, service
from testkit.paths import ROOT, SAMPLE
from testkit.waiting import wait_for

NAME = "helloworld-go"
REVISION = f"{NAME}-00001"

# Figures of others. The tutorial: one published run of Knative on a managed cluster. Knative Serving: its own
# code on two cores such as these.
TUTORIAL = {
    "cold_request": 2.728,
    "requests_per_second": 2539.9,
    "average": 0.0197,
    "p50": 0.0154,
    "p90": 0.0324,
    "p95": 0.0421,
    "p99": 0.0582,
    "slowest": 2.16,
    "pods": 5,
}
KNATIVE = {
    "cold_request": 1.229,
    "requests_per_second": 3688,
    "p99": 0.087,
    "slowest": 0.374,
    "burst_slowest": 1.359,
}


def say(text: str) -> None:
    """Progress, for who waits."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def tree_rss(root: int, *, but: Callable[[str], bool]) -> float:
    """MiB resident of a process and its descendants, without those whose command `but` names."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    total = 0
    for pid in family:
        try:
            if but((Path("/proc") / str(pid) / "cmdline").read_text()):
                continue
            for line in (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total / 1024


def start(machine: Machine) -> dict[str, Any]:
    """How long `up` takes until it says that it is ready, and what it weighs with the sample idle."""
    say("start: zerogate up, five times")
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        machine.start("-f", str(SAMPLE))
        seconds.append(time.monotonic() - began)
        machine.wait_ready(NAME)
        last = machine.started.pid
        rss = tree_rss(last, but=lambda command: "helloworld.py" in command)
        machine.stop()
    return {"seconds_until_ready": seconds, "tree_rss_mib_without_pods": round(rss, 1)}


def timed_curl(machine: Machine, name: str = NAME) -> float:
    """Seconds until the first byte of an answer, as curl tells; the answer must be the sample's."""
    printed = machine.curl(host(name), "-w", "%{http_code} %{time_starttransfer}")
    body, told = printed.rsplit("\n", 1)
    if (body, told.split()[0]) != ("Hello World!", "200"):
        raise SystemExit(f"a request failed: {printed}")
    return float(told.split()[1])


def walk(machine: Machine) -> dict[str, Any]:
    """Ask, be silent for the real 90 seconds, ask again, press for 30 seconds."""
    machine.start("-f", str(SAMPLE))
    machine.wait_ready(NAME)
    warm = timed_curl(machine)
    say("walk: silence; the last pod goes after about 90 s")
    began = time.monotonic()
    wait_for("the last pod to go", lambda: machine.pod_count(REVISION) == 0, 120, 0.25)
    silence = time.monotonic() - began
    say(f"walk: it went after {silence:.1f} s; a cold request, then hey for 30 s")
    cold = timed_curl(machine)
    pressed = hey.start(url(machine), host(NAME), seconds=30, clients=50)
    counts = sampled_pods(machine, 10, 29)
    result = hey.parse(pressed.communicate()[0])
    machine.stop()
    return {
        "warm_request": warm,
        "seconds_until_zero": silence,
        "cold_request": cold,
        "hey": result,
        "pods": counts,
    }


def url(machine: Machine) -> str:
    """The gateway's address."""
    return f"http://{machine.door}/"


def sampled_pods(machine: Machine, first: float, last: float) -> list[int]:
    """The number of pods at each second from `first` to `last`, counted from now."""
    began = time.monotonic()
    counts = []
    for second in range(int(first), int(last)):
        time.sleep(max(0.0, began + second - time.monotonic()))
        counts.append(machine.pod_count(REVISION))
    return counts


def scale(machine: Machine) -> dict[str, Any]:
    """Pods by requests in flight: each number of clients and target, each second from the tenth on."""
    found = {}
    for clients, target, wanted in ((50, 10, 5), (35, 10, 4), (95, 10, 10), (50, 20, 3)):
        say(f"scale: {clients} clients, target {target}")
        manifest = service(NAME, annotations={"autoscaling.knative.dev/target": str(target)})
        machine.start()
        machine.apply(manifest)
        machine.wait_ready(NAME)
        pressed = hey.start(url(machine), host(NAME), seconds=25, clients=clients)
        counts = sampled_pods(machine, 10, 24)
        result = hey.parse(pressed.communicate()[0])
        machine.stop()
        found[f"{clients} clients, target {target}"] = {
            "wanted": wanted, "pods": counts, "statuses": result["statuses"], "errors": result["errors"],
        }  # fmt: skip
        fresh(machine)
    return found


def fresh(machine: Machine) -> None:
    """Forget all services of the machine."""
    subprocess.run(["rm", "-rf", str(machine.data)], check=True)


def speed(machine: Machine) -> dict[str, Any]:
    """Service time 0: client, gateway and pods on the same cores."""
    say("speed: service time 0, hey -c 50 for 20 s")
    machine.start()
    machine.apply(service(NAME, env={"DELAY": "0"}))
    machine.wait_ready(NAME)
    pressed = hey.start(url(machine), host(NAME), seconds=20, clients=50)
    counts = sampled_pods(machine, 10, 19)
    state = debug_state(machine)
    result = hey.parse(pressed.communicate()[0])
    machine.stop()
    return {"hey": result, "pods": counts, "state": state}


def debug_state(machine: Machine) -> Any:
    """What the autoscaler says of the revision."""
    import json  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    request = urllib.request.Request(
        f"http://127.0.0.1:{machine.admin}/debug/state",
        headers={"Authorization": f"Bearer {(machine.data / 'token').read_text()}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["autoscaler"]["revisions"][f"default/{REVISION}"]


def alone(port: int) -> float:
    """Seconds from fork to the first successful connect of the sample, started by us alone."""
    command = [sys.executable, "-I", "-S", str(ROOT / "zerogate" / "samples" / "helloworld.py")]
    began = time.monotonic()
    process = subprocess.Popen(
        command, env={**os.environ, "PORT": str(port), "DELAY": "0"}, stdout=subprocess.DEVNULL
    )
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and probe.getsockname() != probe.getpeername():
                break
        time.sleep(0.0005)
    taken = time.monotonic() - began
    process.send_signal(signal.SIGKILL)
    process.wait()
    return taken


def cold(machine: Machine, wakes: int = 50, services: int = 5) -> dict[str, Any]:
    """A cold request's time to first byte, less what the same program takes when started alone, in pairs.

    The services take turns, so that each has time to fall asleep again.
    """
    say(f"cold: {wakes} wakes from zero, each beside a start of the program alone")
    machine.start()
    machine.quick_windows()
    names = [f"cold-{number}" for number in range(services)]
    machine.apply(*(service(name, env={"DELAY": "0"}) for name in names))
    for name in names:
        machine.wait_ready(name)
    totals, over = [], []
    for number in range(wakes):
        name = names[number % services]
        wait_for(
            "zero pods",
            lambda name=name: not machine.get("pods", "-l", f"app={name}-00001")["items"],
            60,
            0.25,
        )
        time.sleep(0.5)
        reference = alone(19_000 + number)
        time.sleep(0.3)
        total = timed_curl(machine, name)
        totals.append(total)
        over.append(total - reference)
        if number % 10 == 9:
            say(f"cold: {number + 1} of {wakes}: overhead p50 {report.percentile(over, 0.5) * 1000:.1f} ms")
    machine.stop()
    return {
        "wakes": wakes,
        "overhead": {p: report.percentile(over, s) for p, s in (("p50", 0.5), ("p99", 0.99))},
        "total": {p: report.percentile(totals, s) for p, s in (("p50", 0.5), ("p99", 0.99))},
        "overheads": over, "totals": totals,
    }  # fmt: skip


def burst(machine: Machine) -> dict[str, Any]:
    """`hey -c 50` for 30 s, started at zero pods."""
    machine.start()
    machine.quick_windows()
    machine.kubectl("apply", "-f", str(SAMPLE))
    machine.wait_ready(NAME)
    wait_for("zero pods", lambda: not machine.get("pods")["items"], 60, 0.25)
    say("burst: hey for 30 s from zero")
    result = hey.run(url(machine), host(NAME), seconds=30, clients=50)
    machine.stop()
    return result


def held(machine: Machine) -> dict[str, Any]:
    """1,000 requests held while the one pod takes 20 s to listen."""
    machine.start()
    machine.quick_windows()
    annotations = {"autoscaling.knative.dev/max-scale": "1"}
    machine.apply(service(NAME, env={"LISTEN_AFTER": "20s"}, annotations=annotations))
    machine.wait_ready(NAME, deadline=60)
    wait_for("zero pods", lambda: not machine.get("pods")["items"], 60, 0.25)
    say("held: 1,000 requests, the pod listens after 20 s")
    outcome = load.burst(machine.door, host(NAME), 1000, 90)
    machine.stop()
    return {"answers": dict(outcome.answers), "failures": outcome.failures}


PARTS: dict[str, Callable[[Machine], dict[str, Any]]] = {
    "start": start, "walk": walk, "scale": scale, "speed": speed, "cold": cold, "burst": burst, "held": held,
}  # fmt: skip


def printed(results: dict[str, Any]) -> str:
    """The table beside the figures of others."""
    rows = [["figure", "Zerogate here", "tutorial", "Knative, two cores"]]

    def row(what: str, ours: str, key: str) -> None:
        rows.append([what, ours, str(TUTORIAL.get(key, "-")), str(KNATIVE.get(key, "-"))])

    if "walk" in results:
        walked = results["walk"]
        row("cold request, s", f"{walked['cold_request']:.3f}", "cold_request")
        for key in ("requests_per_second", "average", "p50", "p90", "p95", "p99", "slowest"):
            row(key.replace("_", " "), f"{walked['hey'][key]:g}", key)
        row("answers by status", str(walked["hey"]["statuses"]), "")
        row("pods, second 10 to 29", str(sorted(set(walked["pods"]))), "pods")
        row("seconds of silence until zero", f"{walked['seconds_until_zero']:.1f}", "")
    if "cold" in results:
        row("cold request p50, s", f"{results['cold']['total']['p50']:.3f}", "cold_request")
        row(
            "  of it ours p50 / p99, ms",
            " / ".join(f"{v * 1000:.1f}" for v in results["cold"]["overhead"].values()),
            "",
        )
    if "burst" in results:
        row("hey from zero: slowest, s", f"{results['burst']['slowest']:.3f}", "burst_slowest")
    if "speed" in results:
        row("requests/s, service time 0", f"{results['speed']['hey']['requests_per_second']:.0f}", "")
    if "start" in results:
        row("up ready after, s (slowest of 5)", f"{max(results['start']['seconds_until_ready']):.2f}", "")
        row("memory without pods, MiB", f"{results['start']['tree_rss_mib_without_pods']}", "")
    if "held" in results:
        row("1,000 held for 20 s", str(results["held"]["answers"]), "")
    for name, run in results.get("scale", {}).items():
        row(f"pods at {name} (wanted {run['wanted']})", str(sorted(set(run["pods"]))), "")
    return report.table(rows)


def drawn(results: dict[str, Any], path: Path) -> None:
    """The cold starts as a picture."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants the picture needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axis = plt.subplots(figsize=(8, 3.5))
    totals = [value * 1000 for value in results["cold"]["totals"]]
    over = [value * 1000 for value in results["cold"]["overheads"]]
    axis.bar(range(len(totals)), totals, color="#c9d6df", label="cold request, total")
    axis.bar(
        range(len(over)), over, color="#1e5f74", label="of it ours (total less the program started alone)"
    )
    axis.set_xlabel("wake")
    axis.set_ylabel("ms")
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the parts named, or all."""
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        sys.exit(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    results: dict[str, Any] = {}
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(Path(folder))
            try:
                results[name] = PARTS[name](machine)
            finally:
                machine.kill()
    print(printed(results))
    where = report.written(
        "walkthrough" if len(wanted) == len(PARTS) else "walkthrough-" + "-".join(wanted), results
    )
    print(f"\n{where.relative_to(ROOT)}")
    if "cold" in results:
        drawn(results, where.with_suffix(".png"))


if __name__ == "__main__":
    main()
