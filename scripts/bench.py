"""Measures a network the way its users feel it. Run it through `scripts/bench`.

Timings on a shared machine vary by half: what is compared is measured in one run, in turn
(A B A B …), and reported as the median of ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NETSIM = [sys.executable, "-m", "netsim"]
CAMPUS = ROOT / "topologies" / "campus.yaml"


def netsim(*arguments: str) -> str:
    """Run a netsim command and give its output."""
    return subprocess.run(
        [*NETSIM, *arguments], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout


def tree(nodes: int) -> str:
    """A network of that many nodes: a ring of routers, each with a switch full of computers."""
    routers = max(4, nodes // 22)
    lines = [f"name: bench-{nodes}", "nodes:"]
    links = [f"  - [r{i}, r{(i + 1) % routers}]" for i in range(routers)]
    left = nodes - 2 * routers
    for i in range(routers):
        share = left // (routers - i)
        left -= share
        lines += [f"  r{i}: {{kind: router}}", f"  s{i}: {{kind: switch}}"]
        lines += [f"  c{i}x: {{kind: computer, count: {share}}}"]
        links += [f"  - [r{i}, s{i}]", f"  - [c{i}x, s{i}]"]
    return "\n".join([*lines, "links:", *links, ""])


def pss_kib(pid: int) -> int:
    """Proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def measure_startup(rounds: int) -> dict[str, Any]:
    """Start to ready (interpreter included), stop, and memory, by number of nodes."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for nodes in (28, 200, 500):
            file = CAMPUS
            if nodes != 28:
                file = Path(folder) / f"tree{nodes}.yaml"
                file.write_text(tree(nodes))
            starts, stops, memory = [], [], []
            for _ in range(rounds):
                began = time.perf_counter()
                netsim("up", "-d", "--name", "bench", str(file))
                starts.append(time.perf_counter() - began)
                pids = [
                    node["pid"]
                    for node in json.loads(netsim("inspect", "--name", "bench", "--json"))["nodes"]
                ]
                memory.append(statistics.mean(map(pss_kib, pids)))
                began = time.perf_counter()
                netsim("down", "bench")
                stops.append(time.perf_counter() - began)
            results[str(nodes)] = {
                "start_s": statistics.median(starts),
                "stop_s": statistics.median(stops),
                "pss_mb_per_node": statistics.median(memory) / 1024,
            }
    return results


@contextlib.contextmanager
def campus() -> Iterator[str]:
    """The campus, running; gives the real URL of its web server."""
    netsim("up", "-d", "--name", "bench", str(CAMPUS))
    try:
        facts = json.loads(netsim("inspect", "--name", "bench", "--json"))
        yield f"http://{facts['ports'][0]['listen']}"
    finally:
        netsim("down", "bench")


@contextlib.contextmanager
def loopback() -> Iterator[str]:
    """The same application on plain asyncio and loopback."""
    code = (
        "import asyncio\n"
        "from aiohttp import web\n"
        "from netsim.services.httpbin import create_app\n"
        "async def main():\n"
        "    runner = web.AppRunner(create_app(), access_log=None)\n"
        "    await runner.setup()\n"
        "    site = web.TCPSite(runner, '127.0.0.1', 0)\n"
        "    await site.start()\n"
        "    print(site._server.sockets[0].getsockname()[1], flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


async def _requests(url: str, connections: int, seconds: float) -> float:
    import aiohttp

    done = 0
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:
        end = time.perf_counter() + seconds

        async def client() -> None:
            nonlocal done
            while time.perf_counter() < end:
                async with session.get(url) as reply:
                    await reply.read()
                    assert reply.status == 200
                done += 1

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(connections)))
        return done / (time.perf_counter() - began)


def requests_per_second(url: str, connections: int, seconds: float, tool: str) -> float:
    """Completed requests a second of keep-alive clients, by `aiohttp` or `wrk`."""
    if tool == "aiohttp":
        return asyncio.run(_requests(url, connections, seconds))
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    line = next(line for line in output.splitlines() if line.startswith("Requests/sec"))
    return float(line.split()[1])


def measure_http(rounds: int) -> dict[str, Any]:
    """Requests/s through the campus beside the same application on loopback, in turn."""
    results: dict[str, Any] = {}
    tools = ["aiohttp"] + (["wrk"] if shutil.which("wrk") else [])
    with campus() as through, loopback() as direct:
        for tool in tools:
            for connections in (1, 50):
                requests_per_second(f"{through}/ip", connections, 1, tool)
                pairs = [
                    (
                        requests_per_second(f"{through}/ip", connections, 3, tool),
                        requests_per_second(f"{direct}/ip", connections, 3, tool),
                    )
                    for _ in range(rounds)
                ]
                results[f"{tool} {connections}"] = {
                    "campus_per_s": statistics.median(a for a, _ in pairs),
                    "loopback_per_s": statistics.median(b for _, b in pairs),
                    "ratio": statistics.median(a / b for a, b in pairs),
                }
    return results


def measure_bulk(rounds: int) -> dict[str, Any]:
    """Goodput in Mbit/s of 40 MiB down and up through the campus path, by curl."""
    size = 40 * 1024 * 1024
    rates: dict[str, list[float]] = {"download": [], "upload": []}
    with campus() as url, tempfile.NamedTemporaryFile() as body:
        body.write(os.urandom(size))
        body.flush()
        commands = {
            "download": ["curl", "-sSfo", "/dev/null", f"{url}/bytes/{size}"],
            "upload": ["curl", "-sSfo", "/dev/null", "-T", body.name, f"{url}/upload"],
        }
        for _ in range(rounds):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, check=True)
                rates[name].append(size * 8 / 1e6 / (time.perf_counter() - began))
    return {f"{name}_mbit_s": statistics.median(values) for name, values in rates.items()}


def measure_rtt(rounds: int) -> dict[str, Any]:
    """Median round-trip time of 20 pings alice → web: network time, and by the wall clock."""
    wall, network = [], []
    with campus():
        for _ in range(rounds):
            document = json.loads(
                netsim(
                    "exec",
                    "--name",
                    "bench",
                    "--json",
                    "alice",
                    "ping",
                    "-c",
                    "20",
                    "-i",
                    "0.1",
                    "web",
                )
            )
            wall.append(statistics.median(reply["wall_rtt_ms"] for reply in document["replies"]))
            network.append(statistics.median(reply["rtt_ms"] for reply in document["replies"]))
    return {"wall_ms": statistics.median(wall), "network_ms": statistics.median(network)}


def measure_commands(rounds: int) -> dict[str, Any]:
    """Wall time in ms of commands that shall answer at once, the interpreter's start included."""
    commands = {
        "--help": ["--help"],
        "ps": ["ps"],
        "exec ip addr": ["exec", "--name", "bench", "alice", "ip", "addr"],
        "inspect node": ["inspect", "--name", "bench", "r1"],
        "inspect": ["inspect", "--name", "bench"],
    }
    times: dict[str, list[float]] = {name: [] for name in [*commands, "completion"]}
    completion = {
        **os.environ,
        "_NETSIM_COMPLETE": "bash_complete",
        "COMP_WORDS": "netsim exec --name bench al",
        "COMP_CWORD": "4",
    }
    with campus():
        for _ in range(5 * rounds):
            for name, arguments in commands.items():
                began = time.perf_counter()
                netsim(*arguments)
                times[name].append(time.perf_counter() - began)
            began = time.perf_counter()
            answer = subprocess.run(
                NETSIM, check=True, env=completion, capture_output=True, text=True, cwd=ROOT
            )
            times["completion"].append(time.perf_counter() - began)
            assert answer.stdout == "plain,alice\n"
    return {f"{name} ms": statistics.median(values) * 1000 for name, values in times.items()}


def measure_ticks(rounds: int) -> dict[str, Any]:
    """CPU time in µs of a switch that gets one frame at a time, by how many ports it has."""
    import real_workloads

    times: dict[int, list[float]] = {ports: [] for ports in (2, 48, 128)}
    for _ in range(rounds):
        for ports, seen in times.items():
            seen.append(1e6 / real_workloads.switch(ports))
    return {f"{ports} ports us": statistics.median(seen) for ports, seen in times.items()}


async def _lose_a_link(routers: int) -> tuple[float, float]:
    """Seconds until the routes of a ring follow, and for how many of them the loop stood still."""
    import networkx

    from netsim import Network

    graph = networkx.cycle_graph([f"r{number}" for number in range(routers)])
    graph.graph["name"] = "bench-ring"
    networkx.set_node_attributes(graph, "router", "kind")
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            asleep = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - asleep - 0.001)

    async with Network(graph) as network:
        watching = asyncio.create_task(watch())
        began = time.perf_counter()
        await network.link("r0", "r1").down()
        await network.converged()
        took = time.perf_counter() - began
        watching.cancel()
        return took, longest


def measure_rerouting(rounds: int) -> dict[str, Any]:
    """A ring of 160 routers, as processes, that loses a link."""
    seen = [asyncio.run(_lose_a_link(160)) for _ in range(rounds)]
    followed, stood_still = (statistics.median(each) for each in zip(*seen, strict=True))
    return {"routes in force s": followed, "supervisor stood still s": stood_still}


def measure_virtual(rounds: int) -> dict[str, Any]:
    """Virtual time, and simulators beside it; these need packages that nothing else does."""
    import bench_virtual

    return bench_virtual.measure_virtual(rounds)


def measure_sweep(rounds: int) -> dict[str, Any]:
    """A run of a sweep, in `netsim test` and in pytest."""
    import bench_sweep

    return bench_sweep.measure_sweep(rounds)


MEASUREMENTS = {
    "commands": measure_commands,
    "startup": measure_startup,
    "http": measure_http,
    "bulk": measure_bulk,
    "rtt": measure_rtt,
    "ticks": measure_ticks,
    "rerouting": measure_rerouting,
    "virtual": measure_virtual,
    "sweep": measure_sweep,
}


def main() -> None:
    """Run the measurements asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", nargs="*", choices=[*MEASUREMENTS, []], default=[])
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each (median counts)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    options = parser.parse_args()
    results: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "rounds": options.rounds,
    }
    wanted = options.what or list(MEASUREMENTS)
    for name in wanted:
        print(f"{name} …", file=sys.stderr)
        results[name] = MEASUREMENTS[name](options.rounds)
    document = json.dumps(results, indent=2)
    print(document, flush=True)
    print(f"measured: {', '.join(wanted)}", file=sys.stderr)
    if options.json:
        options.json.write_text(document + "\n")


if __name__ == "__main__":
    main()
