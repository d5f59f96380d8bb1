"""How TCP and the queues fare on one path, in virtual time, beside what Linux and ns-3 did there.

Goodput and round-trip time for each bottleneck, loss rate and congestion control: the median over
the seeds, and whether it lies within the span of the reference medians, widened by 10 %, or by 2 %
where nothing is lost. The time that an answer over HTTP takes. What each queue discipline does to
one transfer and to a probe beside it. The other side is `fidelity_reference.json`; `--write` puts
both into docs/fidelity.md, with plots.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "site")]

from reference_path import Transfer, get, path  # noqa: E402

from netsim.core.time import MILLISECOND, SECOND  # noqa: E402

REFERENCE: Final = json.loads((ROOT / "scripts" / "fidelity_reference.json").read_text())
SEEDS: Final = 10
WARM_UP: Final = 5 * SECOND
MEASURED: Final = 40 * SECOND
BESIDE: Final = 55 * SECOND
"""How long a transfer and a probe share a queue; the first five seconds do not count."""
PROBE_EVERY: Final = 100 * MILLISECOND
PROBE_PORT: Final = 7
UNLOADED_MS: Final = 10.0
"""One way."""

Cell = dict[str, Any]


def transfer(congestion: str, mbit: float, loss: float, seed: int) -> tuple[float, float]:
    """Mbit/s of application bytes in the steady state, and the mean RTT in ms: the smoothed one
    at every second, as iperf3 takes it."""
    connection = Transfer(path(congestion, mbit, loss=loss, seed=seed))
    connection.run(WARM_UP)
    arrived, seen = 0, []
    for _ in range(MEASURED // SECOND):
        arrived += connection.run(SECOND)
        seen.append(connection.view().smoothed_rtt_ns / MILLISECOND)
    return arrived * 8 / (MEASURED / SECOND) / 1e6, mean(seen)


def window(congestion: str, mbit: float) -> list[list[float]]:
    """The congestion window in segments every 100 ms, without loss: [s, segments]."""
    connection = Transfer(path(congestion, mbit))
    seen = []
    for _ in range(400):
        connection.run(100 * MILLISECOND)
        view = connection.view()
        seen.append([connection.network.now / SECOND, view.congestion_window / view.mss])
    return seen


def shared_queue(queue: Any, seed: int) -> tuple[float, list[list[float]]]:
    """CUBIC through a queue of 10 Mbit/s, and a probe of 64 octets every 100 ms: Mbit/s, and for
    each probe that arrives [s, ms that it waited]."""
    network = path("cubic", 10, queue=queue, seed=seed)
    connection = Transfer(network)
    there = network.plan.hosts["receiver"], PROBE_PORT
    probe = network.host("sender").udp.bind(None, 0)
    heard = network.host("receiver").udp.bind(None, PROBE_PORT)
    waits: list[list[float]] = []
    sent_at = network.now

    def ask() -> None:
        nonlocal sent_at
        if network.now - sent_at >= PROBE_EVERY:
            sent_at = network.now
            probe.send(sent_at.to_bytes(8, "big").ljust(36, b"\0"), there, sent_at)
        while (datagram := heard.receive()) is not None:
            took = datagram.now - int.from_bytes(datagram.payload[:8], "big")
            waits.append([datagram.now / SECOND, took / MILLISECOND - UNLOADED_MS])

    connection.run(WARM_UP, ask)
    arrived = connection.run(BESIDE - WARM_UP, ask)
    return arrived * 8 / ((BESIDE - WARM_UP) / SECOND) / 1e6, waits


def answer(congestion: str, mbit: float, octets: int) -> float:
    return get(path(congestion, mbit), octets)[0]


# All of it ------------------------------------------------------------------------------------


def measure(seeds: int) -> dict[str, Any]:
    """Everything, on all processors; the cells are told as they come."""
    with ProcessPoolExecutor() as pool:
        cells = [
            (cell, [pool.submit(transfer, *_place(cell), seed) for seed in _seeds(cell, seeds)])
            for cell in _cells()
        ]
        answers = {
            _key(each): pool.submit(answer, each["congestion"], each["mbit"], each["octets"])
            for each in REFERENCE["http"]
        }
        windows = {name: pool.submit(window, name, 10) for name in ("cubic", "reno")}
        queues = {
            name: [pool.submit(shared_queue, each["queue"], seed) for seed in range(1, 4)]
            for name, each in REFERENCE["queues"].items()
        }
        return {
            "transfers": [_told(cell, runs) for cell, runs in cells],
            "http": {key: run.result() for key, run in answers.items()},
            "windows": {name: run.result() for name, run in windows.items()},
            "queues": {
                name: _beside([run.result() for run in runs]) for name, runs in queues.items()
            },
        }


def _cells() -> Iterator[Cell]:
    """With the losses last, so that what takes longest begins first."""
    for row in REFERENCE["cells"]:
        for congestion in ("cubic", "reno"):
            yield {"congestion": congestion, "mbit": row["mbit"], "loss": row["loss"]}


def _place(cell: Cell) -> tuple[str, float, float]:
    return cell["congestion"], cell["mbit"], cell["loss"]


def _seeds(cell: Cell, seeds: int) -> range:
    return range(1, 2 if not cell["loss"] else seeds + 1)


def _key(each: dict[str, Any]) -> str:
    return f"{each['congestion']} {each['mbit']} {each['octets']}"


def _told(cell: Cell, runs: list[Future[tuple[float, float]]]) -> Cell:
    seen = [run.result() for run in runs]
    told = cell | {
        "goodput": [round(goodput, 3) for goodput, _ in seen],
        "rtt_ms": [round(rtt, 2) for _, rtt in seen],
    }
    print(verdict(told), flush=True)
    return told


def _beside(runs: list[tuple[float, list[list[float]]]]) -> dict[str, Any]:
    waits = [wait for _, seen in runs for at, wait in seen if at > WARM_UP / SECOND]
    return {
        "goodput": median(goodput for goodput, _ in runs),
        "wait_ms": mean(waits),
        "waits": runs[0][1],
    }


# Beside the others ----------------------------------------------------------------------------


def references(cell: Cell) -> dict[str, float]:
    """Goodput of the others with that congestion control."""
    row = next(
        row
        for row in REFERENCE["cells"]
        if (row["mbit"], row["loss"]) == (cell["mbit"], cell["loss"])
    )
    goodput: dict[str, float] = row[cell["congestion"]]
    return goodput


def deviation(cell: Cell) -> float:
    """How far the median is beyond the span of the others, as a share of its end; 0 inside."""
    ours, others = median(cell["goodput"]), references(cell).values()
    return min(0.0, ours / min(others) - 1) or max(0.0, ours / max(others) - 1)


def is_within(cell: Cell) -> bool:
    """Of the span widened by 10 %, or 2 % where nothing is lost."""
    return abs(deviation(cell)) <= (0.1 if cell["loss"] else 0.02)


def verdict(cell: Cell) -> str:
    """Ours and the others' in a line."""
    others = ", ".join(f"{name} {value}" for name, value in references(cell).items())
    return (
        f"{cell['congestion']} {cell['mbit']} mbit {cell['loss']} %: "
        f"{median(cell['goodput']):.2f} Mbit/s ({min(cell['goodput']):.2f} to "
        f"{max(cell['goodput']):.2f}), RTT {median(cell['rtt_ms']):.0f} ms; {others}; "
        + ("within" if is_within(cell) else f"{deviation(cell):+.1%} BEYOND")
    )


def main() -> int:
    parser = argparse.ArgumentParser("scripts/bench fidelity", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="of each cell; 10")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what was measured")
    parser.add_argument("--take", type=Path, metavar="FILE", help="what was kept, not anew")
    parser.add_argument("--write", action="store_true", help="docs/fidelity.md and its plots")
    options = parser.parse_args()
    measured = json.loads(options.take.read_text()) if options.take else measure(options.seeds)
    if options.json:
        options.json.write_text(json.dumps(measured))
    if options.write:
        from fidelity_page import write

        write(measured)
    return 0 if all(map(is_within, measured["transfers"])) else 1


if __name__ == "__main__":
    sys.exit(main())
