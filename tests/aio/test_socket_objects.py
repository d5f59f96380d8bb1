"""Socket objects of programs on an event loop, and facades that look like sockets."""

from __future__ import annotations

import asyncio
import errno
import gc
import select
import socket
from typing import Any

import pytest
from protocols import HalfOpenRecorder, Recorder, listen
from virtual_computers import World, world

from netsim.core.time import SECOND
from netsim.stack.tcp.settings import KeepAlive

__all__ = ["world"]


async def upper_server() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data.upper())
        writer.close()
        await writer.wait_closed()

    await asyncio.start_server(serve, port=80)


def test_a_socket_given_to_create_connection(world: World) -> None:
    """What aiohttp's happy eyeballs does."""
    world.run("web", upper_server())
    alice = world.loop("alice")

    async def connect() -> None:
        sock = socket.socket()
        sock.setblocking(False)
        await alice.sock_connect(sock, ("web", 80))
        transport, here = await alice.create_connection(Recorder, sock=sock)
        assert sock.getpeername() == transport.get_extra_info("peername"), "it is still the same"
        assert isinstance(here, Recorder)
        transport.write(b"hello")
        assert await here.receive(5) == b"HELLO"
        transport.close()
        await asyncio.sleep(0)
        assert sock.fileno() == -1, "it belongs to the transport"
        with socket.socket() as other, pytest.raises(ValueError, match="not connected"):
            await alice.create_connection(Recorder, sock=other)
        with socket.socket() as other, pytest.raises(ValueError, match="can not be specified"):
            await alice.create_connection(Recorder, "web", 80, sock=other)

    world.run("alice", connect())
    world.run_for(1)


def test_the_methods_for_sockets(world: World) -> None:
    world.run("web", upper_server())
    alice = world.loop("alice")

    async def connect() -> None:
        sock = socket.socket()
        sock.setblocking(False)
        await alice.sock_connect(sock, ("web", 80))
        await alice.sock_sendall(sock, b"hello, world")
        assert await alice.sock_recv(sock, 5) == b"HELLO"
        buffer = bytearray(100)
        assert await alice.sock_recv_into(sock, buffer) == 7
        assert buffer[:7] == b", WORLD"
        sock.close()

    world.run("alice", connect())
    gc.collect()
    world.run_for(1)
    assert [view.state.name for view in alice.host.tcp.connections()] == ["TIME_WAIT"]


def test_a_socket_that_nobody_has_any_more_is_closed(world: World) -> None:
    made = world.run("web", listen(world.loop("web"), Recorder))
    alice = world.loop("alice")

    async def connect() -> None:
        with socket.socket() as sock:
            await alice.sock_connect(sock, ("web", 80))

    world.run("alice", connect())
    gc.collect()
    world.run_for(1)
    assert made[0].happened == ["made", "eof", "lost"]


def test_what_does_not_reach_the_network(world: World) -> None:
    alice = world.loop("alice")
    foreign = socket.socket()
    foreign.setblocking(False)

    async def connect() -> None:
        with pytest.raises(OSError, match="not supported") as caught:
            socket.socket(socket.AF_INET6)
        assert caught.value.errno == errno.EAFNOSUPPORT
        with pytest.raises(PermissionError):
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        # Neither does one lead into the real network.
        with pytest.raises(OSError, match="not made on a computer"):
            await alice.sock_connect(foreign, ("127.0.0.1", 9))
        with pytest.raises(OSError, match="not made on a computer"):
            await alice.create_server(Recorder, sock=foreign)
        with socket.socket() as sock:
            sock.setblocking(False)
            with pytest.raises(ConnectionRefusedError, match="Connect call failed"):
                await alice.sock_connect(sock, ("web", 81))

    with foreign:
        world.run("alice", connect())


def readable(sock: Any) -> bool:
    """As httpcore looks whether the peer of an idle connection has closed it."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def test_polling_the_descriptor_of_a_connection(world: World) -> None:
    made = world.run("web", listen(world.loop("web"), HalfOpenRecorder))

    async def connect() -> None:
        transport, _ = await world.loop("alice").create_connection(HalfOpenRecorder, "web", 80)
        sock = transport.get_extra_info("socket")
        await asyncio.sleep(0.1)
        assert not readable(sock)
        transport.pause_reading()
        made[0].transport.write(b"text")
        await asyncio.sleep(0.1)
        assert readable(sock)
        transport.resume_reading()
        await asyncio.sleep(0.1)
        assert not readable(sock)
        made[0].transport.write_eof()
        await asyncio.sleep(0.1)
        assert readable(sock)
        transport.close()
        assert sock.fileno() == -1

    world.run("alice", connect())


def test_options(world: World) -> None:
    world.run("web", listen(world.loop("web"), Recorder))

    async def connect() -> None:
        transport, _ = await world.loop("alice").create_connection(Recorder, "web", 80)
        sock = transport.get_extra_info("socket")
        assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)
        assert sock.proto == socket.IPPROTO_TCP
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        nagle = (socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(*nagle) == 1, "as asyncio's own transports"
        sock.setsockopt(*nagle, False)
        connection = transport._connection  # type: ignore[attr-defined]
        assert not connection.no_delay
        assert connection.keep_alive is None
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert connection.keep_alive == KeepAlive()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        assert connection.keep_alive == KeepAlive(60 * SECOND, 10 * SECOND, 3)
        assert sock.gettimeout() == 0.0
        sock.setblocking(False)
        with pytest.raises(ValueError, match="cannot be blocking"):
            sock.setblocking(True)
        transport.close()

    world.run("alice", connect())


def test_keep_alive_finds_out_that_the_peer_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("web", listen(world.loop("web"), Recorder))

    async def connect() -> None:
        transport, here = await world.loop("alice").create_connection(Recorder, "web", 80)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        world.network.set_link("web", "eth0", False)
        monkeypatch.setattr(world.loop("r1").host.icmp, "send_error", lambda *_, **__: None)
        began = world.now
        assert isinstance(here, Recorder)
        assert isinstance(await here.lost, TimeoutError)
        assert (world.now - began) / SECOND == pytest.approx(90, abs=1)

    world.run("alice", connect())


def test_other_families_are_left_to_the_base_loop(world: World) -> None:
    """Unix sockets stay what they are: this base has none, and says so."""
    here, there = socket.socketpair()

    async def send() -> None:
        with pytest.raises(NotImplementedError):
            await world.loop("alice").sock_sendall(here, b"text")

    with here, there:
        world.run("alice", send())
