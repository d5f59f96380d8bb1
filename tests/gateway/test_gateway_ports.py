"""`ports:`: real clients of a real socket, relayed to a server in the network and back."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import socket
import weakref
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from real_clients import Alice, Client, alice
from resets import reset

from netsim.gateway.published_ports import PublishedPort
from netsim.gateway.real_ports import PublishedPortError

__all__ = ["alice"]

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

RECEIVE_BUFFER = 65_535
SEND_BUFFER = 2_626_560
"""With which it begins over loopback, whose segments are large; `ss -tm` says the same on Linux."""
MEBIBYTE = 1 << 20


async def port_to(alice: Alice, handler: Handler) -> PublishedPort:
    """A free real port that leads to a simulated server."""
    await asyncio.start_server(handler, "alice", 80)
    return await alice.listen()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def upper_at_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.read()).upper())
    writer.close()


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Neither reads nor writes, until it is cancelled."""
    transport = writer.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()
    try:
        await asyncio.Event().wait()
    finally:
        writer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go on until it holds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


def real_side(port: PublishedPort) -> asyncio.Transport:
    (outer,) = port._open
    return outer.transport


def simulated_side(port: PublishedPort) -> asyncio.Transport:
    (outer,) = port._open
    assert outer.other is not None
    return outer.other.transport


def test_bytes_both_ways_are_relayed_and_counted(alice: Alice) -> None:
    async def talk() -> None:
        port = await port_to(alice, echo)
        assert port.listen[0] == "127.0.0.1"
        assert port.listen[1] > 0
        first, second = await alice.connect(port), await alice.connect(port)
        await first.write(b"hello")
        assert await first.receive(5) == b"hello"
        await second.write(b"hi")
        assert await second.receive(2) == b"hi"
        assert (port.connections, port.failures) == (2, 0)
        assert (port.bytes_in, port.bytes_out) == (7, 7)
        assert port.active == 2
        first.transport.close()
        await second.write(b" again")
        assert await second.receive(8) == b"hi again"

    alice.run(talk())


def test_much_both_ways_at_once(alice: Alice) -> None:
    text = bytes(range(256)) * 32 * 1024

    async def talk() -> None:
        port = await port_to(alice, echo)
        client = await alice.connect(port)
        for start in range(0, len(text), 65536):
            await client.write(text[start : start + 65536])
        client.transport.write_eof()
        assert await client.read_to_the_end() == text
        assert (port.bytes_in, port.bytes_out) == (len(text), len(text))

    alice.run(talk())


def test_what_a_client_sends_before_the_other_side_is_connected(alice: Alice) -> None:
    async def talk() -> None:
        port = await port_to(alice, upper_at_the_end)
        client = await alice.connect(port, b"in a hurry", then_end=True)
        assert await client.read_to_the_end() == b"IN A HURRY"

    alice.run(talk())


def test_the_client_ends_first(alice: Alice) -> None:
    async def talk() -> None:
        port = await port_to(alice, upper_at_the_end)
        client = await alice.connect(port)
        await client.write(b"question")
        client.transport.write_eof()
        assert await client.read_to_the_end() == b"QUESTION"
        # Both have ended: nothing is kept open for a client that does not close.
        await until(lambda: port.active == 0)
        assert not client.transport.is_closing()

    alice.run(talk())


def test_the_server_ends_first(alice: Alice) -> None:
    heard: list[bytes] = []
    over = asyncio.Event()

    async def speaks_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"that is all from me")
        writer.write_eof()
        heard.append(await reader.read())
        writer.close()
        over.set()

    async def talk() -> None:
        port = await port_to(alice, speaks_first)
        client = await alice.connect(port)
        assert await client.read_to_the_end() == b"that is all from me"
        await client.write(b"but not from me")
        client.transport.close()
        await over.wait()
        assert heard == [b"but not from me"]

    alice.run(talk())


def test_a_client_that_resets(alice: Alice) -> None:
    seen: asyncio.Future[BaseException]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(6)
            await reader.read()
        except OSError as error:
            seen.set_result(error)

    async def talk() -> None:
        nonlocal seen
        seen = alice.loop.create_future()
        port = await port_to(alice, serve)
        client = await alice.connect(port)
        await client.write(b"before")
        await until(lambda: port.bytes_in == 6)
        client.reset()
        assert isinstance(await seen, ConnectionResetError)

    alice.run(talk())


def test_a_server_that_resets(alice: Alice) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        reset(writer.transport)

    async def talk() -> None:
        port = await port_to(alice, serve)
        client = await alice.connect(port)
        await client.write(b"go")
        assert isinstance(await client.lost, ConnectionResetError)
        assert not client.at_eof
        assert port.failures == 0, "it had been connected"

    alice.run(talk())


@pytest.mark.parametrize("how", ["close", "reset"])
def test_what_is_over_does_not_wait_for_the_cycle_collector(alice: Alice, how: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            await echo(reader, writer)

    async def talk() -> None:
        port = await port_to(alice, serve)
        client = await alice.connect(port)
        await client.write(b"hello")
        await client.receive(5)
        (outer,) = port._open
        halves = weakref.ref(outer), weakref.ref(outer.other)
        del outer
        client.transport.close() if how == "close" else client.reset()
        await until(lambda: not any(half() for half in halves))

    gc.disable()
    try:
        alice.run(talk())
    finally:
        gc.enable()


def test_a_server_that_does_not_read_stops_the_client(alice: Alice) -> None:
    async def talk() -> None:
        port = await port_to(alice, never)
        client = await alice.connect(port)
        sending = alice.loop.create_task(send(client, 64))
        # What the simulated sockets hold, and the relay's own high-water mark and last reads.
        most = RECEIVE_BUFFER + SEND_BUFFER
        await until(lambda: port.bytes_in >= RECEIVE_BUFFER and not real_side(port).is_reading())
        assert not sending.done()
        assert port.bytes_in <= most + MEBIBYTE
        client.reset()
        sending.cancel()

    alice.run(talk())


async def send(client: Client, mebibytes: int) -> None:
    for _ in range(mebibytes):
        await client.write(b"x" * MEBIBYTE)


def test_a_slow_server_gets_everything(alice: Alice) -> None:
    reads = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reads.wait()
        writer.write(str(len(await reader.read())).encode())
        writer.close()

    async def talk() -> None:
        port = await port_to(alice, serve)
        client = await alice.connect(port)
        sending = alice.loop.create_task(send(client, 16))
        await until(lambda: port.bytes_in > 0 and not real_side(port).is_reading())
        reads.set()
        await sending
        client.transport.write_eof()
        assert await client.read_to_the_end() == str(16 * MEBIBYTE).encode()

    alice.run(talk())


def test_a_client_that_does_not_read_stops_the_server(alice: Alice) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(64):
            writer.write(b"x" * MEBIBYTE)
            await writer.drain()
        writer.close()

    async def talk() -> None:
        port = await port_to(alice, pour)
        client = await alice.connect(port)
        client.transport.pause_reading()
        await until(lambda: port.bytes_out > 0 and real_side(port).get_write_buffer_size() > 0)
        await until(lambda: not simulated_side(port).is_reading())
        assert port.bytes_out < 32 * MEBIBYTE, "the kernel's buffers and little more"
        client.transport.resume_reading()
        assert len(await client.read_to_the_end()) == 64 * MEBIBYTE

    alice.run(talk())


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("alice", "alice:81 could not be reached: connection refused"),
        ("nobody", "nobody:81 could not be reached: name or service not known"),
        ("10.9.9.9", "10.9.9.9:81 could not be reached: network is unreachable"),
    ],
)
def test_a_target_that_cannot_be_reached(
    alice: Alice, caplog: pytest.LogCaptureFixture, target: str, reason: str
) -> None:
    caplog.set_level(logging.WARNING, "netsim.gateway")

    async def talk() -> None:
        port = await alice.listen(to=f"{target}:81")
        client = await alice.connect(port, b"anybody there?")
        assert isinstance(await client.lost, ConnectionResetError)
        assert (port.connections, port.failures) == (1, 1)

    alice.run(talk())
    assert [record.getMessage() for record in caplog.records] == [reason]


def test_an_address_in_use(alice: Alice) -> None:
    async def listen() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            with pytest.raises(PublishedPortError) as caught:
                await alice.listen(port=number)
        text = f"cannot listen on 127.0.0.1:{number}: address already in use"
        assert str(caught.value) == text
        port = await alice.listen(port=number)
        assert port.listen == ("127.0.0.1", number)

    alice.run(listen())


def test_an_address_that_is_not_ours(alice: Alice) -> None:
    async def listen() -> None:
        with pytest.raises(
            PublishedPortError, match=r"192\.0\.2\.1:0: cannot assign requested address"
        ):
            await alice.listen("192.0.2.1")

    alice.run(listen())


def test_listening_on_ipv6(alice: Alice) -> None:
    async def talk() -> None:
        await asyncio.start_server(echo, "alice", 80)
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:  # a machine without: it says what the machine says
            with pytest.raises(PublishedPortError, match=os.strerror(error.errno or 0).lower()):
                await alice.listen("::1")
            return
        port = await alice.listen("::1")
        client = await alice.connect(port)
        await client.write(b"six to four")
        assert await client.receive(11) == b"six to four"

    alice.run(talk())


def test_closing_ends_what_is_open(alice: Alice) -> None:
    seen: asyncio.Future[BaseException]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except OSError as error:
            seen.set_result(error)

    async def talk() -> None:
        nonlocal seen
        seen = alice.loop.create_future()
        port = await port_to(alice, serve)
        client = await alice.connect(port, b"open")
        await until(lambda: port.bytes_in == 4)
        port.close()
        assert isinstance(await client.lost, ConnectionResetError)
        assert isinstance(await seen, ConnectionResetError)
        with pytest.raises(ConnectionRefusedError):
            await alice.connect(port)
        port.close()

    alice.run(talk())


def test_closing_while_a_connection_is_on_its_way(
    alice: Alice, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk() -> None:
        port = await port_to(alice, echo)
        # Nothing reaches anybody: the SYN has no answer.
        monkeypatch.setattr(alice.loop.host.ip_input, "deliver_looped", lambda now: lose())
        client = await alice.connect(port, b"waiting")
        await until(lambda: len(alice.loop.host.tcp.connections()) == 1)
        port.close()
        assert isinstance(await client.lost, ConnectionResetError)
        await asyncio.sleep(0)
        assert alice.loop.host.tcp.connections() == []
        assert port.failures == 0

    def lose() -> None:
        alice.loop.host.ip.looped.clear()

    alice.run(talk())


def test_a_client_that_leaves_while_its_connection_is_on_its_way(
    alice: Alice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reset is seen as soon as the other side is there, which is then reset, too."""
    seen: asyncio.Future[BaseException]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except OSError as error:
            seen.set_result(error)

    async def talk() -> None:
        nonlocal seen
        seen = alice.loop.create_future()
        port = await port_to(alice, serve)
        with monkeypatch.context() as held:
            held.setattr(alice.loop.host.ip_input, "deliver_looped", lambda now: keep())
            client = await alice.connect(port)
            await until(lambda: bool(kept))
            client.reset()
            await client.lost
        alice.loop.host.ip.looped.extend(kept)
        assert isinstance(await seen, ConnectionResetError)

    kept: list[bytes] = []

    def keep() -> None:
        looped = alice.loop.host.ip.looped
        kept.extend(looped)
        looped.clear()

    alice.run(talk())


def test_http_over_fifty_connections(alice: Alice) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=f"hello {request.query['n']}")

    async def ask(port: PublishedPort, number: int) -> None:
        client = await alice.connect(port)
        for turn in range(4):
            before = len(client.received)
            request = f"GET /?n={number}.{turn} HTTP/1.1\r\nHost: alice\r\n\r\n"
            await client.write(request.encode())
            while not client.received.endswith(f"hello {number}.{turn}".encode()):
                before = len(await client.receive(before + 1))
        client.transport.close()

    async def talk() -> None:
        app = web.Application()
        app.router.add_get("/", hello)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "alice", 80).start()
        port = await alice.listen()
        await asyncio.gather(*(ask(port, number) for number in range(50)))
        assert (port.connections, port.failures) == (50, 0)
        await runner.cleanup()
        port.close()

    alice.run(talk())


def test_programs_on_the_computer_do_not_reach_the_real_port(alice: Alice) -> None:
    async def talk() -> None:
        port = await port_to(alice, echo)
        with pytest.raises(ConnectionRefusedError) as caught:
            await asyncio.open_connection(*port.listen)
        assert caught.value.errno == errno.ECONNREFUSED
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"http://127.0.0.1:{port.listen[1]}/")

    alice.run(talk())
