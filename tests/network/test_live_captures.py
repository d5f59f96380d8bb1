"""Live captures: frames of several nodes in order of time, with what became of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest
from networks import play
from plans import chain

from netsim import (
    CapturedFrame,
    Direction,
    InvalidFilterError,
    InvalidValueError,
    LiveCapture,
    Network,
    UnknownNameError,
)
from netsim.core.time import Time
from netsim.network import live_captures

BOTH: tuple[Time, ...] = ("virtual", "real")


async def all_of(capture: LiveCapture) -> list[CapturedFrame]:
    return [passed async for passed in capture]


@pytest.mark.parametrize("time", BOTH)
def test_frames_of_several_nodes_come_in_order_of_time(time: Time) -> None:
    seen: list[CapturedFrame] = []

    async def test(network: Network) -> None:
        async with network.live_capture("web:eth0", "r1", filter="icmp") as capture:
            assert capture.interfaces == ["r1:eth0", "r1:eth1", "web:eth0"]
            following = asyncio.create_task(all_of(capture))
            await network["alice"].ping("web", count=3)
        seen.extend(await following)
        assert capture.dropped == [0, 0, 0]

    play(time, chain(), test)
    way = [
        ("r1:eth0", Direction.INBOUND),
        ("r1:eth1", Direction.OUTBOUND),
        ("web:eth0", Direction.INBOUND),
        ("web:eth0", Direction.OUTBOUND),
        ("r1:eth1", Direction.INBOUND),
        ("r1:eth0", Direction.OUTBOUND),
    ]
    assert [(each.interface, each.direction) for each in seen] == way * 3
    assert all(one.time_ns <= other.time_ns for one, other in pairwise(seen))
    assert all(each.frame[23] == 1 and not each.dropped for each in seen)


@pytest.mark.parametrize("time", BOTH)
def test_what_is_lost_is_shown_with_the_reason(time: Time) -> None:
    seen: list[CapturedFrame] = []

    async def test(network: Network) -> None:
        await network["alice"].ping("web", count=1)
        async with network.live_capture("alice", "r1:eth0", filter="icmp") as capture:
            following = asyncio.create_task(all_of(capture))
            async with network.link("alice", "s1").set(loss="100%", from_="alice"):
                await network["alice"].ping("web", count=1, timeout=0.2)
            async with network.link("alice", "s1").set(queue="2000B", bandwidth="1mbit"):
                await network["alice"].exec("ping", "-c1", "-s", "9000", "-W", "1", "web")
        seen.extend(await following)

    play(time, chain(), test)
    assert [(each.interface, each.dropped) for each in seen[:1]] == [("alice:eth0", "loss")]
    crowded = [each for each in seen if len(each.frame) == 1514]
    assert {each.dropped for each in crowded if each.interface == "alice:eth0"} >= {"queue"}
    # Once: as it entered the queue, it was already known.
    sent = [each.frame for each in crowded if each.interface == "alice:eth0"]
    assert len(sent) == len(set(sent))


async def reach_web(network: Network) -> None:
    async with asyncio.timeout(20):
        while not (await network["alice"].ping("web", count=1)).received:
            pass


@pytest.mark.parametrize("time", BOTH)
def test_it_goes_on_when_a_node_starts_again_and_ends_with_the_network(time: Time) -> None:
    captures: list[LiveCapture] = []

    async def test(network: Network) -> None:
        capture = await network.live_capture("r1:eth0", filter="icmp").__aenter__()
        captures.append(capture)
        for _ in range(2):
            await network["r1"].restart()
            again = network.now()
            await reach_web(network)
            while (passed := await anext(capture)).time_ns < again:
                pass  # what was left of the time before
            assert passed.interface == "r1:eth0"
        await network["r1"].crash()
        await network["r1"].start()
        await reach_web(network)

    play(time, chain(), test)
    assert captures[0].ended
    assert asyncio.run(all_of(captures[0]))  # what had come in before the end


@pytest.mark.parametrize("time", BOTH)
def test_captures_at_once_have_nothing_to_do_with_each_other(time: Time) -> None:
    async def test(network: Network) -> None:
        async with (
            network.live_capture("r1", filter="icmp", count=2) as two,
            network.live_capture("r1", filter="arp") as arp,
            network.live_capture("r1:eth0") as everything,
        ):
            following = [asyncio.create_task(all_of(each)) for each in (two, arp, everything)]
            await network["alice"].ping("web", count=2)
            assert len(await following[0]) == 2
            await two.end()
            await network["alice"].ping("web", count=1)
        seen = [await each for each in following]
        assert {each.frame[12:14] for each in seen[1]} == {b"\x08\x06"}
        assert sum(each.frame[12:14] == b"\x08\x00" for each in seen[2]) == 6

    play(time, chain(), test)


def test_only_so_many_go_on_at_once() -> None:
    async def test(network: Network) -> None:
        async with AsyncExitStack() as captures:
            for _ in range(live_captures.MOST_CAPTURES):
                last = await captures.enter_async_context(network.live_capture("r1"))
            with pytest.raises(InvalidValueError, match="32 captures are going on"):
                async with network.live_capture("r1"):
                    pass
            await last.end()
            async with network.live_capture("r1"):
                pass

    play("virtual", chain(), test)


def test_what_is_wrong_is_told_before_it_begins() -> None:
    async def test(network: Network) -> None:
        wrong: list[tuple[type[Exception], tuple[str, ...], dict[str, Any]]] = [
            (UnknownNameError, ("r9",), {}),
            (UnknownNameError, ("r1:eth9",), {}),
            (InvalidFilterError, ("r1",), {"filter": "host wbe"}),
            (InvalidValueError, ("r1",), {"count": 0}),
            (InvalidValueError, (), {}),
        ]
        for error, where, words in wrong:
            with pytest.raises(error):
                network.live_capture(*where, **words)

    play("virtual", chain(), test)


def test_a_reader_that_does_not_read_loses_frames_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_captures, "MOST_FRAMES", 10)

    async def test(network: Network) -> None:
        async with network.live_capture("alice", filter="tcp") as capture:
            await network["alice"].transfer("web", size="100KB")
        seen = await all_of(capture)
        assert len(seen) == 10
        assert capture.dropped[0] > 50

    play("virtual", chain(), test)


def test_frames_that_a_node_could_not_send_are_counted() -> None:
    async def test(network: Network) -> None:
        async with network.live_capture("alice") as capture:
            capture.take((), {0: 7})
        assert capture.dropped == [7]

    play("virtual", chain(), test)
