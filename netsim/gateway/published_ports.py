"""`ports:` of a topology file: a real listening socket that enters the network at a computer.

As `ssh -L`: whoever connects to it is connected, from that computer, to a port of a simulated
host, and bytes are relayed both ways. Back-pressure, half-close and reset are passed on.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence

from netsim.aio.loop import HostLoopMixin
from netsim.core.os_words import in_system_words
from netsim.gateway.real_ports import cannot_listen
from netsim.gateway.relay import Half
from netsim.topology.plan import PublishedPortPlan

_log = logging.getLogger("netsim.gateway")


class PublishedPort:
    """One open port."""

    def __init__(self, loop: HostLoopMixin, target_host: str, target_port: int) -> None:
        self.loop = loop
        """Of the computer at which clients enter the network."""
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[_Outer, None] = {}
        self.listen = ("", 0)
        """Address and port of the real socket."""
        self.connections = 0
        """Real connections accepted."""
        self.failures = 0
        """Of these, those that could not be connected in the network."""
        self.bytes_in = 0
        """From real clients into the network."""
        self.bytes_out = 0
        """From the network to real clients."""

    @property
    def active(self) -> int:
        """Real connections that are open now."""
        return len(self._open)

    async def open(self, bound: socket.socket) -> None:
        """Listen; PublishedPortError when somebody else does."""
        self.listen = bound.getsockname()[:2]
        try:
            self._server = await self.loop.outside.create_server(lambda: _Outer(self), bound)
        except OSError as error:
            bound.close()
            raise cannot_listen(*self.listen, error) from error

    def close(self) -> None:
        """Listen no more, and reset what is open, on both sides."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for outer in list(self._open):
            outer.reset()
            if outer.other is not None:
                outer.other.reset()

    def accepted(self, outer: _Outer) -> None:
        """A real connection has come: make its other half."""
        self.connections += 1
        self._open[outer] = None
        task = self.loop.create_task(self._connect(outer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def ended(self, outer: _Outer) -> None:
        """A real connection is over."""
        self._open.pop(outer, None)

    async def _connect(self, outer: _Outer) -> None:
        host, port = self._target
        try:
            await self.loop.create_connection(lambda: _Inner(self, outer), host, port)
        except OSError as error:
            self.failures += 1
            _log.warning("%s:%d could not be reached: %s", host, port, in_system_words(error))
            outer.reset()


async def open_ports(
    loop: HostLoopMixin, planned: Sequence[PublishedPortPlan], bound: Sequence[socket.socket]
) -> list[PublishedPort]:
    """Open all that a computer publishes, at addresses that were taken for it.

    PublishedPortError when one cannot be listened on: then none is.
    """
    opened: list[PublishedPort] = []
    try:
        for port, sock in zip(planned, bound, strict=True):
            opened.append(PublishedPort(loop, port.host, port.port))
            await opened[-1].open(sock)
    except BaseException:
        for each in opened:
            each.close()
        raise
    return opened


class _Outer(Half):
    """The real side. It reads nothing until the simulated side is connected."""

    def __init__(self, port: PublishedPort) -> None:
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Soon, not now: asyncio of Python 3.11.2 (Debian 12) starts to read after this call anyway.
        self._port.loop.call_soon(self.transport.pause_reading)
        self._port.accepted(self)

    def data_received(self, data: bytes) -> None:
        self._port.bytes_in += len(data)
        self.relay(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.ended(self)
        super().connection_lost(exc)


class _Inner(Half):
    """The simulated side."""

    def __init__(self, port: PublishedPort, outer: _Outer) -> None:
        self._port = port
        self._outer = outer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.other, self._outer.other = self._outer, self
        self._outer.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._port.bytes_out += len(data)
        self.relay(data)
