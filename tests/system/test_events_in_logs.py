"""What happens to a network stands between the lines of its log; why a node is dead, in inspect."""

from __future__ import annotations

import pytest
from networks import StartNetwork, until

from netsim import Network, UnitError, UnknownNameError

PAIR = """
name: pair
nodes:
  alice: {kind: computer}
  web: {kind: computer}
links: [[alice, web]]
"""

pytestmark = pytest.mark.asyncio


def told(network: Network, *nodes: str) -> list[tuple[str, str, str]]:
    lines = network.logs(nodes, events=True)["lines"]
    return [(each["kind"], each["level"], each["text"]) for each in lines]


async def test_changes_faults_and_deaths_are_told(start_network: StartNetwork) -> None:
    async with start_network(PAIR) as network:
        assert network.logs() == {"dropped": 0, "dropped_events": 0, "lines": []}
        await network.link("alice", "web").set(loss="5%")
        await network.link("alice", "web").reset()
        async with network.drop("alice", "web"):
            pass
        await network.crash("web")
        # alice is told that nobody is at the other end, and tells of it.
        lost = ("carrier", "warning", "alice:eth0 carrier lost")
        await until(network, lambda: lost in told(network))
        seen = [each for each in told(network) if each[0] != "timing"]
        assert seen[:4] == [
            ("link", "warning", "alice – web: loss 5%"),
            ("link", "warning", "alice – web: as in the file"),
            ("fault", "warning", "drop alice → web"),
            ("fault", "warning", "healed: drop alice → web"),
        ]
        facts = await network.inspect_node("web")
        assert facts["ended"].endswith("was killed by SIGKILL")
        assert ("node-died", "error", facts["ended"]) in seen
        assert facts["last_lines"] == []
        assert facts["ended"] not in [text for _, _, text in told(network, "alice")]
        assert not network.logs(events=True, since="1ns")["lines"]
        with pytest.raises(UnknownNameError):
            network.logs(["alice", "wbe"])
        with pytest.raises(UnitError):
            network.logs(since="a while")


async def test_the_last_words_of_a_node_that_died(start_network: StartNetwork) -> None:
    async with start_network(PAIR) as network:
        for number in range(12):
            network.logged("web", 20, f"line {number}")
        await network.crash("web")
        (web,) = [each for each in (await network.inspect())["nodes"] if each["name"] == "web"]
        assert web["last_lines"] == [f"line {number}" for number in range(2, 12)]
        await network.start_node("web")
        assert "ended" not in await network.inspect_node("web")
