"""CPU time per request of the proxy beside nginx's, in the same run: `python bench/proxy_quick.py
[--rounds 3]`.

Both stand on one core, before the same pod (nginx answering 13 bytes) and the same client (wrk, 50 keep-alive
connections, heads of twelve headers with path and cookie varied) on the other. Rounds alternate, so that
what else runs on the machine weighs on both; the ratio is the figure to look at.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = "helloworld-go.default.example.com"
LUA = """
local headers = {
  ["Host"] = "%s",
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  ["Accept-Language"] = "en-US,en;q=0.5",
  ["Accept-Encoding"] = "gzip, deflate, br",
  ["Connection"] = "keep-alive",
  ["Upgrade-Insecure-Requests"] = "1",
  ["Sec-Fetch-Dest"] = "document",
  ["Sec-Fetch-Mode"] = "navigate",
  ["Sec-Fetch-Site"] = "none",
  ["Cache-Control"] = "max-age=0",
}
local n = 0
request = function()
  n = n + 1
  headers["Cookie"] = "session=" .. n .. "abcdef0123456789abcdef0123456789; theme=dark"
  return wrk.format("GET", "/api/v1/items/" .. n .. "?page=" .. (n %% 50) .. "&sort=asc", headers)
end
"""
NGINX = """
worker_processes 1; daemon off; error_log /dev/null; pid {folder}/{name}.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {body}
}}
"""
POD = 'server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "Hello World!\\n"; }} }}'
PROXY = """
upstream pod {{ server 127.0.0.1:{pod}; keepalive 64; keepalive_requests 1000000000; }}
server {{
  listen 127.0.0.1:{port} backlog=4096;
  location / {{
    proxy_pass http://pod; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host
    $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $host;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header Forwarded
    "for=$remote_addr;host=$host;proto=http";
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children, in seconds (proc(5), stat)."""
    total = 0.0
    for each in [pid, *children(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in listed.split()]


def wait_for(port: int) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")


def load(port: int, folder: Path, seconds: int, core: int) -> float:
    """Requests that wrk got answered in so many seconds. SystemExit when one failed."""
    told = subprocess.run(
        ["taskset", "-c", str(core), "wrk", "-t1", "-c50", f"-d{seconds}s", "-s", str(folder / "heads.lua"),
         f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(told)
    return float(told.split(" requests in ")[0].split()[-1])


def serve(port: int, pod: int) -> None:
    """The proxy with one revision, as `zerogate activator` runs it, without a cluster around it."""
    sys.path.insert(0, str(ROOT))
    import uvloop  # noqa: PLC0415 - only in the child

    from activator.edge.http.dispatch import Dispatcher  # noqa: PLC0415
    from activator.edge.http.listener import Listener  # noqa: PLC0415
    from activator.hold.throttle import Room  # noqa: PLC0415
    from activator.revision import Revision  # noqa: PLC0415
    from activator.routes import Router  # noqa: PLC0415
    from serving.routing import HostRoute, Split  # noqa: PLC0415
    from serving.targets import scale_target  # noqa: PLC0415

    async def run() -> None:
        target = scale_target({"metadata": {"namespace": "default", "name": "hello"}, "spec": {}})
        revision = Revision(target, process=Room(1000, 1 << 20), random=random.random)
        router = Router({revision.key: revision}, is_local=False)
        split = Split("default", "hello", 100)
        route = HostRoute(
            host=HOST, namespace="default", owner="hello", owner_kind="Route", tag="", splits=(split,),
            cluster_local=False,
        )  # fmt: skip
        router.replace({HOST: route})
        dispatcher = Dispatcher(on_first=lambda _: None, on_waiting=lambda _: None, clock=time.monotonic)
        await Listener().start(("127.0.0.1", port), router, dispatcher)
        dispatcher.pod_ready(revision, "pod-1", "127.0.0.1", pod)
        await asyncio.Event().wait()

    uvloop.run(run())


def start(command: list[str], core: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["taskset", "-c", str(core), *command], stderr=subprocess.DEVNULL)


def nginx(folder: Path, name: str, body: str, core: int) -> "subprocess.Popen[bytes]":
    path = folder / f"{name}.conf"
    path.write_text(NGINX.format(folder=folder, name=name, body=body))
    return start(["nginx", "-p", str(folder), "-c", str(path)], core)


def measure(rounds: int, seconds: int) -> dict[str, list[float]]:
    """Microseconds of CPU per request, a list a proxy."""
    ports = {"pod": free_port(), "nginx": free_port(), "zerogate": free_port()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.joinpath("heads.lua").write_text(LUA % HOST)
        started = [nginx(folder, "pod", POD.format(port=ports["pod"]), 0)]
        proxies = {
            "nginx": nginx(folder, "nginx", PROXY.format(port=ports["nginx"], pod=ports["pod"]), 1),
            "zerogate": start(
                [sys.executable, __file__, "--serve", str(ports["zerogate"]), str(ports["pod"])], 1
            ),
        }
        started += proxies.values()
        try:
            for port in ports.values():
                wait_for(port)
            found: dict[str, list[float]] = {key: [] for key in proxies}
            for turn in range(rounds + 1):
                for key, process in proxies.items():
                    before = cpu_seconds(process.pid)
                    requests = load(ports[key], folder, seconds if turn else 1, 0)
                    if turn:  # the first one warms up
                        found[key].append((cpu_seconds(process.pid) - before) / requests * 1e6)
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
                process.wait()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--serve", nargs=2, type=int, metavar=("PORT", "POD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    for program in ("nginx", "wrk", "taskset"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is needed for this benchmark")
    found = measure(options.rounds, options.seconds)
    medians = {key: statistics.median(each) for key, each in found.items()}
    for key, each in found.items():
        spread = f"{min(each):6.1f} {medians[key]:6.1f} {max(each):6.1f}"
        print(f"{key:10} {spread} µs CPU per request (min median max)")
    print(json.dumps({"cpu_us": medians, "ratio": round(medians["zerogate"] / medians["nginx"], 2)}))


if __name__ == "__main__":
    main()
