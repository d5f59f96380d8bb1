"""Links of two addresses, several addresses on an interface, and a router's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from netsim import InvalidFileError, Network, NetworkPlan, make_plan, run
from netsim.drawing.picture import picture_of
from netsim.drawing.plan_facts import facts_of
from netsim.drawing.tree import tree_rows
from netsim.topology.load_topology import load_graph, load_plan
from netsim.wire.address import format_ip

FILE = """\
name: more
nodes:
  a: {kind: computer, address: [10.1.0.10/24, 10.1.0.11/24, 192.168.7.10/24]}
  s: {kind: switch}
  r1: {kind: router, address: {eth0: [10.1.0.1/24, 192.168.7.1/24], lo: 10.255.0.1/32}}
  r2: {kind: router, address: {eth0: 10.0.12.0/31, lo: [10.255.0.2/32, 10.255.1.2/32]}}
  r3: {kind: router}
  b: {kind: computer}
links: [[a, s], [s, r1], [r2, r1], [r2, r3], [r1, r3], [b, r3]]
"""


@pytest.fixture
def plan(tmp_path: Path) -> NetworkPlan:
    (tmp_path / "more.yaml").write_text(FILE)
    return load_plan(tmp_path / "more.yaml")


def addresses(plan: NetworkPlan, node: str, interface: int) -> list[str]:
    planned = plan.node(node).interfaces[interface]
    return [f"{format_ip(address)}/{length}" for address, length in planned.addresses]


def test_the_plan(plan: NetworkPlan, tmp_path: Path) -> None:
    assert addresses(plan, "a", 0) == ["10.1.0.10/24", "10.1.0.11/24", "192.168.7.10/24"]
    # RFC 3021: both addresses of a /31 are hosts.
    assert addresses(plan, "r2", 0) == ["10.0.12.0/31"]
    assert addresses(plan, "r1", 1) == ["10.0.12.1/31"]
    assert [format_ip(each) for each in plan.node("r2").loopback] == ["10.255.0.2", "10.255.1.2"]
    assert make_plan(load_graph(tmp_path / "more.yaml")).nodes == plan.nodes


def test_pictures_show_them(plan: NetworkPlan) -> None:
    rows = {row.name: row.facts for row in tree_rows(picture_of(plan))}
    assert rows["a"] == "10.1.0.10  10.1.0.11  192.168.7.10"
    assert rows["r2"].endswith("10.255.0.2  10.255.1.2")
    assert facts_of(plan)["nodes"][3]["loopback"] == ["10.255.0.2/32", "10.255.1.2/32"]


def test_a_next_hop_may_be_a_further_address(tmp_path: Path) -> None:
    file = tmp_path / "routed.yaml"
    file.write_text(FILE.replace("192.168.7.10/24]", "192.168.7.10/24], gateway: 192.168.7.1"))
    (route,) = load_plan(file).node("a").routes
    assert (format_ip(route.gateway), route.interface) == ("192.168.7.1", "eth0")


def test_all_of_them_are_reached(plan: NetworkPlan) -> None:
    async def test() -> None:
        async with Network(plan, time="virtual") as net:
            for asker, target in (
                ("b", "10.1.0.10"),
                ("b", "10.1.0.11"),
                ("b", "192.168.7.10"),
                ("a", "192.168.7.1"),
                ("b", "10.0.12.0"),
                ("r3", "10.0.12.1"),
                ("a", "10.255.0.1"),
                ("b", "10.255.0.2"),
                ("a", "10.255.1.2"),
            ):
                assert (await net[asker].ping(target, count=1)).received == 1, target
            assert await net["b"].path("10.255.0.2") == ["r3"]
            # A loopback address is there as long as there is a way to its router.
            await net.link("r2", "r3").down()
            await asyncio.sleep(1)  # network time: the routes follow after 50 ms
            assert (await net["b"].ping("10.255.0.2", count=1)).received == 1
            assert "10.255.0.1/32 scope global lo" in (await net["r1"].exec("ip", "addr")).stdout

    run(test())


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("10.1.0.11/24", "10.1.0.10/24", "10.1.0.10 is already the address of `a`"),
        ("192.168.7.10/24", "10.0.12.9/24", "10.0.12.0/24 overlaps a subnet elsewhere"),
        ("10.255.0.1/32", "10.1.0.77/32", "10.1.0.77/32 overlaps a subnet elsewhere"),
        ("10.255.0.1/32", "10.255.0.1/24", "write for example `10.255.0.1/32`"),
        ("eth0: 10.0.12.0/31", "eth0: 10.0.12.0/32", "only `lo` has 32"),
        ("[10.1.0.10/24,", "[10.1.0.0/24,", "is the network address"),
        (
            "b: {kind: computer}",
            "b: {kind: computer, address: {lo: 10.9.9.9/32}}",
            "nobody has a route",
        ),
    ],
)
def test_mistakes(before: str, after: str, text: str, tmp_path: Path) -> None:
    assert before in FILE
    (tmp_path / "bad.yaml").write_text(FILE.replace(before, after))
    with pytest.raises(InvalidFileError) as caught:
        load_plan(tmp_path / "bad.yaml")
    assert text in str(caught.value)
