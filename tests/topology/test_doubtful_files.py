"""What can be built and hardly does what is wanted: told, and built."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest
from networks import play

from netsim import Network, make_plan
from netsim.core.time import Time
from netsim.topology.load_topology import load_plan

LANS = """\
name: lans
nodes:
  good: {kind: computer, address: 192.168.1.10/24}
  bad: {kind: computer, address: 192.168.1.11/24, gateway: %s}
  s1: {kind: switch}
  r1: {kind: router, address: {eth0: 192.168.1.1/24}}
  web: {kind: computer}
links: [[good, s1], [bad, s1], [s1, r1], [r1, web]]
"""


@pytest.mark.parametrize(
    ("gateway", "doubt"),
    [
        ("192.168.1.254", "no node has the address 192.168.1.254"),
        ("192.168.1.10", "`good` is a computer and forwards nothing"),
        ("good", "`good` is a computer and forwards nothing"),
    ],
)
def test_a_gateway_that_leads_nowhere(gateway: str, doubt: str, tmp_path: Path) -> None:
    file = tmp_path / "lost.yaml"
    file.write_text(LANS % gateway)
    (warning,) = load_plan(file).warnings
    assert str(warning) == (
        f"{file}:4:60: {doubt}, so nothing gets through there; "
        "write `r1`, whose address there is 192.168.1.1, unless that is meant"
    )


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_what_a_student_is_shown(time: Time, tmp_path: Path) -> None:
    file = tmp_path / "lost.yaml"
    file.write_text(LANS % "192.168.1.254")

    async def test(network: Network) -> None:
        ping = await network["bad"].exec("ping", "-c", "1", "-W", "5", "web")
        assert ping.code == 1
        assert "From bad (192.168.1.11) icmp_seq=1 Destination Host Unreachable" in ping.stdout
        assert (
            await network["bad"].exec("ip", "neigh")
        ).stdout == "192.168.1.254 dev eth0 FAILED\n"
        assert (await network["bad"].ping("good", count=1)).received == 1
        assert (await network["good"].ping("web", count=1)).received == 1

    with pytest.warns(UserWarning, match="no node has the address 192.168.1.254") as told:
        play(time, file, test)
    assert [str(each.message).partition(": ")[0] for each in told] == [f"{file}:4:60"]


def test_a_graph_gets_a_warning_of_python() -> None:
    graph: networkx.Graph[str] = networkx.Graph(name="lan")
    graph.add_edges_from([("a", "s"), ("s", "r")])
    graph.add_node("s", kind="switch")
    graph.add_node("a", gateway="10.0.1.77")
    graph.add_node("r", kind="router")
    with pytest.warns(
        UserWarning, match=r"^node a `gateway`: no node has the address 10\.0\.1\.77"
    ):
        make_plan(graph)
