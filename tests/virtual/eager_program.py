"""Eager tasks in virtual time, for Python 3.12 and later: prints JSON with what was seen.

The plan of a network comes in, pickled: to make one takes compiled libraries, and this runs with
those of another Python.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from typing import Any

from virtual_computers import World

from netsim import run
from netsim.interception.task_order import StableTaskClass, install_stable_order

EAGER: Any = vars(asyncio).get("eager_task_factory")


class NamedLoop(asyncio.SelectorEventLoop):
    """A loop of real time whose tasks are numbered."""

    name = "alice"


async def order() -> list[int]:
    """In which order two tasks take their steps."""
    asyncio.get_running_loop().set_task_factory(EAGER)
    seen: list[int] = []

    async def step(number: int) -> None:
        seen.append(number)
        await asyncio.sleep(1)
        seen.append(-number)

    tasks = [asyncio.create_task(step(number)) for number in (1, 2)]
    seen.append(0)
    await asyncio.gather(*tasks)
    asyncio.get_running_loop().set_task_factory(None)
    return seen


async def numbers() -> list[Any]:
    """What eager tasks are called, and whether their hashes rise, however they are made."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(EAGER)
    tasks = [asyncio.create_task(asyncio.sleep(0))]
    tasks.append(vars(asyncio)["Task"](asyncio.sleep(0), loop=loop, eager_start=True))
    loop.set_task_factory(None)
    tasks.append(asyncio.create_task(asyncio.sleep(0)))
    hashes = [hash(task) for task in tasks]
    await asyncio.gather(*tasks)
    return [[task.get_name() for task in tasks], hashes == sorted(hashes)]


def on_a_computer() -> list[int]:
    world = World(pickle.load(sys.stdin.buffer))  # noqa: S301  # the test's own bytes
    seen = world.run("alice", order())
    world.close()
    return seen


def main() -> None:
    loop = NamedLoop()
    install_stable_order(loop)
    classes = StableTaskClass()
    classes.install()
    numbered = loop.run_until_complete(numbers())
    classes.uninstall()
    loop.close()
    sys.stdout.write(json.dumps([*numbered, run(order()), on_a_computer()]))


if __name__ == "__main__":
    main()
