"""What was broken from when to when, as reports of failures tell it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from networks import HTTPBIN, play, two_computers

from netsim import Network
from netsim.core.time import Time


def told(network: Network) -> list[tuple[str, bool]]:
    """Each fault, and whether it is over."""
    faults = network.fault_history.faults
    assert all(each.ended_ns is None or each.ended_ns >= each.started_ns for each in faults)
    return [(each.text, each.ended_ns is not None) for each in faults]


@pytest.mark.parametrize("time", ["real", "virtual"])
def test_what_was_broken_and_what_still_is(time: Time, tmp_path: Path) -> None:
    async def test(network: Network) -> None:
        assert told(network) == []
        async with network.link("alice", "web").down():
            pass
        await network.link("alice", "web").set(loss="5%", from_="web")
        await network.link("alice", "web").set(loss="6%", from_="web")
        await network.drop("alice", "web", port=81)
        async with network["web"].pause():
            pass
        async with network["web"].kill_program():
            pass
        await network.repair()
        await network["web"].crash()
        assert told(network) == [
            ("alice – web: down", True),
            ("web → alice: loss 5%", True),
            ("web → alice: loss 6%", False),
            ("drop alice → web, 81", True),
            ("what runs on web stands still", True),
            ("what ran on web was killed", True),
            ("web has crashed" if time == "virtual" else told(network)[-1][0], False),
        ]
        await network["web"].start()
        await network.link("alice", "web").reset()
        assert all(over for _, over in told(network))

    play(time, two_computers(tmp_path, web=HTTPBIN), test)


def test_old_faults_make_room_and_those_in_force_stay(tmp_path: Path) -> None:
    async def test(network: Network) -> None:
        await network.drop("alice", "web", port=81)
        for _ in range(150):
            async with network["web"].pause():
                await asyncio.sleep(0.001)
        assert told(network)[0] == ("drop alice → web, 81", False)
        assert len(told(network)) == 101

    play("virtual", two_computers(tmp_path, web=HTTPBIN), test)
