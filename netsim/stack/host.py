"""A host: interfaces, ARP, IP, ICMP, UDP and TCP as one machine without I/O.

Whoever drives it gives it frames and the time, takes the frames in `outbox`, calls
`handle_timer` when `next_timer` has come, and looks at the sockets in `ready`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from netsim.core.host_faults import HostFaults
from netsim.core.streams import RandomStreams
from netsim.stack.fib import Fib, Origin, Route
from netsim.stack.icmp_layer import Icmp
from netsim.stack.interface import Interface
from netsim.stack.ip_forward import IpForward
from netsim.stack.ip_input import IpInput
from netsim.stack.ip_layer import Ip
from netsim.stack.neighbour import NeighbourCache
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_layer import Tcp
from netsim.stack.timers import Timers
from netsim.stack.udp_layer import Udp
from netsim.stack.upper import Upper
from netsim.wire import arp, ethernet, ipv4
from netsim.wire.address import IpAddress
from netsim.wire.wire_error import WireError

_IPV4 = ethernet.ETHERTYPE_IPV4.to_bytes(2, "big")
_ARP = ethernet.ETHERTYPE_ARP.to_bytes(2, "big")


class Host:
    """The protocol machines of one computer or router.

    Its `name` makes it choose among equal routes in its own way.
    """

    def __init__(
        self,
        interfaces: list[Interface],
        streams: RandomStreams,
        *,
        name: str = "",
        forwarding: bool = False,
        loopback: tuple[IpAddress, ...] = (),
        tcp_settings: TcpSettings | None = None,
    ) -> None:
        self.interfaces = interfaces
        self.loopback = loopback
        """Addresses that belong to no interface beside 127.0.0.0/8."""
        self.outbox: list[tuple[Interface, bytes]] = []
        """Frames that want to leave; the driver empties it after every call."""
        self.ready: dict[Any, None] = {}
        """Sockets to which something has happened, in that order; the driver empties it."""
        self.drops: Counter[str] = Counter()
        """Packets that were not delivered, by reason."""
        self.on_drop: Callable[[str], None] | None = None
        """Told the reason of each drop while the frame is at hand; for traces."""
        self.timers = Timers()
        self.fib = Fib(name)
        self.neighbours = [
            NeighbourCache(
                interface,
                self.timers,
                streams.stream(f"{interface.name}/neighbours"),
                self.outbox,
                self._unreachable,
                self._drop,
            )
            for interface in interfaces
        ]
        self.ip = Ip(
            interfaces,
            self.neighbours,
            self.fib,
            self.outbox,
            self.timers,
            self._path_changed,
            loopback=loopback,
        )
        uppers: dict[int, Upper] = {}
        self.icmp = Icmp(self.ip, uppers, self.ready, self._drop)
        self.udp = Udp(self.ip, self.icmp, streams.stream("udp"), self.ready, self._drop)
        self.tcp = Tcp(
            self.ip,
            self.timers,
            streams.stream("tcp"),
            self.ready,
            self._drop,
            settings=tcp_settings or TcpSettings(),
        )
        uppers |= {
            ipv4.PROTOCOL_ICMP: self.icmp,
            ipv4.PROTOCOL_UDP: self.udp,
            ipv4.PROTOCOL_TCP: self.tcp,
        }
        self.ip_forward = IpForward(self.ip, self.icmp, self._drop) if forwarding else None
        self.ip_input = IpInput(
            self.ip, self.icmp, uppers, self.ip_forward, self._drop, self.timers
        )
        self._add_connected_routes()

    @property
    def forwarded(self) -> int:
        """Packets that were for others and were sent on."""
        return 0 if self.ip_forward is None else self.ip_forward.forwarded

    def receive_frame(self, interface: Interface, frame: bytes, now: int) -> None:
        """Take a frame from a cable. Malformed ones are counted in `drops`; nothing escapes."""
        if len(frame) < ethernet.HEADER_LENGTH:
            self._drop("ethernet-truncated")
            return
        if frame[:6] != interface.mac and not frame[0] & 1:
            # A switch that has not learned yet floods frames that are for somebody else.
            self._drop("other-station")
            return
        try:
            ethertype = frame[12:14]
            if ethertype == _IPV4:
                self.ip_input.receive(interface, frame, now)
            elif ethertype == _ARP:
                packet = arp.parse(frame, ethernet.HEADER_LENGTH)
                self.neighbours[interface.index].receive(packet, now)
            else:
                self._drop("ethertype-unknown")
        except WireError as error:
            self._drop(error.reason)
        if self.ip.looped:
            self._deliver_looped(now)

    def next_timer(self) -> int | None:
        """When `handle_timer` wants to be called; None while nothing is pending."""
        return self.timers.next_due()

    def handle_timer(self, now: int) -> None:
        """Do what is due."""
        self.timers.fire(now)
        if self.ip.looped:
            self._deliver_looped(now)

    def flush(self, now: int) -> None:
        """Send what programs have written since the last call."""
        self.tcp.flush(now)
        while self.ip.looped:
            self._deliver_looped(now)
            self.tcp.flush(now)

    def set_carrier(self, interface: Interface, up: bool) -> None:
        """The cable of an interface was connected or lost; routes over it follow."""
        if interface.up == up:
            return
        interface.up = up
        if not up:
            self.neighbours[interface.index].flush()
        self.ip.paths_changed()

    def install_routes(self, routes: Iterable[Route]) -> None:
        """Replace all routes but those of connected subnets."""
        self.fib.remove_all(Origin.STATIC)
        self.fib.remove_all(Origin.COMPUTED)
        for route in routes:
            self.fib.add(route)
        self.ip.paths_changed()

    def change_routes(
        self, withdrawn: Iterable[tuple[IpAddress, int]], routes: Iterable[Route]
    ) -> None:
        """Withdraw computed routes, by prefix, and install others, in place of any to the same."""
        routes = list(routes)
        replaced = ((route.prefix, route.prefix_length) for route in routes)
        for prefix, length in dict.fromkeys((*withdrawn, *replaced)):
            self.fib.remove(prefix, length, Origin.COMPUTED)
        for route in routes:
            self.fib.add(route)
        self.ip.paths_changed()

    def route_via(
        self,
        prefix: IpAddress,
        prefix_length: int,
        gateway: IpAddress,
        interface: Interface,
        origin: Origin = Origin.STATIC,
    ) -> Route:
        """A route through `gateway`; packets of our own take the interface's first address."""
        source = next(
            (entry.address for entry in interface.addresses if entry.contains(gateway)),
            interface.addresses[0].address,
        )
        return Route(prefix, prefix_length, interface, gateway, source, origin)

    def set_faults(self, faults: HostFaults, now: int) -> None:
        """From now on suffer these, and no others."""
        self.ip_input.faults = faults.packets
        self.tcp.set_faults(faults.connections, now)

    def close_sockets(self, now: int) -> None:
        """As a kernel does for a process that has died: FIN, or RST where data was not read."""
        self.tcp.close_all(now)
        for udp in self.udp.sockets():
            udp.close()
        for echo in self.icmp.echo_sockets():
            echo.close()
        self.ready.clear()

    def _add_connected_routes(self) -> None:
        for interface in self.interfaces:
            for entry in interface.addresses:
                self.fib.add(
                    Route(
                        entry.network,
                        entry.prefix_length,
                        interface,
                        None,
                        entry.address,
                        Origin.CONNECTED,
                    )
                )

    def _deliver_looped(self, now: int) -> None:
        while self.ip.looped:
            try:
                self.ip_input.deliver_looped(now)
            except WireError as error:
                self._drop(error.reason)

    def _path_changed(self, destination: IpAddress | None, now: int | None) -> None:
        self.tcp.path_changed(destination, now)

    def _unreachable(self, packet: bytes, now: int) -> None:
        try:
            self.icmp.unreachable(packet, now)
        except WireError as error:
            self._drop(error.reason)

    def _drop(self, reason: str) -> None:
        self.drops[reason] += 1
        if self.on_drop is not None:
            self.on_drop(reason)
