"""The same blocking calls, in threads, on the kernel's loopback and on a computer."""

from __future__ import annotations

import asyncio
import errno
import re
import select
import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import make_contexts
from virtual_computers import World, world

__all__ = ["world"]

Notes = list[Any]
Scenario = Callable[[Notes, Path], None]
HOST = "127.0.0.1"


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """What a call gives, or what it raises, in whose words."""
    try:
        return function(*args)
    except OSError as error:
        return type(error).__name__, errno.errorcode.get(error.errno or 0), error.strerror


def words(function: Callable[..., Any], *args: Any) -> str:
    """What a call raises, without OpenSSL's line numbers."""
    try:
        return repr(function(*args))
    except OSError as error:
        text = re.sub(r" ?\(?_ssl\.c:\d+(: |\))", "", str(error))
        return f"{type(error).__name__} {text}"


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection: the client's, the server's."""
    with socket.create_server((HOST, 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=20)
        server, _ = listener.accept()
    return client, server


def time_outs(notes: Notes, folder: Path) -> None:
    client, server = pair()
    client.settimeout(0.05)
    notes.append(words(client.recv, 1))
    notes.append(words(client.sendall, b"x" * 30_000_000))
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.05)
        notes.append(words(listener.accept))
    client.setblocking(False)
    notes.append(outcome(client.recv, 1))
    client.close()
    server.close()


def refused(notes: Notes, folder: Path) -> None:
    with socket.create_server((HOST, 0)) as listener:
        name = listener.getsockname()
    notes.append(words(socket.create_connection, name))
    with socket.socket() as sock:
        notes.append(sock.connect_ex(name))
        notes.append(outcome(sock.connect, name))
        notes.append(outcome(sock.recv, 1))
        notes.append(outcome(sock.send, b"x"))


def all_that_was_asked_for(notes: Notes, folder: Path) -> None:
    client, server = pair()
    client.settimeout(None)

    def send() -> None:
        for _ in range(2):
            server.sendall(b"12345")

    thread = threading.Thread(target=send)
    thread.start()
    notes.append(client.recv(10, socket.MSG_WAITALL))
    thread.join()
    server.sendall(b"123")
    server.close()
    notes.append(client.recv(10, socket.MSG_WAITALL))
    notes.append(client.recv(10, socket.MSG_WAITALL))
    client.close()


def more_than_a_buffer_takes(notes: Notes, folder: Path) -> None:
    client, server = pair()
    client.settimeout(None)
    size = 12_000_000
    thread = threading.Thread(target=server.sendall, args=(b"x" * size,))
    thread.start()
    notes.append(len(client.recv(size, socket.MSG_WAITALL)))
    thread.join()
    parts, sent = [b"x" * (size // 2)] * 2, list[int]()
    thread = threading.Thread(target=lambda: sent.append(server.sendmsg(parts)))
    thread.start()
    notes.append(len(client.recv(size, socket.MSG_WAITALL)))
    thread.join()
    notes.append(sent)
    server.sendall(b"rest")
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    timer = threading.Timer(0.05, server.close)
    timer.start()
    notes.append(client.recv(10, socket.MSG_WAITALL))
    notes.append(outcome(client.recv, 10))
    timer.join()
    client.close()


def nothing_is_asked_for(notes: Notes, folder: Path) -> None:
    client, server = pair()
    client.settimeout(0.05)
    notes.append((outcome(client.recv, 0), outcome(client.recv_into, bytearray())))
    notes.append(outcome(client.recvfrom, 0))
    client.close()
    server.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.settimeout(5)
        for data in (b"first", b"second"):
            sock.sendto(data, sock.getsockname())
        notes.append((sock.recv(0), sock.recv(10)))
        notes.append(sock.recvfrom(0)[0])
        sock.settimeout(0.05)
        notes.append(outcome(sock.recv, 10))


def files(notes: Notes, folder: Path) -> None:
    client, server = pair()
    with client, server, server.makefile("rw") as file:
        client.sendall(b"first\nsecond\n")
        notes.append([file.readline(), file.readline()])
        file.write("answer\n")
        file.flush()
        notes.append(client.recv(100))
        (folder / "sent").write_bytes(b"contents" * 100)
        with (folder / "sent").open("rb") as sent:
            notes.append(client.sendfile(sent))
        client.shutdown(socket.SHUT_WR)
        notes.append(len(file.read()))


def selecting(notes: Notes, folder: Path) -> None:
    client, server = pair()
    here, there = socket.socketpair()
    notes.append(select.select([client, here], [client, here], [], 0.02)[1] == [client, here])
    notes.append(select.select([client, here], [], [], 0.02))
    there.send(b"x")
    notes.append(select.select([client, here], [], [], 5)[0] == [here])
    server.sendall(b"x")
    for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
        with kind() as selector:
            selector.register(client, selectors.EVENT_READ, "client")
            selector.register(here, selectors.EVENT_READ, "pipe")
            selector.register(server, selectors.EVENT_WRITE, "server")
            found = sorted((key.data, mask) for key, mask in selector.select(5))
            while len(found) < 3:
                found = sorted((key.data, mask) for key, mask in selector.select(5))
            notes.append(found)
            selector.unregister(server)
            here.setblocking(False)
            notes.append(sorted(key.data for key, _ in selector.select(0)))
    poll = select.poll()
    poll.register(client)
    poll.unregister(client)
    notes.append([words(poll.modify, client, 1), poll.poll(0)])
    server.close()
    client.shutdown(socket.SHUT_RDWR)
    began = time.monotonic()  # its end is nothing exceptional
    notes.append((select.select([], [], [client], 0.05), time.monotonic() - began > 0.04))
    for sock in (client, here, there):
        sock.close()
    with pytest.raises(ValueError, match="negative"):
        select.select([client], [], [])


def tls(folder: Path) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Both ends of a connection with TLS."""
    ours, theirs = make_contexts(folder)
    client, server = pair()
    wrapped: list[ssl.SSLSocket] = []
    thread = threading.Thread(
        target=lambda: wrapped.append(ours.wrap_socket(server, server_side=True))
    )
    thread.start()
    here = theirs.wrap_socket(client, server_hostname="web")
    thread.join()
    return here, wrapped[0]


def encrypted(notes: Notes, folder: Path) -> None:
    client, server = tls(folder)
    notes.append((client.version(), client.getpeercert()["subject"]))  # type: ignore[index]
    client.sendall(b"hello")
    notes.append(server.recv(100))
    server.settimeout(0.05)
    notes.append(words(server.recv, 1))
    server.setblocking(False)
    notes.append(words(server.recv, 1))
    server.settimeout(20)
    thread = threading.Thread(target=client.unwrap)
    thread.start()
    notes.append(server.recv(1))
    plain = server.unwrap()
    thread.join()
    notes.append(type(plain).__name__)
    client.close()
    server.close()


def ragged_ends(notes: Notes, folder: Path) -> None:
    client, server = tls(folder)
    client.settimeout(0.05)
    notes.append(words(client.recv, 1))  # and so the session tickets are read
    client.close()
    notes.append(words(server.recv, 1))
    server.close()


def handshakes_that_fail(notes: Notes, folder: Path) -> None:
    ours, theirs = make_contexts(folder)
    client, server = pair()
    thread = threading.Thread(target=lambda: notes.append(words(accepting)))

    def accepting() -> None:
        ours.wrap_socket(server, server_side=True).recv(1)

    thread.start()
    heard = words(lambda: theirs.wrap_socket(client, server_hostname="other"))
    thread.join()
    notes.append(heard)
    client.close()
    server.close()
    client, server = pair()
    client.settimeout(0.05)
    notes.append(words(lambda: theirs.wrap_socket(client, server_hostname="web")))
    client.close()
    server.close()


def tls_without_waiting(notes: Notes, folder: Path) -> None:
    client, server = tls(folder)
    client.setblocking(False)
    got: list[int] = []

    def read() -> None:
        total = 0
        while total < 3_000_000:
            total += len(server.recv(65536))
        got.append(total)

    thread = threading.Thread(target=read)
    thread.start()
    rest = memoryview(b"x" * 3_000_000)
    while rest:
        try:
            rest = rest[client.send(rest[:100_000]) :]
        except ssl.SSLWantWriteError:
            select.select([], [client], [])
    thread.join()
    notes.append(got)
    client.close()
    server.close()


SCENARIOS = (
    *(time_outs, refused, all_that_was_asked_for, more_than_a_buffer_takes, nothing_is_asked_for),
    *(files, selecting),
    *(encrypted, ragged_ends, handshakes_that_fail, tls_without_waiting),
)


def _noted(scenario: Scenario, folder: Path) -> Notes:
    notes: Notes = []
    scenario(notes, folder)
    return notes


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_as_the_kernel(world: World, scenario: Scenario, tmp_path: Path) -> None:
    kernels = _noted(scenario, tmp_path)

    async def on_a_computer() -> Notes:
        return await asyncio.to_thread(_noted, scenario, tmp_path)

    ours = world.run("alice", on_a_computer())
    assert ours == kernels
    world.run_for(1)
