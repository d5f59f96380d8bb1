"""`upstream:` of a service: a TCP port of a computer behind which a real server answers.

Each connection that arrives in the network is continued, by a connection of its own, to a server
outside. Nothing is read from the client before that one is there; a refusal becomes a RST. Half
closes, resets and back-pressure are passed on, both ways. When the computer crashes, the kernel
resets what was open outside, as it would for a machine that lost its power and came back.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from netsim.aio.loop import HostLoopMixin
from netsim.core.os_words import in_system_words
from netsim.gateway.relay import NO_RESET, RESET, Half
from netsim.topology.plan import UpstreamPlan

MOST: Final = 1000
"""Connections at the same time; others are reset, as by a server whose descriptors are used up."""
_CONNECT: Final = 30.0
"""Seconds that the real server has to accept."""

_log = logging.getLogger("netsim.gateway")


class Upstream:
    """One port of a computer, and the real server that it leads to."""

    def __init__(self, loop: HostLoopMixin, port: int, target: UpstreamPlan) -> None:
        self._loop = loop
        self._port = port
        self._target = target
        self._server: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[_Inner, None] = {}
        self.connections = 0
        """Accepted in the network."""
        self.failures = 0
        """Of these, those that the real server did not accept."""
        self.refused = 0
        """Of these, those that were too many."""
        self.bytes_in = 0
        """From the real server into the network."""
        self.bytes_out = 0
        """From the network to the real server."""

    async def start(self) -> None:
        """Listen in the network; OSError."""
        self._server = await self._loop.create_server(lambda: _Inner(self), "0.0.0.0", self._port)

    async def stop(self) -> None:
        """Listen no more, and close what is open, as a process that ends in order."""
        self._end()
        for inner in list(self._open):
            inner.close()
            if inner.other is not None:
                inner.other.close()

    def kill(self) -> None:
        """Listen no more, and reset what is open outside; the stack closes the other halves."""
        self._end()
        for inner in list(self._open):
            if inner.other is not None:
                inner.other.reset()

    def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    def facts(self) -> dict[str, Any]:
        """For `inspect`."""
        return {
            "port": self._port,
            "upstream": str(self._target),
            "connections": self.connections,
            "active": len(self._open),
            "failures": self.failures,
            "refused": self.refused,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }

    def accepted(self, inner: _Inner) -> None:
        """A client has come: make the other half."""
        self.connections += 1
        if len(self._open) >= MOST:
            self.refused += 1
            inner.reset()
            return
        self._open[inner] = None
        task = self._loop.create_task(self._connect(inner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def ended(self, inner: _Inner) -> None:
        """A client's connection is over."""
        self._open.pop(inner, None)

    async def _connect(self, inner: _Inner) -> None:
        where = self._target.path or (self._target.host, self._target.port)
        try:
            async with asyncio.timeout(_CONNECT):
                await self._loop.outside.connect(lambda: _Outer(self, inner), where)
        except (OSError, TimeoutError) as error:
            self.failures += 1
            why = f"no answer within {_CONNECT:g} s"
            if not isinstance(error, TimeoutError):
                why = in_system_words(error)
            _log.warning("port %d: %s could not be reached: %s", self._port, self._target, why)
            inner.reset()


class _Inner(Half):
    """The client's side, in the network. Nothing is read until the real side is connected."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self._upstream.accepted(self)

    def data_received(self, data: bytes) -> None:
        self._upstream.bytes_out += len(data)
        self.relay(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.ended(self)
        super().connection_lost(exc)


class _Outer(Half):
    """The real server's side."""

    def __init__(self, upstream: Upstream, inner: _Inner) -> None:
        self._upstream = upstream
        self._inner = inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._inner.transport.is_closing():  # the client has left meanwhile
            self.reset()
            return
        self.linger(RESET)  # should this process be killed
        self.other, self._inner.other = self._inner, self
        self._inner.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._upstream.bytes_in += len(data)
        self.relay(data)

    def end(self) -> None:
        self.linger(NO_RESET)
        super().end()

    def close(self) -> None:
        self.linger(NO_RESET)
        super().close()
