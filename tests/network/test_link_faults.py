"""Faults of links: what they change, and that exactly that is undone, in any order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from plans import plan_of

from netsim import (
    Fault,
    InvalidValueError,
    LinkView,
    NetworkPlan,
    NotAwaitedError,
    UnitError,
    UnknownNameError,
)
from netsim.core.link_attributes import LinkCondition
from netsim.core.queue_settings import QueueLimit
from netsim.network.deferred import UnusedOperations
from netsim.network.faults import LinkFaults
from netsim.network.link_conditions import LinkConditions
from netsim.network.link_view import find_link
from netsim.network.partitions import Partitions


class FakeNetwork:
    """Keeps the conditions of links, and a list of the changes."""

    def __init__(self, plan: NetworkPlan) -> None:
        self.plan = plan
        self.unused = UnusedOperations()
        self.speed = 1.0
        self.is_running = True
        self.changes: list[list[tuple[int, str, LinkCondition]]] = []
        self._conditions = LinkConditions(plan, set())

    def condition(self, link: int, node: str) -> LinkCondition:
        return self._conditions.meant(link, node)

    def planned_condition(self, link: int, node: str) -> LinkCondition:
        return self._conditions.planned(link, node)

    async def set_conditions(self, changes: list[tuple[int, str, LinkCondition]]) -> None:
        self.changes.append(changes)
        self._conditions.change(changes, now=0)
        await asyncio.sleep(0)


PLAN = plan_of("alice r1 delay=1ms", "r1 r2 delay=2ms loss=1%", "r2 web", "r1 r2")


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork(PLAN)


@pytest.fixture
def link(network: FakeNetwork) -> LinkView:
    return LinkView(LinkFaults(network), 1)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def both(network: FakeNetwork, what: str, link: int = 1) -> list[Any]:
    found = []
    for node, _ in (network.plan.links[link].a, network.plan.links[link].b):
        condition = network.condition(link, node)
        owner = condition.attributes if hasattr(condition.attributes, what) else condition
        found.append(getattr(owner, what))
    return found


def test_an_awaited_fault_lasts_and_changes_both_directions(
    network: FakeNetwork, link: LinkView
) -> None:
    async def test() -> None:
        await link.down()
        assert both(network, "up") == [False, False]
        await link.up()
        await link.hold()
        assert (both(network, "up"), both(network, "held")) == ([True, True], [True, True])
        await link.release()
        assert both(network, "held") == [False, False]

    run(test)
    assert [len(changes) for changes in network.changes] == [2, 2, 2, 2]


def test_nothing_happens_that_is_so_already(network: FakeNetwork, link: LinkView) -> None:
    async def test() -> None:
        link.down().discard()
        await link.up()
        await link.reset()

    run(test)
    assert network.changes == []


def test_set_changes_what_is_named_and_one_direction_where_asked(
    network: FakeNetwork, link: LinkView
) -> None:
    async def test() -> None:
        await link.set(delay="80ms", from_="r2")
        assert both(network, "delay_ns") == [2_000_000, 80_000_000]
        assert both(network, "loss") == [0.01, 0.01]
        await link.set(loss="5%", from_="r1:eth1")
        assert both(network, "loss") == [0.05, 0.01]
        await link.set(queue="64KiB")
        assert both(network, "queue") == [QueueLimit(bytes=65_536)] * 2
        await link.down()
        await link.reset()
        assert network.condition(1, "r2") == network.planned_condition(1, "r2")

    run(test)


def test_a_block_undoes_exactly_what_it_changed(network: FakeNetwork, link: LinkView) -> None:
    async def test() -> None:
        async with link.set(delay="80ms", loss="5%"):
            async with link.down():
                assert both(network, "up") == [False, False]
                await link.set(loss="7%")
            assert both(network, "up") == [True, True]
            assert both(network, "delay_ns") == [80_000_000] * 2
        assert both(network, "delay_ns") == [2_000_000] * 2
        assert both(network, "loss") == [0.07] * 2

    run(test)


def test_blocks_that_overlap_undo_in_any_order(network: FakeNetwork, link: LinkView) -> None:
    async def test() -> None:
        first, second = link.down(), link.down()
        await first.__aenter__()
        await second.__aenter__()
        await first.__aexit__(None, None, None)
        assert both(network, "up") == [False, False]
        await second.__aexit__(None, None, None)
        assert both(network, "up") == [True, True]

    run(test)


def test_what_others_decide_in_a_block_stays(network: FakeNetwork, link: LinkView) -> None:
    async def test() -> None:
        async with link.down():
            await link.up()
            assert both(network, "up") == [True, True]
        assert both(network, "up") == [True, True]
        await link.down()
        async with link.reset():
            assert both(network, "up") == [True, True]
        assert both(network, "up") == [False, False]

    run(test)


@pytest.mark.parametrize("seed", range(20))
def test_in_the_end_all_is_as_before(network: FakeNetwork, link: LinkView, seed: int) -> None:
    """Blocks of parallel tasks come and go at random."""
    stream = random.Random(seed)
    makes: list[Callable[[], Fault]] = [
        link.down,
        link.up,
        link.hold,
        link.reset,
        lambda: link.set(delay=f"{stream.randint(1, 9)}ms"),
        lambda: link.set(loss="5%", from_="r1"),
    ]

    async def come_and_go() -> None:
        for _ in range(3):
            async with stream.choice(makes)():
                for _ in range(stream.randint(0, 5)):
                    await asyncio.sleep(0)

    async def test() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(5):
                tasks.create_task(come_and_go())

    run(test)
    assert all(network.condition(1, each) == network.planned_condition(1, each) for each in PAIR)


PAIR = ("r1", "r2")


def test_an_error_in_the_block_is_raised_and_the_fault_undone(
    network: FakeNetwork, link: LinkView
) -> None:
    async def test() -> None:
        with pytest.raises(KeyError):
            async with link.hold():
                raise KeyError
        assert both(network, "held") == [False, False]
        async with link.down():
            network.is_running = False
        assert both(network, "up") == [False, False]

    run(test)


def test_flapping_runs_through_or_beside_a_block(network: FakeNetwork, link: LinkView) -> None:
    async def test() -> None:
        await link.flap(period="2ms", times=3)
        assert both(network, "up") == [True, True]
        assert [changes[0][2].up for changes in network.changes] == [False, True] * 3
        network.changes.clear()
        async with link.flap(period="1h", times=5):
            while not network.changes:
                await asyncio.sleep(0)
            assert both(network, "up") == [False, False]
        assert both(network, "up") == [True, True]
        async with link.flap(period="1ms"):
            pass

    run(test)


def test_mistakes_are_told_before_anything_is_changed(link: LinkView) -> None:
    with pytest.raises(InvalidValueError, match="`80` has no unit"):
        link.set(delay=80)
    with pytest.raises(InvalidValueError, match="mtu"):
        link.set(mtu=1400)
    with pytest.raises(UnknownNameError, match="'alice' is no end of this link"):
        link.set(delay="1ms", from_="alice")
    with pytest.raises(UnitError, match="no unit"):
        link.flap(period="2", times=1)
    with pytest.raises(InvalidValueError, match="period"):
        link.flap(period="0s", times=1)
    with pytest.raises(InvalidValueError, match="0 times"):
        link.flap(period="2s", times=0)


def test_links_are_found_by_their_ends() -> None:
    assert find_link(PLAN, "alice", "r1") == find_link(PLAN, "r1", "alice") == 0
    assert find_link(PLAN, "r1:eth2", "r2") == find_link(PLAN, "r2", "r1:eth2") == 3
    assert find_link(PLAN, "r1:eth1", "r2:eth0") == 1


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        (("r1", "r2"), "2 links lead from r1 to r2; write one of r1:eth1, r1:eth2"),
        (("r1", "web"), "no link leads from r1 to web; r1 has links to alice, r2"),
        (("alise", "r1"), "no node 'alise'; write `alice`"),
        (("r1", "r2:eth9"), "r2 has no interface 'eth9'; write "),
        (("r1:eth1", "r2:eth2"), "no link leads from r1:eth1 to r2:eth2"),
    ],
)
def test_links_that_are_not_there(ends: tuple[str, str], text: str) -> None:
    with pytest.raises(UnknownNameError, match=text):
        find_link(PLAN, *ends)


# Partitions -----------------------------------------------------------------------------------


def down(network: FakeNetwork) -> list[int]:
    return [index for index in range(len(PLAN.links)) if not both(network, "up", index)[0]]


def test_a_partition_lasts_until_it_is_repaired(network: FakeNetwork) -> None:
    faults = LinkFaults(network)
    partitions = Partitions(faults)

    async def test() -> None:
        await LinkView(faults, 3).down()
        await partitions.between(["alice", "r1"], ["web", "r2"])
        assert down(network) == [1, 3]
        await partitions.repair()
        assert down(network) == [3]
        await partitions.repair()

    run(test)


def test_partitions_that_overlap(network: FakeNetwork) -> None:
    partitions = Partitions(LinkFaults(network))

    async def test() -> None:
        first = partitions.between(["alice"], ["web"])
        await first.__aenter__()
        assert down(network) == [0]
        async with partitions.between(["alice"], ["web"]):
            await first.__aexit__(None, None, None)
            assert down(network) == [0]
        assert down(network) == []
        async with partitions.between(["alice"], ["web"]):
            await partitions.repair()
            assert down(network) == []

    run(test)


def test_a_partition_of_nobody_is_told_at_once(network: FakeNetwork) -> None:
    with pytest.raises(UnknownNameError, match="alise"):
        Partitions(LinkFaults(network)).between(["alise"], ["web"])


def test_a_fault_that_is_neither_awaited_nor_entered_is_told(
    network: FakeNetwork, link: LinkView
) -> None:
    async def used() -> None:
        await link.down()
        async with link.hold():
            await asyncio.create_task(link.up())
        await asyncio.gather(link.reset(), link.flap("1ms"))

    run(used)
    network.unused.check()
    with pytest.warns(RuntimeWarning, match="neither awaited nor entered"):
        link.down()
    with pytest.raises(
        NotAwaitedError, match=r"nothing has changed: test_link_faults\.py:\d+; write"
    ):
        network.unused.check()
    network.unused.check()  # once is enough


def test_an_operation_can_be_a_task_and_be_cancelled(network: FakeNetwork, link: LinkView) -> None:
    async def test() -> None:
        flapping = asyncio.create_task(link.flap("60s"))
        while not network.changes:
            await asyncio.sleep(0)
        assert both(network, "up") == [False, False]
        flapping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flapping
        assert both(network, "up") == [True, True]

    run(test)
