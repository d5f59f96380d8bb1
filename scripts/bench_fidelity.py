"""How TCP fares on one path, in virtual time, beside what Linux and ns-3 did on the same.

Goodput for each bottleneck, loss rate and congestion control: the median over seeds, and whether
it lies within the span of the reference medians (`fidelity_reference.json`), widened by 10 %, or
by 2 % where nothing is lost.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import networkx

from netsim import make_plan
from netsim.core.time import MILLISECOND, SECOND

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from memory_network import MemoryNetwork  # noqa: E402

REFERENCE = ROOT / "scripts" / "fidelity_reference.json"
SEEDS = 10
WARM_UP = 5 * SECOND
MEASURED = 40 * SECOND
BUFFER = 4 << 20


class Cell(NamedTuple):
    """One combination; `loss` in percent."""

    congestion: str
    mbit: int
    loss: float


def path(cell: Cell, seed: int) -> MemoryNetwork:
    """Sender, switch, router, bottleneck, router, switch, receiver: an RTT of 20 ms."""
    graph: networkx.Graph[str] = networkx.path_graph(["a", "s1", "r1", "r2", "s2", "b"])
    kinds = {"a": "computer", "b": "computer", "s1": "switch", "s2": "switch"}
    for name in graph:
        graph.nodes[name]["kind"] = kinds.get(name, "router")
    for name in ("a", "b"):
        graph.nodes[name]["congestion"] = cell.congestion
    for ends in graph.edges:
        graph.edges[ends].update(delay="0.5ms", bandwidth="1gbit")
    graph.edges["r1", "r2"].update(
        delay="8ms",
        bandwidth=f"{cell.mbit}mbit",
        queue=100,
        egress={"r1": {"loss": f"{cell.loss}%"}},
    )
    graph.graph.update(name="fidelity", seed=seed)
    return MemoryNetwork(make_plan(graph))


def goodput(cell: Cell, seed: int) -> float:
    """Mbit/s of application bytes in the steady state."""
    network = path(cell, seed)
    listener = network.host("b").tcp.listen(None, 80)
    client = network.host("a").tcp.connect((network.plan.hosts["b"], 80), network.now)
    server = None
    while server is None:  # the SYN may be lost
        network.run_for(SECOND)
        server = listener.accept()
    chunk = bytes(64 * 1024)
    arrived = 0
    for until in (network.now + WARM_UP, network.now + WARM_UP + MEASURED):
        arrived = 0
        while network.now < until:
            while client.buffered_bytes < BUFFER:
                client.send(chunk)
            network.flush()
            network.run_for(5 * MILLISECOND)
            arrived += len(server.receive())
            network.flush()
    return arrived * 8 / (MEASURED / SECOND) / 1e6


def _seeds(cell: Cell) -> range:
    return range(1, 2 if not cell.loss else SEEDS + 1)


def measure_fidelity(rounds: int) -> dict[str, Any]:
    """Every cell; `rounds` is ignored, as virtual time repeats."""
    reference = json.loads(REFERENCE.read_text())
    results: dict[str, Any] = {}
    with ProcessPoolExecutor() as pool:
        for row in reference["cells"]:
            for congestion in ("cubic", "reno"):
                cell = Cell(congestion, row["mbit"], row["loss"])
                seen = list(pool.map(goodput, [cell] * len(_seeds(cell)), _seeds(cell)))
                results[_name(cell)] = verdict(cell, median(seen), row[congestion])
                print(_name(cell), results[_name(cell)], flush=True)
    return results


def verdict(cell: Cell, ours: float, reference: dict[str, float]) -> str:
    """Ours, the span, and how they lie to each other."""
    margin = 0.1 if cell.loss else 0.02
    low, high = min(reference.values()), max(reference.values())
    if ours < low * (1 - margin):
        said = f"{ours / low - 1:+.0%} below"
    elif ours > high * (1 + margin):
        said = f"{ours / high - 1:+.0%} above"
    else:
        said = "within"
    return f"{ours:.2f} Mbit/s, {said} {low:.2f} to {high:.2f} (Linux {reference['linux']:.2f})"


def _name(cell: Cell) -> str:
    return f"{cell.congestion} {cell.mbit} mbit {cell.loss} %"
