"""A computer whose cable leads nowhere, on the loop of node processes, and real clients for it.

The computer talks to itself over its own loopback address, through its whole TCP. Clients and
the kernel's sockets share its loop.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from plans import plan_of

from netsim.aio.loop import HostLoopMixin
from netsim.gateway.published_ports import PublishedPort
from netsim.gateway.real_ports import bind
from netsim.node.host_node import HostNode
from netsim.realtime.engine import Engine
from netsim.realtime.event_loop import NodeLoop
from netsim.realtime.network_clock import NetworkClock
from netsim.sockets.hosts_table import HostsTable

Result = TypeVar("Result")

ALICE = bytes([127, 0, 0, 1])


class Alice:
    """The computer. `problems` is what its loop's exception handler was told."""

    def __init__(self) -> None:
        engine = Engine(plan_of("alice bob"), NetworkClock(time.monotonic_ns()))
        node = engine.add("alice")
        assert isinstance(node, HostNode)
        self.loop = NodeLoop(engine, "alice")
        self.loop.attach_host(node.host, HostsTable({"alice": ALICE}))
        self.problems: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.problems.append(context))
        self._ports: list[PublishedPort] = []
        self._clients: list[Client] = []

    def run(self, program: Coroutine[Any, Any, Result]) -> Result:
        """Run a program to its end, within 10 s."""
        return self.loop.run_until_complete(asyncio.wait_for(program, 10))

    async def listen(
        self, host: str = "127.0.0.1", port: int = 0, to: str = "alice:80"
    ) -> PublishedPort:
        """A real port that leads to a server in the network."""
        name, _, number = to.partition(":")
        opened = PublishedPort(self.loop, name, int(number))
        await opened.open(bind(host, port))
        self._ports.append(opened)
        return opened

    async def connect(
        self, port: PublishedPort, first: bytes = b"", *, then_end: bool = False
    ) -> Client:
        """A real client of a port; `first` is sent, and the end, before the port accepts."""
        sock = socket.create_connection(port.listen)
        if first:
            sock.sendall(first)
        if then_end:
            sock.shutdown(socket.SHUT_WR)
        # The base class's method: that of the loop itself leads into the network.
        _, client = await super(HostLoopMixin, self.loop).create_connection(Client, sock=sock)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """End what is still open."""
        # Handlers that are cut off now may complain.
        self.loop.set_exception_handler(lambda *_: None)
        for port in self._ports:
            port.close()
        for client in self._clients:
            client.transport.abort()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@pytest.fixture
def alice() -> Iterator[Alice]:
    """A computer whose ports are closed when the test ends. Nothing may have gone wrong on it."""
    alice = Alice()
    yield alice
    alice.close()
    assert alice.problems == []


class Client(asyncio.Protocol):
    """A real connection to a port."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = bytearray()
        self.at_eof = False
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed.set()

    def eof_received(self) -> bool:
        self.at_eof = True
        self._changed.set()
        return True

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)
        self._changed.set()

    async def write(self, data: bytes) -> None:
        """Write, when all before has been taken."""
        await self._may_write.wait()
        self.transport.write(data)

    async def receive(self, size: int) -> bytes:
        """Wait until so many bytes have come in all."""
        while len(self.received) < size:
            self._changed.clear()
            await self._changed.wait()
        return bytes(self.received)

    async def read_to_the_end(self) -> bytes:
        """Everything that comes until the peer's end."""
        while not self.at_eof:
            self._changed.clear()
            await self._changed.wait()
        return bytes(self.received)

    def reset(self) -> None:
        """Close with a RST."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
