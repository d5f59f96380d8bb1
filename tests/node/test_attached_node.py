"""A place that a device takes: frames go through it both ways, and what it refuses is counted."""

from __future__ import annotations

from dataclasses import replace

from memory_network import MemoryNetwork
from plans import plan_of

from netsim.core.link_attributes import LinkCondition
from netsim.core.time import MILLISECOND
from netsim.node.attached_node import AttachedNode
from netsim.topology.plan import NetworkPlan
from netsim.wire import arp, ethernet
from netsim.wire.address import BROADCAST_MAC

MAC = bytes.fromhex("0a0000000001")


def attached(plan: NetworkPlan) -> NetworkPlan:
    """The same plan, whose node alice is attached to a TAP device."""
    nodes = tuple(
        replace(node, tap="tap0") if node.name == "alice" else node for node in plan.nodes
    )
    return replace(plan, nodes=nodes)


class Beside:
    """alice – web, where the test takes the place of alice."""

    def __init__(self, **attributes: str) -> None:
        words = " ".join(f"{word}={value}" for word, value in attributes.items())
        self.plan = attached(plan_of(f"alice web delay=5ms {words}"))
        self.network = MemoryNetwork(self.plan)
        node = self.network.site.nodes["alice"]
        assert isinstance(node, AttachedNode)
        self.node = node
        self.driver = self.network.site.drivers["alice"]
        self.given: list[tuple[int, bytes]] = []
        node.give = self.give

    def give(self, frame: bytes) -> str | None:
        self.given.append((self.network.now, frame))
        return None

    def send(self, frame: bytes) -> None:
        self.node.take(frame)
        assert self.node.has_output
        self.driver.flush(self.network.now)
        assert not self.node.has_output

    def question(self) -> bytes:
        alice, web = (self.plan.node(name).interfaces[0].address for name in ("alice", "web"))
        assert alice is not None
        assert web is not None
        packet = arp.ArpPacket(arp.REQUEST, MAC, alice, bytes(6), web)
        header = ethernet.pack_header(BROADCAST_MAC, MAC, ethernet.ETHERTYPE_ARP)
        return header + packet.pack()


def test_frames_pass_both_ways_at_the_times_of_the_link() -> None:
    beside = Beside()
    beside.send(beside.question())
    beside.network.run_until(100 * MILLISECOND)
    ((at, frame),) = beside.given
    assert at == 10 * MILLISECOND
    assert frame[:6] == MAC


def test_what_is_longer_than_the_mtu_is_dropped_and_counted() -> None:
    beside = Beside(mtu="1000")
    beside.send(beside.question().ljust(1_015, b"\0"))
    assert beside.node.ports[0].egress.counters.dropped == {"mtu": 1}
    beside.send(beside.question().ljust(1_014, b"\0"))
    assert beside.node.ports[0].egress.counters.dropped == {"mtu": 1}


def test_what_the_device_refuses_is_counted() -> None:
    beside = Beside()
    beside.node.give = lambda frame: "device-down"
    beside.send(beside.question())
    beside.network.run_until(100 * MILLISECOND)
    assert beside.node.drops == {"device-down": 1}


def test_the_device_follows_the_carrier() -> None:
    beside = Beside()
    seen: list[bool] = []
    beside.node.on_carrier = seen.append
    (interface,) = beside.plan.node("alice").interfaces
    for up in (False, True):
        condition = LinkCondition(interface.egress, up=up)
        beside.network.site.change_links(beside.network.now, [(0, "alice", condition)])
        beside.network.run_until(beside.network.now + MILLISECOND)
    assert seen == [False, True]
