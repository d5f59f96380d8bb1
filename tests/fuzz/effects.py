"""What frames do to a node: each is answered, passed on, kept, or counted as dropped."""

from __future__ import annotations

from netsim.node.base_node import Node
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.stack.host import Host
from netsim.wire import arp, ethernet, icmp, ipv4
from netsim.wire.wire_error import WireError


def watch(node: Node) -> None:
    """From now on fail when a frame comes to nothing and no counter says so."""
    receive_frame = node.receive_frame

    def receive_and_look(port: Port, frame: bytes, now: int) -> None:
        before = _effects(node)
        receive_frame(port, frame, now)
        assert _effects(node) != before or _may_pass_unnoticed(node, frame), (
            f"{node.name} lost a frame and did not count it: {frame.hex()}"
        )

    node.receive_frame = receive_and_look  # type: ignore[method-assign]


def _effects(node: Node) -> tuple[int, ...]:
    """Numbers of which at least one is another after every frame."""
    sent = sum(port.egress.counters.sent for port in node.ports)
    if isinstance(node, Switch):
        return sent, node.drops.total(), node.flooded
    assert isinstance(node, HostNode)
    return sent, node.drops.total(), *_effects_on_host(node.host)


def _effects_on_host(host: Host) -> tuple[int, ...]:
    return (
        host.forwarded,
        host.ip_input.reassembly.memory,
        host.ip_input.reassembly.reassembled,
        host.tcp.counters.segments_in,
        host.tcp.counters.icmp_out_of_window,
        sum(len(entry.waiting) for cache in host.neighbours for entry in cache.entries()),
        sum(len(socket.inbox) + len(socket.errors) for socket in host.udp.sockets()),
        sum(len(socket.inbox) for socket in host.icmp._echo_sockets.values()),
    )


def _may_pass_unnoticed(node: Node, frame: bytes) -> bool:
    """ARP among others, and an ICMP error that tells a connection what it has heard before."""
    if not isinstance(node, HostNode):
        return False
    try:
        if frame[12:14] == ethernet.ETHERTYPE_ARP.to_bytes(2, "big"):
            arp.parse(frame, ethernet.HEADER_LENGTH)
            return True
        header = ipv4.parse(frame, ethernet.HEADER_LENGTH)
        start = ethernet.HEADER_LENGTH + header.header_length
        message = icmp.parse(frame[start : ethernet.HEADER_LENGTH + header.total_length])
        return (
            header.protocol == ipv4.PROTOCOL_ICMP
            and message.type in icmp.ERRORS
            and ipv4.parse_quoted(message.body).protocol == ipv4.PROTOCOL_TCP
        )
    except WireError:
        return False
