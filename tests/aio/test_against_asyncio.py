"""The same programs on asyncio's own transports and on ours: protocols must see the same.

Each scenario runs twice, with client and server on one loop and one loopback address: once on a
stock event loop over the kernel's TCP, once on a computer's loop over ours. What it notes down,
and what the exception handlers are told, has to be equal.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from resets import reset
from virtual_computers import World, settle, world

__all__ = ["world"]

Notes = list[str]
Scenario = Callable[[Notes], Coroutine[Any, Any, None]]
HOST = "127.0.0.1"
MEBIBYTE = 1 << 20


class Noting(asyncio.Protocol):
    """Notes what it is told, each chunk of data as "data" once."""

    transport: Any = None

    def __init__(self, name: str, notes: Notes) -> None:
        self.name = name
        self.notes = notes
        self.received = b""
        self.made = asyncio.Event()
        self.changed = asyncio.Event()
        self.lost = asyncio.Event()

    def note(self, text: str) -> None:
        note = f"{self.name}: {text}"
        if note not in self.notes[-1:]:
            self.notes.append(note)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.note("made")
        self.made.set()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.note("data")
        self.changed.set()

    def eof_received(self) -> bool | None:
        self.note("eof")
        self.changed.set()
        return None

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.note(f"lost {type(exc).__name__}")
        self.lost.set()

    async def until(self, size: int) -> None:
        while len(self.received) < size:
            self.changed.clear()
            await self.changed.wait()


async def pair(
    notes: Notes, client: type[Noting] = Noting, server: type[Noting] = Noting
) -> tuple[Any, Any]:
    """Both protocols of a new connection."""
    loop = asyncio.get_running_loop()
    there = server("server", notes)
    listener = await loop.create_server(lambda: there, HOST, 0)
    port = listener.sockets[0].getsockname()[1]
    _, here = await loop.create_connection(lambda: client("client", notes), HOST, port)
    await there.made.wait()
    listener.close()
    return here, there


async def orderly_end(notes: Notes) -> None:
    here, there = await pair(notes)
    here.transport.write(b"x")
    here.transport.close()
    notes.append(f"closing {here.transport.is_closing()} reading {here.transport.is_reading()}")
    await here.lost.wait()
    await there.lost.wait()


class KeepsOpen(Noting):
    def eof_received(self) -> bool | None:
        super().eof_received()
        return True


async def both_half_closed(notes: Notes) -> None:
    """A transport that keeps open stays until it is closed, though both have ended."""
    here, there = await pair(notes, KeepsOpen, KeepsOpen)
    here.transport.write_eof()
    await settle()
    there.transport.write(b"y")
    there.transport.write_eof()
    await settle()
    notes.append(f"{here.transport.is_closing()} {there.transport.is_closing()}")
    here.transport.close()
    there.transport.close()
    await here.lost.wait()
    await there.lost.wait()


async def end_waits_for_a_paused_reader(notes: Notes) -> None:
    here, there = await pair(notes)
    here.transport.pause_reading()
    there.transport.write(b"x" * 1000)
    there.transport.close()
    await settle()
    notes.append("resume now")
    here.transport.resume_reading()
    await here.lost.wait()
    notes.append(str(len(here.received)))


async def abort_with_nothing_unsent(notes: Notes) -> None:
    here, there = await pair(notes)
    there.transport.abort()
    await there.lost.wait()
    await here.lost.wait()


async def abort_after_a_write(notes: Notes) -> None:
    """What the kernel has taken goes out."""
    here, there = await pair(notes)
    there.transport.write(b"x" * 1000)
    there.transport.abort()
    await there.lost.wait()
    await here.lost.wait()
    notes.append(str(len(here.received)))


async def closed_with_data_unread(notes: Notes) -> None:
    here, there = await pair(notes)
    there.transport.pause_reading()
    here.transport.write(b"nobody reads this")
    await settle()
    there.transport.close()
    await here.lost.wait()


async def options_of_a_socket(notes: Notes) -> None:
    here, _ = await pair(notes)
    sock = here.transport.get_extra_info("socket")
    for level, option, size in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 0),
        (socket.SOL_SOCKET, socket.SO_ERROR, 0),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0),
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, 0),
        (socket.SOL_SOCKET, socket.SO_LINGER, 8),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 0),
    ):
        notes.append(f"{option} {sock.getsockopt(level, option, *([size] if size else []))}")
    notes.append(str(len(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104))))
    here.transport.close()
    await here.lost.wait()


async def reset_of_an_open_connection(notes: Notes) -> None:
    here, there = await pair(notes)
    reset(there.transport)
    await here.lost.wait()
    await there.lost.wait()


async def reset_of_a_paused_reader(notes: Notes) -> None:
    """It learns of it when it looks again, not before."""
    here, there = await pair(notes)
    here.transport.pause_reading()
    reset(there.transport)
    await settle()
    notes.append("resume now")
    here.transport.resume_reading()
    await here.lost.wait()


async def reset_after_the_end(notes: Notes) -> None:
    """Who has read to the end learns of a reset when it writes, not before."""
    here, there = await pair(notes, KeepsOpen)
    there.transport.write_eof()
    await settle()
    reset(there.transport)
    await settle()
    notes.append("write now")
    here.transport.write(b"x")
    await here.lost.wait()


async def reset_while_writing_waits(notes: Notes) -> None:
    here, there = await pair(notes)
    here.transport.pause_reading()
    there.transport.pause_reading()
    here.transport.set_write_buffer_limits(high=1 << 30)  # when it is paused differs
    while not here.transport.get_write_buffer_size():
        here.transport.write(b"x" * MEBIBYTE)
        await settle()
    notes.append("reset now")
    reset(there.transport)
    await here.lost.wait()


async def reset_while_closing(notes: Notes) -> None:
    here, there = await pair(notes)
    there.transport.pause_reading()
    here.transport.write(b"x" * 32 * MEBIBYTE)
    here.transport.close()
    await settle()
    notes.append("reset now")
    reset(there.transport)
    await here.lost.wait()


async def writes_after_close_before_the_end(notes: Notes) -> None:
    """What is written while a closing transport still has a buffer goes out, too."""
    here, there = await pair(notes)
    here.transport.write(b"x" * 32 * MEBIBYTE)
    here.transport.close()
    here.transport.write(b"tail")
    await there.lost.wait()
    notes.append(str(len(there.received)))
    await here.lost.wait()


async def writes_after_the_end(notes: Notes) -> None:
    """Ignored, and complained about in the log when there are many."""
    here, _ = await pair(notes)
    here.transport.close()
    for _ in range(7):
        here.transport.write(b"x")
    await here.lost.wait()


class FailsWhenMade(Noting):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        raise ArithmeticError


async def connection_made_fails(notes: Notes) -> None:
    """The handler is told; the connection lives."""
    here, there = await pair(notes, Noting, FailsWhenMade)
    here.transport.write(b"x")
    await there.until(1)
    here.transport.close()
    await there.lost.wait()
    await here.lost.wait()


class FailsWithData(Noting):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        raise ArithmeticError


async def data_received_fails(notes: Notes) -> None:
    """The connection ends; what was read is read, so the peer sees an ordinary end."""
    here, there = await pair(notes, Noting, FailsWithData)
    here.transport.write(b"x")
    await there.lost.wait()
    await here.lost.wait()


class FailsAtTheEnd(Noting):
    def eof_received(self) -> bool | None:
        super().eof_received()
        raise ArithmeticError


async def eof_received_fails(notes: Notes) -> None:
    here, there = await pair(notes, Noting, FailsAtTheEnd)
    here.transport.write_eof()
    await there.lost.wait()
    await here.lost.wait()


class FailsWhenLost(Noting):
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        raise ArithmeticError


async def connection_lost_fails(notes: Notes) -> None:
    here, there = await pair(notes, Noting, FailsWhenLost)
    here.transport.close()
    await there.lost.wait()
    await here.lost.wait()


class FailsToPause(Noting):
    def pause_writing(self) -> None:
        super().pause_writing()
        raise ArithmeticError

    def resume_writing(self) -> None:
        super().resume_writing()
        raise ArithmeticError


async def pausing_fails(notes: Notes) -> None:
    """Said to the handler; the connection lives."""
    here, there = await pair(notes, FailsToPause)
    there.notes = []  # how its data is cut does not matter
    here.transport.write(b"x" * 32 * MEBIBYTE)
    await there.until(32 * MEBIBYTE)
    await settle()
    there.notes = notes
    here.transport.close()
    await here.lost.wait()
    await there.lost.wait()


class Buffered(asyncio.BufferedProtocol):
    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.lost = asyncio.Event()

    def get_buffer(self, sizehint: int) -> bytearray:
        self.notes.append(f"get_buffer({sizehint})")
        return bytearray()

    def connection_lost(self, exc: Exception | None) -> None:
        self.notes.append(f"lost {exc!r}")
        self.lost.set()


async def a_buffer_without_room(notes: Notes) -> None:
    here, there = await pair(notes)
    buffered = Buffered(notes)
    there.transport.set_protocol(buffered)
    here.transport.write(b"x")
    await buffered.lost.wait()
    await here.lost.wait()


class Speaks(Noting):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(b"220 ready")


async def who_connects_goes_on_before_data_comes(notes: Notes) -> None:
    """So that it can put another protocol in place, or pause, before it misses anything."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Speaks("server", notes), HOST, 0)
    port = listener.sockets[0].getsockname()[1]
    _, here = await loop.create_connection(lambda: Noting("client", notes), HOST, port)
    notes.append(f"connected, {len(here.received)} received")
    await here.until(9)
    here.transport.close()
    await here.lost.wait()
    listener.close()
    await settle()


class ClosesInBetween(Noting):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.close()
        self.transport.pause_reading()
        self.transport.resume_reading()


async def closed_from_a_callback(notes: Notes) -> None:
    here, there = await pair(notes, Noting, ClosesInBetween)
    here.transport.write(b"x")
    await there.lost.wait()
    await here.lost.wait()


async def after_the_end_everything_is_harmless(notes: Notes) -> None:
    here, there = await pair(notes)
    here.transport.close()
    await here.lost.wait()
    await there.lost.wait()
    for transport in (here.transport, there.transport):
        transport.close()
        transport.abort()
        transport.write_eof()
        transport.pause_reading()
        transport.resume_reading()
        notes.append(f"{transport.is_closing()} {transport.is_reading()}")
        notes.append(str(transport.get_extra_info("socket").fileno()))
        notes.append(str(transport.get_protocol()))
    await settle()


async def errors_of_system_calls(notes: Notes) -> None:
    loop: Any = asyncio.get_running_loop()
    listener = await loop.create_server(asyncio.Protocol, HOST, 0)
    port = listener.sockets[0].getsockname()[1]

    async def attempt(awaitable: Awaitable[Any]) -> None:
        try:
            await awaitable
        except (OSError, ValueError, TypeError) as error:
            text = f"{type(error).__name__} {error}".replace(str(port), "PORT")
            # Python 3.13 repeats the number within the text.
            notes.append(re.sub(r"\[errno \d+\] ", "", text))

    await attempt(loop.create_server(asyncio.Protocol, HOST, port))
    await attempt(loop.create_server(asyncio.Protocol))
    await attempt(loop.create_connection(asyncio.Protocol))
    await attempt(loop.create_connection(asyncio.Protocol, HOST, port, ssl_handshake_timeout=1))
    await attempt(loop.create_connection(asyncio.Protocol, HOST, port, local_addr=("10.9.9.9", 0)))
    await attempt(loop.create_datagram_endpoint(asyncio.DatagramProtocol))
    await attempt(loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr="nonsense"))
    await attempt(
        loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("10.9.9.9", 0))
    )
    await attempt(loop.getaddrinfo(HOST, "no-such-service"))
    listener.close()
    await listener.wait_closed()
    await attempt(loop.create_connection(asyncio.Protocol, HOST, port))
    await attempt(asyncio.open_connection(HOST, port))


async def the_context_of_callbacks(notes: Notes) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    class Tells(Noting):
        def note(self, text: str) -> None:
            # Stock asyncio tells of the end in the context of whoever called `close`.
            super().note(text if text.startswith("lost") else f"{text} {variable.get()}")

    variable.set("server")
    loop = asyncio.get_running_loop()
    there = Tells("server", notes)
    listener = await loop.create_server(lambda: there, HOST, 0)
    port = listener.sockets[0].getsockname()[1]
    variable.set("client")
    _, here = await loop.create_connection(lambda: Tells("client", notes), HOST, port)
    variable.set("later")
    here.transport.write(b"x")
    await there.until(1)
    there.transport.write(b"x" * 10)
    await here.until(10)
    here.transport.close()
    await there.lost.wait()
    await here.lost.wait()
    listener.close()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, name: str, notes: Notes) -> None:
        self.name = name
        self.notes = notes
        self.told = asyncio.Event()
        self.lost = asyncio.Event()

    def note(self, text: str) -> None:
        self.notes.append(f"{self.name}: {text}")
        self.told.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.note("made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.note(repr(data))
        if data == b"fail":
            raise ArithmeticError

    def error_received(self, exc: Exception) -> None:
        self.note(repr(exc))

    def connection_lost(self, exc: Exception | None) -> None:
        self.note(f"lost {exc!r}")
        self.lost.set()


async def datagrams(notes: Notes) -> None:
    loop = asyncio.get_running_loop()
    server, there = await loop.create_datagram_endpoint(
        lambda: Datagrams("server", notes), local_addr=(HOST, 0)
    )
    place = server.get_extra_info("sockname")
    client, here = await loop.create_datagram_endpoint(
        lambda: Datagrams("client", notes), remote_addr=place
    )
    notes.append(str(client.get_extra_info("peername") == place))
    notes.append(str(server.get_extra_info("peername")))
    for text in (b"one", b"fail", b"two"):
        client.sendto(text)
    await settle()
    server.sendto(b"three", client.get_extra_info("sockname"))
    await settle()
    for nonsense in ("text", None, 3):
        try:
            client.sendto(nonsense)  # type: ignore[arg-type]
        except TypeError as error:
            notes.append(str(error))
    try:
        client.sendto(b"x", (HOST, 1))
    except ValueError as error:
        notes.append(str(error).replace(str(place[1]), "PORT"))
    client.sendto(b"x" * 70_000)
    server.close()
    notes.append("closed")
    await there.lost.wait()
    here.told.clear()
    client.sendto(b"anybody there?")
    await here.told.wait()
    client.abort()
    await here.lost.wait()
    client.close()


SCENARIOS: list[Scenario] = [
    orderly_end,
    both_half_closed,
    end_waits_for_a_paused_reader,
    reset_of_an_open_connection,
    reset_of_a_paused_reader,
    reset_after_the_end,
    reset_while_writing_waits,
    reset_while_closing,
    writes_after_close_before_the_end,
    writes_after_the_end,
    abort_with_nothing_unsent,
    abort_after_a_write,
    closed_with_data_unread,
    options_of_a_socket,
    connection_made_fails,
    data_received_fails,
    eof_received_fails,
    connection_lost_fails,
    pausing_fails,
    a_buffer_without_room,
    who_connects_goes_on_before_data_comes,
    closed_from_a_callback,
    after_the_end_everything_is_harmless,
    errors_of_system_calls,
    the_context_of_callbacks,
    datagrams,
]


def problem(context: dict[str, Any]) -> str:
    """What an exception handler is told, without the names of functions."""
    message = context["message"]
    callback = "Exception in callback"
    return f"{callback if message.startswith(callback) else message}: {context['exception']!r}"


def kinds(notes: Notes) -> Notes:
    """One line for each who notes, in order of its own notes: between two ends of a connection
    there is no order to compare."""
    found: dict[str, list[str]] = {}
    for note in notes:
        name, colon, text = note.partition(": ")
        told = found.setdefault(name if colon and name in ("client", "server") else "", [])
        told.append(text if colon and name in ("client", "server") else note)
        if told[-2:] == ["data", "data"]:
            del told[-1]  # how many calls it takes is nobody's business
    return [f"{name}: {texts}" for name, texts in sorted(found.items())]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_same_is_seen(
    world: World, caplog: pytest.LogCaptureFixture, scenario: Scenario
) -> None:
    caplog.set_level(logging.WARNING, "asyncio")

    def logged() -> Notes:
        texts = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
        caplog.clear()
        return texts

    real: Notes = []
    real_problems: Notes = []
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: real_problems.append(problem(context)))
    loop.run_until_complete(scenario(real))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    real_log = logged()

    simulated: Notes = []
    world.run("alice", scenario(simulated), limit=10)
    world.run_for(0.01)
    problems = [problem(context) for context in world.problems]
    world.problems.clear()

    assert kinds(simulated) == kinds(real)
    assert problems == real_problems
    assert logged() == real_log
