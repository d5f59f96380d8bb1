"""What libraries do to cross between loops, threads and schedulers: the same in both times."""

from __future__ import annotations

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
