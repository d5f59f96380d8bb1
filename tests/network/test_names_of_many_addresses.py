"""What the name of a node with several addresses means: the one that is nearest to who asks."""

from __future__ import annotations

import pytest
from plans import plan_of

from netsim import Network, run
from netsim.site.paths import PathFinder

TRIANGLE = ("n1 n2", "n2 n3", "n1 n3")
RING = ("r1 r2", "r2 r3 delay=2ms", "r1 r3 delay=1ms", "a r2", "b r3")


@pytest.mark.parametrize(
    ("asker", "name", "cut", "interface"),
    [
        ("n1", "n2", (), "eth0"),
        ("n1", "n3", (), "eth1"),  # its own cable, not the one to n2
        ("n3", "n3", (), "eth0"),
        ("n1", "n3", (2,), "eth0"),  # nothing leads there: as it always was
    ],
)
def test_a_triangle(asker: str, name: str, cut: tuple[int, ...], interface: str) -> None:
    assert interface_named(TRIANGLE, asker, name, cut) == interface


@pytest.mark.parametrize(
    ("asker", "name", "cut", "interface"),
    [
        ("a", "r1", (), "eth0"),
        ("b", "r2", (), "eth1"),  # to the other one packets go over r1
        ("a", "r1", (0,), "eth1"),  # its first link is down
        ("a", "r2", (), "eth2"),
        ("r1", "b", (), "eth0"),
    ],
)
def test_a_ring_of_routers(asker: str, name: str, cut: tuple[int, ...], interface: str) -> None:
    assert interface_named(RING, asker, name, cut) == interface


def interface_named(links: tuple[str, ...], asker: str, name: str, cut: tuple[int, ...]) -> str:
    """The interface of `name` that has the address which `asker` gets for it."""
    plan = plan_of(*links)
    finder = PathFinder(plan)
    finder.set_dead(frozenset(cut))
    address = finder.hosts_table_of(asker).resolve(name)
    (found,) = [each.name for each in plan.node(name).interfaces if each.address == address]
    return found


def test_every_address_has_a_name() -> None:
    plan = plan_of(*TRIANGLE)
    table = PathFinder(plan).hosts_table_of("n1")
    for interface in plan.node("n3").interfaces:
        assert interface.address is not None
        assert table.name_of(interface.address) == "n3"


def test_nothing_is_lost_between_computers_with_several_cables() -> None:
    async def test() -> None:
        async with Network(plan_of(*TRIANGLE), time="virtual") as net:
            assert (await net.ping_all()).totals()["dropped_percent"] == 0.0

    run(test())
