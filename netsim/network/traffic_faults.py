"""Packets that vanish and connections that go wrong between nodes, while links stay as they are.

await net.drop("alice", "web", port=80)
async with net["alice"].connections("web", 80).stall():
    ...
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, Final, Literal, Protocol

from netsim.core.errors import InvalidValueError
from netsim.core.host_faults import (
    ConnectionFault,
    ConnectionFaultKind,
    HostFaults,
    PacketFault,
)
from netsim.core.units import format_duration, format_size, parse_duration, parse_size
from netsim.network.deferred import UnusedOperations
from netsim.network.faults import Fault
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import check_node
from netsim.wire import ipv4

IpProtocol = Literal["tcp", "udp", "icmp"]

_PROTOCOLS: Final[Mapping[str, int]] = {
    "tcp": ipv4.PROTOCOL_TCP,
    "udp": ipv4.PROTOCOL_UDP,
    "icmp": ipv4.PROTOCOL_ICMP,
}


class TrafficOperations(Protocol):
    """What these faults need of a network."""

    plan: NetworkPlan
    unused: UnusedOperations

    @property
    def is_running(self) -> bool:
        """Whether faults can be healed: not once the network stops."""

    async def set_host_faults(self, faults: Mapping[str, HostFaults]) -> None:
        """Have hosts suffer these and no others, all from one time on."""

    async def connections_hit(self, node: str) -> Mapping[int, int]:
        """How many connections each fault has reset, cut or refused there, by its number."""

    def noticed(self, node: str, text: str) -> None:
        """Tell those who watch the network."""


class TrafficFaults:
    """Those of one network that are in force. Every host is told all of its own at once."""

    def __init__(self, network: TrafficOperations) -> None:
        self.network = network
        self._numbers = count(1)
        self._in_force: dict[TrafficFault, Mapping[str, HostFaults]] = {}

    def of(self, node: str) -> HostFaults:
        """All that a host is to suffer now."""
        own = [each[node] for each in self._in_force.values() if node in each]
        return HostFaults(
            tuple(fault for each in own for fault in each.packets),
            tuple(fault for each in own for fault in each.connections),
        )

    def texts(self) -> list[str]:
        """What is in force, oldest first."""
        return [fault.text for fault in self._in_force]

    async def repair(self) -> None:
        """Heal all of them."""
        await self._end(list(self._in_force))

    def addresses(self, node: str) -> frozenset[bytes]:
        """Those of a node; UnknownNameError, InvalidValueError where it has none."""
        plan = self.network.plan
        check_node(plan, node)
        found = frozenset(
            interface.address
            for interface in plan.node(node).interfaces
            if interface.address is not None
        )
        if not found:
            kind = plan.node(node).kind
            raise InvalidValueError(
                f"{node} is a {kind} and has no address; write computers or routers"
            )
        return found

    def between(
        self, source: str | None, to: str, port: int, kind: ConnectionFaultKind, amount: int | None
    ) -> Fault:
        """One of the faults of connections, which `to` suffers."""
        peers = None if source is None else self.addresses(source)
        fault = ConnectionFault(next(self._numbers), kind, port, peers, amount)
        text = f"{kind} {source or '*'} → {to}:{port}{_amount_words(kind, amount)}"
        return TrafficFault(self, text, {to: HostFaults(connections=(fault,))})

    def stall(self, source: str | None, to: str, port: int) -> Fault:
        """Segments with data vanish on both sides."""
        others = [source] if source is not None else self._hosts_but(to)
        ways = [(other, to) for other in others]
        return self.packets(
            f"stall {source or '*'} → {to}:{port}",
            [*ways, *((b, a) for a, b in ways)],
            protocol=ipv4.PROTOCOL_TCP,
            port=port,
            only_data=True,
        )

    async def begin(self, fault: TrafficFault, hosts: Mapping[str, HostFaults]) -> None:
        """Put a fault in force."""
        self._in_force[fault] = hosts
        await self._tell(hosts)

    async def end(self, fault: TrafficFault) -> None:
        """Heal a fault, if that was not done."""
        await self._end([fault])

    async def _end(self, faults: Iterable[TrafficFault]) -> None:
        healed: dict[str, None] = {}
        for fault in faults:
            if fault in self._in_force:
                await self._tell_hits(fault)
            healed |= dict.fromkeys(self._in_force.pop(fault, ()))
        if healed and self.network.is_running:
            await self._tell(healed)

    async def _tell_hits(self, fault: TrafficFault) -> None:
        """How many connections it has ended: of those that were open, or since it began."""
        if not self.network.is_running:
            return
        for node, faults in self._in_force.get(fault, {}).items():
            numbers = [each.number for each in faults.connections if each.kind != "slow_close"]
            # A node that is down, or stands still, counts nothing.
            with contextlib.suppress(ConnectionError, TimeoutError):
                hits = await self.network.connections_hit(node) if numbers else {}
                count = sum(hits.get(number, 0) for number in numbers)
                if numbers:
                    what = "1 connection" if count == 1 else f"{count or 'no'} connections"
                    self.network.noticed(node, f"{fault.text}: {what}")

    async def _tell(self, hosts: Iterable[str]) -> None:
        await self.network.set_host_faults({name: self.of(name) for name in hosts})

    def packets(self, text: str, ways: Iterable[tuple[str, str]], **words: Any) -> Fault:
        """Packets vanish, from the first of each pair to the second: a PacketFault of `words`."""
        sources: dict[str, frozenset[bytes]] = {}
        for source, destination in ways:
            self.check_two(source, destination)
            known = sources.get(destination, frozenset())
            sources[destination] = known | self.addresses(source)
        return TrafficFault(
            self,
            text,
            {
                node: HostFaults(packets=(PacketFault(addresses, **words),))
                for node, addresses in sources.items()
            },
        )

    def check_two(self, source: str, destination: str) -> None:
        """Errors as of `addresses`, and where both are one node."""
        for node in (source, destination):
            self.addresses(node)
        if source == destination:
            raise InvalidValueError(f"{source} is both ends; write two nodes")

    def _hosts_but(self, node: str) -> list[str]:
        return [
            each.name
            for each in self.network.plan.nodes
            if each.name != node and any(own.address is not None for own in each.interfaces)
        ]


class TrafficVerbs:
    """What a caller does with these faults, as part of a network."""

    _traffic_faults: TrafficFaults

    def drop(
        self,
        source: str,
        destination: str,
        *,
        both_ways: bool = False,
        protocol: IpProtocol | None = None,
        port: int | None = None,
    ) -> Fault:
        """Packets from one node to another vanish on arrival, and nobody is told: links stay up.

        All of them, or those of a protocol, or of TCP and UDP those from or to a port. Until
        `repair`, or the end of the block. UnknownNameError, InvalidValueError.
        """
        if protocol is not None and protocol not in _PROTOCOLS:
            raise InvalidValueError(f"there is no protocol {protocol!r}; write tcp, udp or icmp")
        if port is not None and protocol == "icmp":
            raise InvalidValueError("icmp has no ports; write tcp or udp, or leave `port` out")
        _check_port(port)
        ways = (
            [(source, destination), (destination, source)] if both_ways else [(source, destination)]
        )
        number = None if protocol is None else _PROTOCOLS[protocol]
        arrow = "↔" if both_ways else "→"
        only = "".join(f", {each}" for each in (protocol, port) if each is not None)
        text = f"drop {source} {arrow} {destination}{only}"
        return self._traffic_faults.packets(text, ways, protocol=number, port=port)

    def isolate(self, group_a: Sequence[str], group_b: Sequence[str]) -> Fault:
        """Packets between any of one group and any of the other vanish, both ways, as in `drop`.

        A `partition` pulls plugs, which hosts and routers notice; here nobody does.
        """
        if not group_a or not group_b:
            raise InvalidValueError("a group is empty; write a node in each")
        both = sorted(set(group_a) & set(group_b))
        if both:
            raise InvalidValueError(f"{both[0]} is in both groups; write it in one of them")
        ways = [(a, b) for a in group_a for b in group_b]
        text = f"isolate {', '.join(group_a)} | {', '.join(group_b)}"
        return self._traffic_faults.packets(text, [*ways, *((b, a) for a, b in ways)])

    def connections(self, to: str, port: int, *, source: str | None = None) -> ConnectionsView:
        """TCP connections to a port of a node, from one node or from all, to go wrong.

        UnknownNameError, InvalidValueError.
        """
        _check_port(port)
        self._traffic_faults.addresses(to)
        if source is not None:
            self._traffic_faults.check_two(source, to)
        return ConnectionsView(self._traffic_faults, source, to, port)

    def traffic_faults(self) -> list[str]:
        """What `drop`, `isolate` and `connections` have in force, in words, oldest first."""
        return self._traffic_faults.texts()


class ConnectionsView:
    """TCP connections to a port of a node, from one node or from all: those that are open, and
    those that come while a fault lasts. All of its faults are as `Fault` says, and `repair` heals.
    """

    def __init__(self, faults: TrafficFaults, source: str | None, to: str, port: int) -> None:
        self._faults = faults
        self._ends = source, to, port

    def __repr__(self) -> str:
        source, to, port = self._ends
        return f"<connections {source or '*'} → {to}:{port}>"

    def reset(self, after: int | str | None = None) -> Fault:
        """Reset those that are open now, for both ends; with `after` each one, also of those to
        come, when the service has sent so many bytes on it (`"64KiB"`) from now on.
        """
        return self._between("reset", None if after is None else _bytes(after))

    def cut(self, after: int | str) -> Fault:
        """The service ends each connection when it has sent so many bytes on it from now on.

        The peer sees the end of the stream in the middle of what it reads.
        """
        return self._between("cut", _bytes(after))

    def stall(self) -> Fault:
        """Nothing comes through, either way, and nobody is told: connections can be made, stay, and
        are silent. What was sent arrives when it is healed, as far as TCP has not given up.
        """
        return self._faults.stall(*self._ends)

    def slow_close(self, delay: str) -> Fault:
        """The service takes so much longer (`"5s"`) to close: its FIN is late."""
        return self._between("slow_close", parse_duration(delay))

    def refuse(self, first: int | None = None) -> Fault:
        """New connections are refused; with `first` so many of them, and then no more."""
        if first is not None and first < 1:
            raise InvalidValueError(f"{first} connections are none to refuse; write 1 or more")
        return self._between("refuse", first)

    def _between(self, kind: ConnectionFaultKind, amount: int | None) -> Fault:
        return self._faults.between(*self._ends, kind, amount)


class TrafficFault(Fault):
    """Faults of some hosts, that come and go together."""

    def __init__(self, faults: TrafficFaults, text: str, hosts: Mapping[str, HostFaults]) -> None:
        super().__init__(faults.network.unused)
        self.text = text
        """What it does, for a person: `drop alice → web, tcp, 80`."""
        self._faults = faults
        self._hosts = hosts

    async def _make(self) -> None:
        await self._faults.begin(self, self._hosts)
        if all(_is_over(fault) for host in self._hosts.values() for fault in _all(host)):
            await self._faults.end(self)

    async def _leave(self) -> None:
        await self._faults.end(self)


def _bytes(size: int | str) -> int:
    octets = size if isinstance(size, int) else parse_size(size)
    if octets < 0:
        raise InvalidValueError(f"{octets} bytes cannot be; write 0 or more")
    return octets


def _amount_words(kind: ConnectionFaultKind, amount: int | None) -> str:
    if amount is None:
        return ""
    match kind:
        case "slow_close":
            return f", by {format_duration(amount)}"
        case "refuse":
            return f", the first {amount}"
        case _:
            return f", after {format_size(amount)}"


def _check_port(port: int | None) -> None:
    if port is not None and not 0 < port < 65_536:
        raise InvalidValueError(f"{port} is no port; write 1 to 65535")


def _all(host: HostFaults) -> tuple[PacketFault | ConnectionFault, ...]:
    return *host.packets, *host.connections


def _is_over(fault: PacketFault | ConnectionFault) -> bool:
    """A reset of the connections that were open."""
    return isinstance(fault, ConnectionFault) and fault.kind == "reset" and fault.amount is None
