"""Endpoints for ping and traceroute: echo requests, datagrams whose errors can be read, and SYNs.

They tell times of the network: when a probe left, and when its answer was due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from netsim.aio.host_loop import HostLoop
from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.icmp_layer import EchoError, EchoReply, EchoSocket
from netsim.stack.interface import Interface
from netsim.stack.ip_layer import DEFAULT_TTL
from netsim.stack.tcp.syn_probes import SynAnswer, SynProbe
from netsim.stack.udp_layer import Datagram, UdpError, UdpSocket
from netsim.wire.address import IpAddress


class EchoEndpoint:
    """Sends echo requests and waits for what comes back. Close it when done.

    With a `clock`, `woken_at` is what it said when the stack last told of an arrival, as a
    kernel stamps packets for its ping (SO_TIMESTAMP): before the event loop gets round to it.
    """

    def __init__(
        self, loop: HostLoop, socket: EchoSocket, clock: Callable[[], int] | None = None
    ) -> None:
        self._loop = loop
        self._socket = socket
        self._clock = clock
        self.woken_at = 0
        self._arrived = asyncio.Event()
        loop.own(socket, self)

    @property
    def identifier(self) -> int:
        """What tells our requests from others'."""
        return self._socket.identifier

    def send(
        self,
        destination: IpAddress,
        sequence: int,
        data: bytes,
        *,
        ttl: int = DEFAULT_TTL,
        discovery: PathMtuDiscovery = PathMtuDiscovery.WANT,
        options: bytes = b"",
        source: IpAddress | None = None,
        through: Interface | None = None,
    ) -> int:
        """Ask; the network time in ns at which the request left. SocketError as of IP.

        `options` are those of the IP header; `source` and `through` an address and an interface of
        this host.
        """
        now = self._loop.network_now()
        self._socket.send(
            destination,
            sequence,
            data,
            now,
            ttl=ttl,
            discovery=discovery,
            options=options,
            source=source,
            through=through,
        )
        self._loop.transmit_now()
        return now

    async def receive(self) -> EchoReply | EchoError:
        """The next answer or error."""
        while not self._socket.inbox:
            self._arrived.clear()
            await self._arrived.wait()
        return self._socket.inbox.popleft()

    def socket_ready(self) -> None:
        """Something is in the inbox."""
        if self._clock is not None:
            self.woken_at = self._clock()
        self._arrived.set()

    def close(self) -> None:
        """Give the identifier back."""
        self._loop.disown(self._socket)
        self._socket.close()


class ProbeEndpoint:
    """Sends UDP datagrams with a TTL and waits for answers and ICMP errors. Close it when done."""

    def __init__(self, loop: HostLoop, socket: UdpSocket) -> None:
        self._loop = loop
        self._socket = socket
        self._arrived = asyncio.Event()
        loop.own(socket, self)

    def send(
        self,
        destination: tuple[IpAddress, int],
        data: bytes,
        *,
        ttl: int = DEFAULT_TTL,
        through: Interface | None = None,
    ) -> int:
        """Send one; the network time in ns at which it left. SocketError as of IP.

        `through` is an interface of this host.
        """
        now = self._loop.network_now()
        self._socket.send(data, destination, now, ttl=ttl, through=through)
        self._loop.transmit_now()
        return now

    async def receive(self) -> Datagram | UdpError:
        """The next datagram or error."""
        while True:
            if self._socket.errors:
                return self._socket.errors.popleft()
            if (datagram := self._socket.receive()) is not None:
                return datagram
            self._arrived.clear()
            await self._arrived.wait()

    def socket_ready(self) -> None:
        """A datagram or an error has arrived."""
        self._arrived.set()

    def close(self) -> None:
        """Give the port back."""
        self._loop.disown(self._socket)
        self._socket.close()


class SynEndpoint:
    """Sends SYNs that open nothing, and waits for what comes back. Close it when done."""

    def __init__(self, loop: HostLoop, socket: SynProbe) -> None:
        self._loop = loop
        self._socket = socket
        self._arrived = asyncio.Event()
        loop.own(socket, self)

    def send(
        self,
        destination: IpAddress,
        port: int,
        *,
        ttl: int,
        source: IpAddress | None = None,
        through: Interface | None = None,
    ) -> tuple[int, int]:
        """Send one; our port, and the network time in ns at which it left. SocketError as of IP.

        `source` and `through` are an address and an interface of this host.
        """
        now = self._loop.network_now()
        ours = self._socket.send(destination, port, now, ttl=ttl, source=source, through=through)
        self._loop.transmit_now()
        return ours, now

    async def receive(self) -> SynAnswer:
        """The next answer or error."""
        while not self._socket.inbox:
            self._arrived.clear()
            await self._arrived.wait()
        return self._socket.inbox.popleft()

    def socket_ready(self) -> None:
        """Something is in the inbox."""
        self._arrived.set()

    def close(self) -> None:
        """Give the ports back."""
        self._loop.disown(self._socket)
        self._socket.close()
