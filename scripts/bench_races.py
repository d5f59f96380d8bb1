"""How many seeds, and how much CPU time, it takes to find races: netsim, detangle and simloom.

Run it through `scripts/bench races [--python PYTHON]`. PYTHON is that of an environment with
detangle and simloom (`pip install detangle simloom`, CPython 3.12 or later); without it only netsim
is measured. Each tool runs the same coroutines under as many seeds, in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from planted_orders import lost_update


async def _bystander() -> None:
    await asyncio.sleep(1)
    for _ in range(3):
        await asyncio.sleep(0)


async def two_of_ten() -> None:
    """Two of ten tasks that wake at the same time add to a number, with a pause in between."""
    balance = await lost_update(*(_bystander() for _ in range(8)))
    assert balance == 30, balance


async def three_in_a_row() -> None:
    """Of ten tasks three have to run in one order, while the first of them pauses."""
    reached = 0

    async def first() -> None:
        nonlocal reached
        await asyncio.sleep(1)
        reached = 1
        await asyncio.sleep(0)
        assert reached != 3
        reached = 0

    async def later(stage: int) -> None:
        nonlocal reached
        await asyncio.sleep(1)
        if reached == stage:
            reached = stage + 1

    # Made in the other order: asyncio's own does not show it.
    await asyncio.gather(later(2), later(1), first(), *(_bystander() for _ in range(7)))


RACES = {"lost update": two_of_ten, "three in a row": three_in_a_row}
Play = Callable[[Any, int], bool]
"""Whether a race held under a seed."""


def netsim_with(order: str) -> Play:
    import networkx

    from netsim import Network, make_plan, run
    from netsim.interception.drawn_order import Choices
    from netsim.virtual.director_loop import DirectorLoop

    graph: networkx.Graph[str] = networkx.Graph(name="races")
    graph.add_edge("app", "web", delay="1ms")
    plan = make_plan(graph)

    lengths: dict[Any, dict[str, int]] = {}
    """Of a race, as `netsim test` finds it by a run before the others."""

    def play(race: Any, seed: int) -> bool:
        choices = Choices()
        choices.lengths = lengths.get(race, {})

        async def main() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, DirectorLoop)
            loop.timeline.choices = choices
            async with Network(plan, time="virtual", seed=seed, order=order) as network:
                await network["app"].run(race)

        try:
            run(main())
        except AssertionError:
            return False
        finally:
            lengths.setdefault(race, choices.made)
        return True

    return play


def detangle_with(strategy: str) -> Play:
    import detangle  # type: ignore[import-not-found]

    make = {"random": detangle.strategies.RandomWalk, "pct:3": detangle.strategies.PCT}[strategy]

    def play(race: Any, seed: int) -> bool:
        return bool(detangle.execute(race, strategy=make(seed=seed)).ok)

    return play


def simloom_with(scheduler: str) -> Play:
    import simloom  # type: ignore[import-not-found]

    chosen = simloom.PCT(depth=3, horizon=64) if scheduler == "pct:3" else scheduler

    def play(race: Any, seed: int) -> bool:
        exploration = simloom.explore(race, runs=1, start_seed=seed, scheduler=chosen)
        return not exploration.failed

    return play


TOOLS = {"netsim": netsim_with, "detangle": detangle_with, "simloom": simloom_with}
ORDERS = ("random", "pct:3")


def work(tool: str, seeds: int) -> None:
    """Print as JSON: race, order, how many seeds found it, the first, CPU ms of a run."""
    rows = []
    for order in ORDERS:
        play = TOOLS[tool](order)
        for name, race in RACES.items():
            play(race, 0)  # imports
            began = time.process_time()
            found = [seed for seed in range(1, seeds + 1) if not play(race, seed)]
            took = (time.process_time() - began) / seeds
            rows.append([name, order, len(found), found[0] if found else None, took * 1000])
    print(json.dumps(rows))


def main() -> None:
    """Measure all tools and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", help="of an environment with detangle and simloom")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--worker", choices=TOOLS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.seeds)
        return
    pythons = {"netsim": sys.executable}
    if options.python:
        pythons |= dict.fromkeys(("detangle", "simloom"), options.python)
    print(
        f"{'race':<16}{'order':<8}{'tool':<10}{'found in':>12}{'seeds to it':>13}{'CPU to it':>11}"
    )
    rows = []
    for tool, python in pythons.items():
        command = [python, __file__, "--worker", tool, "--seeds", str(options.seeds)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows += [(name, order, tool, *rest) for name, order, *rest in json.loads(output)]
    for name, order, tool, found, _, milliseconds in sorted(rows, key=lambda row: row[:2]):
        share = f"{found}/{options.seeds}"
        needed = options.seeds / found if found else float("inf")
        print(
            f"{name:<16}{order:<8}{tool:<10}{share:>12}{needed:>13.1f}"
            f"{needed * milliseconds:>8.0f} ms"
        )


if __name__ == "__main__":
    main()
