"""Socket options that act, and what TCP_INFO tells."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from protocols import Recorder, listen
from virtual_computers import World, world

__all__ = ["world"]

Talk = Callable[[Recorder, Recorder], Awaitable[None]]


def talk(world: World, what: Talk) -> None:
    """Run `what` with both ends of a connection from alice to web."""
    made = world.run("web", listen(world.loop("web"), Recorder))

    async def connected() -> None:
        _, here = await world.loop("alice").create_connection(Recorder, "web", 80)
        assert isinstance(here, Recorder)
        await asyncio.sleep(0.1)
        await what(here, made[0])

    world.run("alice", connected())


def sock(protocol: Recorder) -> Any:
    return protocol.transport.get_extra_info("socket")


def test_tcp_info_is_the_struct_of_linux(world: World) -> None:
    async def what(here: Recorder, there: Recorder) -> None:
        here.transport.write(b"x" * 500_000)
        await there.receive(500_000)
        await asyncio.sleep(1)
        info = sock(here).getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        assert len(info) == 104
        state, phase, retransmits, *_ = struct.unpack_from("8B", info)
        assert (state, phase, retransmits) == (1, 0, 0)
        fields = struct.unpack_from("=24I", info, 8)
        rto, mss, unacked, rtt, window = (fields[index] for index in (0, 2, 4, 15, 18))
        assert mss == 1448
        assert unacked == 0
        assert 0 < rtt < rto
        assert window > 10
        acked, received = struct.unpack_from("=2Q", sock(here).getsockopt(6, 11, 200), 120)
        assert (acked, received) == (500_000, 0)

    talk(world, what)


def test_buffers_of_a_set_size(world: World) -> None:
    async def what(here: Recorder, there: Recorder) -> None:
        there.transport.pause_reading()
        sock(here).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
        assert sock(here).getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 40_000
        # Ten segments may leave, and the buffer that was begun is filled: 22 more.
        here.transport.write(b"x" * 200_000)
        assert here.transport.get_write_buffer_size() == 200_000 - 32 * 1448
        await asyncio.sleep(10)
        # Filled to the end once more when there was room: Linux takes 78,000 octets, too.
        held = 200_000 - 65_535 - here.transport.get_write_buffer_size()
        assert 40_000 < held < 80_000

    talk(world, what)


def test_a_small_receive_buffer_is_a_small_window(world: World) -> None:
    async def what(here: Recorder, there: Recorder) -> None:
        sock(there).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        assert sock(there).getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 20_000
        here.transport.write(b"x" * 200_000)
        await there.receive(200_000)
        assert sock(there)._connection.receiver.limit == 10_000

    talk(world, what)


def test_data_that_stays_unacknowledged_ends_the_connection(world: World) -> None:
    """RFC 5482, TCP_USER_TIMEOUT in ms"""

    async def what(here: Recorder, _: Recorder) -> None:
        sock(here).setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3000)
        world.network.set_link("web", "eth0", False)
        world.loop("r1").host.icmp.send_error = lambda *_, **__: None  # type: ignore[method-assign]
        began = world.now
        here.transport.write(b"are you there?")
        error = await here.lost
        assert isinstance(error, TimeoutError)
        assert world.now - began == pytest.approx(3e9, rel=0.01)

    talk(world, what)


def test_the_congestion_control_of_one_connection(world: World) -> None:
    async def what(here: Recorder, _: Recorder) -> None:
        option = (socket.IPPROTO_TCP, socket.TCP_CONGESTION)
        assert sock(here).getsockopt(*option, 16).rstrip(b"\0") == b"cubic"
        sock(here).setsockopt(*option, b"reno")
        assert sock(here).getsockopt(*option, 16).rstrip(b"\0") == b"reno"
        with pytest.raises(OSError, match="No such file") as caught:
            sock(here).setsockopt(*option, b"vegas")
        assert caught.value.errno == errno.ENOENT

    talk(world, what)


def test_what_was_not_set_is_what_linux_says(world: World) -> None:
    async def what(here: Recorder, _: Recorder) -> None:
        tcp = socket.IPPROTO_TCP
        got = [
            sock(here).getsockopt(tcp, option)
            for option in (
                socket.TCP_MAXSEG,
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
            )
        ]
        assert got == [1448, 7200, 75, 9]
        assert sock(here).getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == bytes(8)
        assert sock(here).getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 46_080

    talk(world, what)


def test_what_is_set_on_a_listener_holds_for_what_it_accepts(world: World) -> None:
    """As on Linux: the SYN-ACK says TCP_MAXSEG already."""
    accepted: list[Recorder] = []

    def begin() -> Recorder:
        accepted.append(Recorder())
        return accepted[-1]

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(begin, port=80)
        listening = server.sockets[0]
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 536
        with pytest.raises(OSError, match="Invalid argument"):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 87)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 1000

    async def connect() -> None:
        _, here = await asyncio.get_running_loop().create_connection(Recorder, "web", 80)
        assert isinstance(here, Recorder)
        here.transport.write(b"hello")
        await asyncio.sleep(0.1)
        there = sock(accepted[0])
        tcp = socket.IPPROTO_TCP
        segments = [each.getsockopt(tcp, socket.TCP_MAXSEG) for each in (sock(here), there)]
        assert segments == [988, 988]
        assert there.getsockopt(tcp, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"reno"
        assert there.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock(here).getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0

    world.run("web", serve())
    world.run("alice", connect())


def test_the_segment_size_of_a_socket_that_connects(world: World) -> None:
    made = world.run("web", listen(world.loop("web"), Recorder))

    async def connect() -> None:
        loop = asyncio.get_running_loop()
        token = socket.socket()
        token.setblocking(False)
        token.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 700)
        await loop.sock_connect(token, ("web", 80))
        _, here = await loop.create_connection(Recorder, sock=token)
        assert isinstance(here, Recorder)
        await asyncio.sleep(0.1)
        for each in (sock(here), sock(made[0])):
            assert each.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 688

    world.run("alice", connect())


@pytest.mark.parametrize("is_given_back", [True, False])
def test_what_is_set_on_a_socket_holds_when_it_connects(world: World, is_given_back: bool) -> None:
    """As libraries do that make the socket themselves (aiohttp's `socket_factory`)."""
    made = world.run("web", listen(world.loop("web"), Recorder))
    tcp = socket.IPPROTO_TCP

    async def connect() -> None:
        loop = asyncio.get_running_loop()
        token = socket.socket()
        token.setblocking(False)
        token.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        token.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        token.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
        token.setsockopt(tcp, socket.TCP_KEEPIDLE, 30)
        token.setsockopt(tcp, socket.TCP_USER_TIMEOUT, 4000)
        await loop.sock_connect(token, ("web", 80))
        if is_given_back:
            _, here = await loop.create_connection(Recorder, sock=token)
            assert isinstance(here, Recorder)
            facade = sock(here)
            assert facade.getsockopt(tcp, socket.TCP_KEEPIDLE) == 30
            assert facade.getsockopt(tcp, socket.TCP_USER_TIMEOUT) == 4000
            assert facade.getsockopt(tcp, socket.TCP_USER_TIMEOUT, 4) == struct.pack("i", 4000)
            assert facade.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 40_000
            assert facade.getsockopt(tcp, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"cubic"
            here.transport.close()
        else:
            await loop.sock_sendall(token, b"hello")
            await asyncio.sleep(0.1)
            token.close()

    world.run("alice", connect())
    gc.collect()
    world.run_for(1)
    assert isinstance(made[0].lost.result(), ConnectionResetError), "SO_LINGER of zero"
