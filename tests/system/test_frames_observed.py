"""The last frames of a network of processes, gathered from all of them."""

from __future__ import annotations

import asyncio

import pytest
from networks import StartNetwork, tool

from netsim import NotInRealTimeError
from netsim.observe.frame_log import DELIVERED

pytestmark = pytest.mark.asyncio

SMALL = """
name: small
defaults: {link: {delay: 5ms}}
nodes:
  alice: {kind: computer}
  s1: {kind: switch}
  web: {kind: computer}
links: [[alice, s1], {endpoints: [s1, web], mtu: 1400}]
"""


async def test_frames_and_their_fates(start_network: StartNetwork) -> None:
    async with start_network(SMALL) as network:
        await tool(network, "alice", "ping", "-c1", "web")
        assert not await network.recent_frames(), "nobody has asked for them yet"
        network.observe_frames()
        assert not await network.recent_frames(), "every node has answered, so all observe"
        await tool(network, "alice", "ping", "-c1", "web")
        # The switch drops it without a word: it knows nothing of fragments.
        await tool(network, "alice", "ping", "-c1", "-W0.2", "-s1450", "web")
        async with asyncio.timeout(10):  # ping does not wait for what becomes of its frame
            while all(each.fate == DELIVERED for each in await network.recent_frames()):
                pass
        frames = await network.recent_frames()
        assert [frame.time_ns for frame in frames] == sorted(frame.time_ns for frame in frames)
        delivered = [(each.sender, each.receiver) for each in frames if each.fate == DELIVERED]
        assert delivered[:4] == [
            ("alice:eth0", "s1:eth0"),
            ("s1:eth1", "web:eth0"),
            ("web:eth0", "s1:eth1"),
            ("s1:eth0", "alice:eth0"),
        ]
        assert [(each.sender, each.fate) for each in frames if each.fate != DELIVERED] == [
            ("s1:eth1", "mtu")
        ]


async def test_a_node_that_comes_back_is_observed_again(start_network: StartNetwork) -> None:
    async with start_network(SMALL) as network:
        network.observe_frames()
        await network.crash("web")
        await network.start_node("web")
        code, _ = await tool(network, "alice", "ping", "-c1", "web")
        assert code == 0
        assert "web:eth0" in {frame.receiver for frame in await network.recent_frames()}


async def test_no_trace_of_all_frames_in_real_time(start_network: StartNetwork) -> None:
    async with start_network(SMALL) as network:
        with pytest.raises(NotInRealTimeError, match="virtual time"):
            network.trace_frames("frames.jsonl")
