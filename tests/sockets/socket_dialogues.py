"""The same calls of sockets on the kernel's loopback and on a computer: results must be equal.

A scenario is a coroutine that notes down what it sees. Its sockets do not block; it waits with
`sock_*` or tries again after a moment, which both event loops know.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from virtual_computers import World

Notes = list[Any]
Scenario = Callable[[Notes], Coroutine[Any, Any, None]]
HOST = "127.0.0.1"
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


def new(kind: int = STREAM) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    sock.setblocking(False)
    return sock


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """What a call gives, or the name of the errno that it raises, or what Python itself says."""
    try:
        return function(*args)
    except ValueError as error:
        return str(error)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        in_usual_words = error.errno is None or error.strerror == os.strerror(error.errno)
        return name if in_usual_words else str(error)


def bound(kind: int = STREAM) -> tuple[socket.socket, Any]:
    sock = new(kind)
    sock.bind((HOST, 0))
    return sock, sock.getsockname()


async def listening(backlog: int = 5) -> tuple[socket.socket, Any]:
    sock, name = bound()
    sock.listen(backlog)
    return sock, name


async def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection: the client's, the server's."""
    loop = asyncio.get_running_loop()
    listener, name = await listening()
    client = new()
    await loop.sock_connect(client, name)
    server, _ = await loop.sock_accept(listener)
    listener.close()
    return client, server


def events(sock: socket.socket) -> str:
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT | getattr(select, "POLLRDHUP", 0))
    names = ("POLLIN", "POLLOUT", "POLLRDHUP", "POLLHUP", "POLLERR", "POLLNVAL")
    found = dict(poll.poll(0)).get(sock.fileno(), 0)
    return " ".join(name for name in names if found & getattr(select, name))


async def _noted(scenario: Callable[[Notes], Awaitable[None]]) -> Notes:
    notes: Notes = []
    await scenario(notes)
    return notes


def held_to_the_kernel(*scenarios: Scenario) -> Callable[..., None]:
    """A test of each: it notes down on a computer what it does on the kernel's loopback."""

    @pytest.mark.parametrize("scenario", scenarios, ids=lambda scenario: scenario.__name__)
    def test(world: World, scenario: Scenario) -> None:
        kernels = asyncio.run(_noted(scenario))
        ours = world.run("alice", _noted(scenario))
        assert ours == kernels
        world.run_for(1)

    return test
