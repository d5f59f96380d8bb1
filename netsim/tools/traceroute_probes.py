"""The probes of traceroute: UDP datagrams to unlikely ports, ICMP echo requests, or TCP SYNs.

A probe is known by its number, which its first bytes or its sequence number tell. All probes are
of one flow, so that where several ways cost the same they show one of them, and not a mixture
(Augustin et al., "Avoiding traceroute anomalies with Paris traceroute", 2006). SYNs are not: they
are told apart by our port, as in the original, since a target answers one connection once.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from netsim.aio.loop import HostLoopMixin
from netsim.stack.icmp_layer import EchoReply
from netsim.stack.interface import Interface
from netsim.stack.udp_layer import UdpError
from netsim.wire import icmp, ipv4, udp
from netsim.wire.address import IpAddress

FIRST_PORT: Final = 33434
HTTP_PORT: Final = 80
"""Where SYNs go if nothing else is said."""
_NUMBER: Final = 2
"""Bytes; routers quote 576 of a packet, so they come back."""
_UNREACHABLE_MARKS: Final = {
    icmp.NETWORK_UNREACHABLE: "!N",
    icmp.HOST_UNREACHABLE: "!H",
    icmp.PROTOCOL_UNREACHABLE: "!P",
    icmp.PORT_UNREACHABLE: "",
    icmp.FRAGMENTATION_NEEDED: "!F",
    5: "!S",
    9: "!X",
    10: "!X",
    icmp.ADMINISTRATIVELY_PROHIBITED: "!X",
    14: "!V",
    15: "!C",
}


class Answer(NamedTuple):
    """What came back for a probe. `source` is None when this node itself gave up."""

    source: IpAddress | None
    now: int
    is_last: bool
    """Whether probes with a higher TTL would get no further."""
    mark: str
    """`!H` and its like; empty for an ordinary answer."""


class Prober(Protocol):
    """Sends probes of one kind and reads what comes back."""

    def send(self, number: int, ttl: int) -> int:
        """Send a probe; the network time at which it left. SocketError as of IP."""

    async def receive(self) -> tuple[int, Answer]:
        """The number of the next probe that is answered, and its answer."""

    def close(self) -> None:
        """No more probes."""


class UdpProber:
    """Datagrams to one port: the target answers "port unreachable".

    Those too short for a number go to the port that is so much higher.
    """

    def __init__(
        self,
        loop: HostLoopMixin,
        target: IpAddress,
        data: bytes,
        port: int = FIRST_PORT,
        source: IpAddress | None = None,
        through: Interface | None = None,
    ) -> None:
        self._first_port = port
        self._through = through
        self._endpoint = loop.open_probe(source)
        self._target = target
        self._data = data

    def send(self, number: int, ttl: int) -> int:
        port, data = self._first_port, number.to_bytes(_NUMBER, "big") + self._data[_NUMBER:]
        if len(data) > len(self._data):
            port, data = self._first_port + number, self._data
        return self._endpoint.send((self._target, port), data, ttl=ttl, through=self._through)

    async def receive(self) -> tuple[int, Answer]:
        """An ICMP error, or a datagram of somebody who does listen on that port."""
        message = await self._endpoint.receive()
        if isinstance(message, UdpError):
            quoted = ipv4.parse_quoted(message.message.body)
            data = message.message.body[quoted.header_length + udp.HEADER_LENGTH :]
            number = self._number(message.destination[1], data)
            return number, _of_error(message.reporter, message.message, message.now)
        source, port = message.source
        number = self._number(port, message.payload)
        return number, Answer(source, message.now, is_last=True, mark="")

    def _number(self, port: int, data: bytes) -> int:
        if len(self._data) < _NUMBER:
            return port - self._first_port
        return int.from_bytes(data[:_NUMBER], "big") if len(data) >= _NUMBER else -1

    def close(self) -> None:
        """Give the port back."""
        self._endpoint.close()


class EchoProber:
    """Echo requests: the target answers with a reply."""

    def __init__(
        self,
        loop: HostLoopMixin,
        target: IpAddress,
        data: bytes,
        source: IpAddress | None = None,
        through: Interface | None = None,
    ) -> None:
        self._endpoint = loop.open_echo()
        self._through = through
        self._target = target
        self._data = data
        self._source = source

    def send(self, number: int, ttl: int) -> int:
        return self._endpoint.send(
            *(self._target, number, self._data),
            ttl=ttl,
            source=self._source,
            through=self._through,
        )

    async def receive(self) -> tuple[int, Answer]:
        """A reply or an ICMP error."""
        message = await self._endpoint.receive()
        if isinstance(message, EchoReply):
            return message.sequence, Answer(message.source, message.now, is_last=True, mark="")
        return message.sequence, _of_error(message.source, message.message, message.now)

    def close(self) -> None:
        """Give the identifier back."""
        self._endpoint.close()


class SynProber:
    """SYNs to one port: the target answers with SYN-ACK or reset, and no connection is left."""

    def __init__(
        self,
        loop: HostLoopMixin,
        target: IpAddress,
        port: int,
        source: IpAddress | None = None,
        through: Interface | None = None,
    ) -> None:
        self._endpoint = loop.open_syn_probe()
        self._through = through
        self._source = source
        self._target = target
        self._port = port
        self._numbers: dict[int, int] = {}
        """By our port."""

    def send(self, number: int, ttl: int) -> int:
        port, now = self._endpoint.send(
            self._target, self._port, ttl=ttl, source=self._source, through=self._through
        )
        self._numbers[port] = number
        return now

    async def receive(self) -> tuple[int, Answer]:
        """SYN-ACK, reset, or an ICMP error."""
        message = await self._endpoint.receive()
        number = self._numbers.get(message.port, -1)
        if message.error is not None:
            return number, _of_error(message.source, message.error, message.now)
        return number, Answer(message.source, message.now, is_last=True, mark="")

    def close(self) -> None:
        """Give the ports back."""
        self._endpoint.close()


def _of_error(source: IpAddress | None, message: icmp.IcmpMessage, now: int) -> Answer:
    if message.type == icmp.TIME_EXCEEDED:
        return Answer(source, now, is_last=False, mark="")
    if message.type == icmp.DESTINATION_UNREACHABLE:
        mark = _UNREACHABLE_MARKS.get(message.code, f"!<{message.code}>")
        return Answer(source, now, is_last=True, mark=mark)
    return Answer(source, now, is_last=True, mark=f"!<{message.type}-{message.code}>")
