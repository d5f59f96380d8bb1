"""The one way to the real network, and that there is no other."""

from __future__ import annotations

import asyncio
import selectors
import socket
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from protocols import Recorder

from netsim.aio.loop import HostLoopMixin
from netsim.core.streams import RandomStreams
from netsim.sockets import installation
from netsim.sockets.caller import outside
from netsim.sockets.hosts_table import HostsTable
from netsim.stack.host import Host


class LonelyLoop(HostLoopMixin, asyncio.SelectorEventLoop):
    """The loop of a host without a cable; it can still talk to itself."""

    def __init__(self) -> None:
        super().__init__(_FlushingSelector(self))
        self.attach_host(Host([], RandomStreams(0)), HostsTable({}))

    def network_now(self) -> int:
        return time.monotonic_ns()


class _FlushingSelector(selectors.SelectSelector):
    def __init__(self, loop: LonelyLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        loop = self._loop
        loop.host.flush(loop.network_now())
        if loop.host.ready:
            loop.call_soon(loop.dispatch_ready)
            timeout = 0
        with outside():
            return super().select(timeout)


@pytest.fixture
def loop() -> Iterator[LonelyLoop]:
    loop = LonelyLoop()
    with installation.installed(lambda: loop):
        yield loop
    loop.close()


def test_outside_is_the_real_network(loop: LonelyLoop) -> None:
    made: list[Recorder] = []

    def make() -> Recorder:
        made.append(Recorder())
        return made[-1]

    async def talk() -> None:
        with outside():
            listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        address, port = listening.getsockname()
        server = await loop.outside.create_server(make, listening)
        transport, here = await loop.outside.connect(Recorder, (address, port))
        transport.write(b"for real")
        await here.until("made")
        while not made:
            await asyncio.sleep(0)
        assert await made[0].receive(8) == b"for real"
        assert transport.get_extra_info("socket").fileno() >= 0
        # The same address, asked for in the usual way, is the computer's own loopback.
        with pytest.raises(ConnectionRefusedError, match="Connect call failed"):
            await loop.create_connection(Recorder, address, port)
        with socket.socket() as sock:
            sock.setblocking(False)
            with pytest.raises(ConnectionRefusedError):
                await loop.sock_connect(sock, (address, port))
        simulated = await loop.create_server(Recorder, address, port)
        inner, _ = await loop.create_connection(Recorder, address, port)
        inner.close()
        simulated.close()
        transport.close()
        await made[0].until("lost")
        server.close()
        with pytest.raises(ConnectionRefusedError):
            await loop.outside.connect(Recorder, (address, port))

    loop.run_until_complete(talk())


def test_what_is_not_of_the_internet_stays_as_it_is(loop: LonelyLoop) -> None:
    async def talk() -> None:
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            there.setblocking(False)
            await loop.sock_sendall(here, b"hello")
            assert await loop.sock_recv(there, 10) == b"hello"
            buffer = bytearray(10)
            await loop.sock_sendall(there, b"answer")
            assert await loop.sock_recv_into(here, buffer) == 6
        process = await asyncio.create_subprocess_exec(
            "echo", "from a process", stdout=asyncio.subprocess.PIPE
        )
        assert (await process.communicate())[0] == b"from a process\n"
        assert await loop.run_in_executor(None, Random(1).random) == Random(1).random()

    loop.run_until_complete(talk())
    loop.run_until_complete(loop.shutdown_default_executor())
