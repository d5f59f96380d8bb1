"""Nodes with a protocol stack: computers, and routers, which forward as well."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from netsim.core.streams import RandomStreams
from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.stack.host import Host
from netsim.stack.interface import Interface, InterfaceAddress
from netsim.stack.tcp.settings import TcpSettings
from netsim.wire.address import IpAddress


class HostNode(Node):
    """A node whose ports are the interfaces of a `Host`."""

    forwarding: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        ports: list[Port],
        addresses: list[tuple[InterfaceAddress, ...]],
        streams: RandomStreams,
        congestion: str = "cubic",
        ecn: bool | None = None,
        loopback: tuple[IpAddress, ...] = (),
    ) -> None:
        super().__init__(name, ports)
        self.host = Host(
            [
                Interface(port.index, port.name, port.mac, own, port.mtu)
                for port, own in zip(ports, addresses, strict=True)
            ],
            streams,
            name=name,
            forwarding=self.forwarding,
            loopback=loopback,
            tcp_settings=TcpSettings(
                congestion=congestion, ecn=ecn is not False, request_ecn=ecn is True
            ),
        )
        self.timers = self.host.timers

    def receive_frame(self, port: Port, frame: bytes, now: int) -> None:
        """Hand the frame to the interface of that port."""
        host = self.host
        host.receive_frame(host.interfaces[port.index], frame, now)
        if host.outbox:
            self._transmit(now)

    def handle_timer(self, now: int) -> None:
        """Run the stack's timers."""
        self.host.handle_timer(now)
        if self.host.outbox:
            self._transmit(now)

    @property
    def has_output(self) -> bool:
        """Whether a program has written to a socket of the stack."""
        host = self.host
        return bool(host.outbox or host.tcp.dirty or host.ip.looped)

    def flush(self, now: int) -> None:
        """Send what programs have written."""
        self.host.flush(now)
        if self.host.outbox:
            self._transmit(now)

    @property
    def drops(self) -> Counter[str]:
        """Packets the stack has discarded, by reason."""
        return self.host.drops

    def carrier_changed(self, port: Port, now: int) -> None:
        """Tell the stack."""
        self.host.set_carrier(self.host.interfaces[port.index], port.up)

    def _transmit(self, now: int) -> None:
        ports = self.ports
        sending = self.sending
        for interface, frame in self.host.outbox:
            port = ports[interface.index]
            port.transmit(frame, now)
            sending[port] = None
        self.host.outbox.clear()


class Computer(HostNode):
    """A host at the edge: it runs programs and forwards nothing."""


class Router(HostNode):
    """Forwards between its interfaces by longest prefix; answers with ICMP errors."""

    forwarding = True
