"""What libraries do to cross between loops, threads and schedulers: the same in both times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bridging_programs import ORDERS, PROGRAMS, Told, echo
from hash_seeds import traces
from lossy_path import lossy_path
from networks import play

from netsim import Network
from netsim.core.time import Time

PLAY = """
import sys
from bridging_programs import PROGRAMS, echo
from netsim import Network, run

async def main():
    async with Network(sys.argv[1], time="virtual") as network:
        network.trace_frames(sys.argv[2])
        await network["server"].run(echo)
        for program in PROGRAMS:
            await network["client"].run(program)
        causes = [each for each in network.unrepeatable if not each.startswith("the order of")]
        assert causes == [], causes

run(main())
"""


def path_to_a_shop(folder: Path) -> Path:
    return lossy_path(folder, "services: {80: 'orders:app'}", orders=ORDERS)


@pytest.mark.parametrize("time", ["real", "virtual"])
def test_they_arrive(time: Time, tmp_path: Path) -> None:
    async def test(network: Network) -> None:
        await network["server"].run(echo)
        found: list[Told] = [await network["client"].run(program) for program in PROGRAMS]
        assert found == list(PROGRAMS.values())

    play(time, path_to_a_shop(tmp_path), test)


def test_they_repeat_under_other_hash_seeds(tmp_path: Path) -> None:
    file = path_to_a_shop(tmp_path)
    first, *others = traces(PLAY, file, "1234")
    assert len(first) > 100_000
    assert all(other == first for other in others)


TRIO_LATE = """
import asyncio, sys
from netsim import Network, run

async def order():
    import trio

    loop, told = asyncio.get_running_loop(), []
    ended = loop.create_future()

    async def child(number):
        for _ in range(3):
            told.append(number)
            await trio.lowlevel.checkpoint()

    async def main():
        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(child, number)

    trio.lowlevel.start_guest_run(
        main, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=ended.set_result
    )
    (await ended).unwrap()
    return told

async def main():
    async with Network(sys.argv[1], time="virtual", seed=1) as network:
        return await network["client"].run(order)

assert "trio" not in sys.modules
first, second = run(main()), run(main())
assert first == second, (first, second)
assert first != sorted(first)
run_of_trio = sys.modules["trio._core._run"]
assert not run_of_trio._ALLOW_DETERMINISTIC_SCHEDULING
assert not any("AfterImport" in repr(each) for each in sys.meta_path)
"""


def test_trio_draws_the_same_order_in_the_run_that_imports_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", TRIO_LATE, path_to_a_shop(tmp_path)], check=True)
