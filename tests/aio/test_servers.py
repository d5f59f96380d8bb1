"""Listening: where, for how long, and what becomes of connections when a server closes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys

import pytest
from protocols import Recorder, listen
from virtual_computers import World, world

from netsim.aio.stream_server import Server
from netsim.wire.address import format_ip

__all__ = ["world"]


async def server_on(world: World, host: str | list[str] | None = None, port: int = 80) -> Server:
    return await world.loop("web").create_server(Recorder, host, port)


def test_addresses_to_listen_on(world: World) -> None:
    address = format_ip(world.plan.hosts["web"])

    async def serve() -> None:
        everywhere = await server_on(world, None, 80)
        assert [each.getsockname() for each in everywhere.sockets] == [("0.0.0.0", 80)]
        named = await server_on(world, "web", 81)
        assert [each.getsockname() for each in named.sockets] == [(address, 81)]
        both = await server_on(world, ["web", "localhost", "127.0.0.1"], 82)
        assert [each.getsockname() for each in both.sockets] == [(address, 82), ("127.0.0.1", 82)]
        free = await server_on(world, "0.0.0.0", 0)
        assert free.sockets[0].getsockname()[1] > 1024
        assert everywhere.get_loop() is world.loop("web")
        # Where it says "localhost" only, nobody else comes in.
        await server_on(world, "localhost", 83)
        await world.loop("web").create_connection(Recorder, "localhost", 83)

    async def connect() -> None:
        for port in (80, 81, 82):
            transport, _ = await world.loop("alice").create_connection(Recorder, "web", port)
            transport.close()
        with pytest.raises(ConnectionRefusedError):
            await world.loop("alice").create_connection(Recorder, "web", 83)

    world.run("web", serve())
    world.run("alice", connect())


def test_addresses_that_cannot_be_had(world: World) -> None:
    async def serve() -> None:
        await server_on(world)
        with pytest.raises(OSError, match=r"bind on address \('0.0.0.0', 80\)") as caught:
            await server_on(world)
        assert caught.value.errno == errno.EADDRINUSE
        assert "address already in use" in str(caught.value)
        with pytest.raises(OSError, match="cannot assign requested address") as caught:
            await server_on(world, "alice", 81)
        assert caught.value.errno == errno.EADDRNOTAVAIL
        with pytest.raises(OSError, match="already in use"):
            await server_on(world, ["localhost", "web"], 80)
        with pytest.raises(socket.gaierror):
            await server_on(world, "wbe", 81)
        # What was had of several addresses is given back.
        with pytest.raises(OSError, match="cannot assign"):
            await server_on(world, ["localhost", "alice"], 81)
        await server_on(world, "localhost", 81)

    world.run("web", serve())


def test_a_closed_server_refuses_and_leaves_connections_alone(world: World) -> None:
    loop = world.loop("web")

    async def serve() -> tuple[Server, list[Recorder]]:
        made: list[Recorder] = []

        def make() -> Recorder:
            made.append(Recorder())
            return made[-1]

        return await loop.create_server(make, port=80), made

    server, made = world.run("web", serve())

    async def connect() -> None:
        transport, here = await world.loop("alice").create_connection(Recorder, "web", 80)
        assert isinstance(here, Recorder)
        await asyncio.sleep(0.01)
        assert server.is_serving()
        server.close()
        assert not server.is_serving()
        assert server.sockets == ()
        with pytest.raises(ConnectionRefusedError):
            await world.loop("alice").create_connection(Recorder, "web", 80)
        transport.write(b"still here")
        assert await made[0].receive(10) == b"still here"

    world.run("alice", connect())
    waiting = world.start("web", server.wait_closed())
    world.run_for(1)
    assert waiting.done() == (sys.version_info < (3, 12))
    made[0].transport.close()
    world.run_for(1)
    assert waiting.done()


def test_waiting_for_a_server_that_serves(world: World) -> None:
    server = world.run("web", server_on(world))
    waiting = world.start("web", server.wait_closed())
    world.run_for(10)
    assert not waiting.done()
    server.close()
    world.run_for(0.001)
    assert waiting.done()
    server.close()


def test_closing_and_aborting_clients(world: World) -> None:
    server = world.run("web", server_on(world))

    async def connect() -> Recorder:
        _, here = await world.loop("alice").create_connection(Recorder, "web", 80)
        await asyncio.sleep(0.01)
        assert isinstance(here, Recorder)
        return here

    async def closed() -> None:
        here = await connect()
        server.close_clients()
        assert await here.lost is None
        here = await connect()
        server.abort_clients()
        assert await here.lost is None

    world.run("alice", closed())


def test_serving_for_ever(world: World) -> None:
    async def serve() -> None:
        server = await world.loop("web").create_server(Recorder, port=80, start_serving=False)
        assert not server.is_serving()
        task = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(1)
        assert server.is_serving()
        with pytest.raises(RuntimeError, match="already being awaited"):
            await server.serve_forever()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert not server.is_serving()
        with pytest.raises(RuntimeError, match="is closed"):
            await server.serve_forever()
        async with await server_on(world) as again:
            task = asyncio.create_task(again.serve_forever())
            await asyncio.sleep(1)
        with pytest.raises(asyncio.CancelledError):
            await task

    world.run("web", serve())


def test_a_factory_that_fails_resets_its_client(world: World) -> None:
    def factory() -> Recorder:
        raise ArithmeticError("no protocol today")

    world.run("web", listen(world.loop("web"), factory))

    async def connect() -> None:
        _, here = await world.loop("alice").create_connection(Recorder, "web", 80)
        assert isinstance(here, Recorder)
        assert isinstance(await here.lost, ConnectionResetError)

    world.run("alice", connect())
    assert [type(each["exception"]) for each in world.problems] == [ArithmeticError]
    world.problems.clear()


def test_a_server_on_a_socket_of_the_programs_own(world: World) -> None:
    async def serve() -> None:
        sock = socket.create_server(("", 80))
        server = await world.loop("web").create_server(Recorder, sock=sock)
        assert [each.getsockname() for each in server.sockets] == [("0.0.0.0", 80)]
        transport, _ = await world.loop("web").create_connection(Recorder, "web", 80)
        transport.close()
        server.close()
        assert sock.fileno() == -1, "it belongs to the server"
        with pytest.raises(ConnectionRefusedError):
            await world.loop("web").create_connection(Recorder, "web", 80)
        with pytest.raises(TypeError, match="SSLContext"):
            await world.loop("web").create_server(Recorder, port=80, ssl=True)  # type: ignore[arg-type]

    world.run("web", serve())


def test_many_connections_at_once(world: World) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()
        await writer.wait_closed()

    async def serve() -> None:
        await asyncio.start_server(answer, port=80, backlog=500)

    async def ask(number: int) -> bytes:
        reader, writer = await asyncio.open_connection("web", 80)
        writer.write(b"request %d\n" % number)
        text = await reader.read()
        writer.close()
        await writer.wait_closed()
        return text

    async def ask_all() -> None:
        answers = await asyncio.gather(*map(ask, range(200)))
        assert answers == [b"REQUEST %d\n" % number for number in range(200)]

    world.run("web", serve())
    world.run("alice", ask_all())
