"""What programs do with the numbers of sockets, as on the kernel's loopback."""

from __future__ import annotations

import array
import asyncio
import ctypes
import errno
import fcntl
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
from typing import Any

import pytest
from socket_dialogues import (
    DATAGRAM,
    Notes,
    bound,
    held_to_the_kernel,
    listening,
    new,
    outcome,
    pair,
)
from virtual_computers import World, settle, world

from netsim.sockets import descriptors

__all__ = ["world"]


async def reading_and_writing(notes: Notes) -> None:
    client, server = await pair()
    number = client.fileno()
    notes.append((outcome(os.read, number, 10), outcome(os.read, number, -1), os.read(number, 0)))
    notes.append(os.write(server.fileno(), memoryview(b"hello, world")))
    await settle()
    notes.append((os.read(number, 5), client.recv(100)))
    notes.append(outcome(os.write, new().fileno(), b"x"))
    notes.append(
        os.writev(server.fileno(), [b"hel", b"", bytearray(b"lo, "), memoryview(b"world")])
    )
    await settle()
    buffers: list[Any] = [bytearray(4), bytearray(0), bytearray(3), array.array("H", [0, 0])]
    notes.append((os.readv(number, []), os.readv(number, buffers), buffers[:3], bytes(buffers[3])))
    notes.append((os.readv(number, [bytearray(10)]), outcome(os.readv, number, [bytearray(1)])))
    wrong: list[tuple[Any, Any]] = [(os.readv, b"constant"), (os.writev, "text")]
    for call, given in wrong:
        with pytest.raises((BufferError, TypeError)) as refused:
            call(number, [given])
        notes.append(refused.type)
    server.shutdown(socket.SHUT_WR)
    await settle()
    notes.append((os.read(number, 10), os.readv(number, [bytearray(10)])))
    server.close()
    await settle()
    notes.append([outcome(os.write, number, b"x")])
    client.close()
    notes.append((outcome(os.read, number, 1), outcome(os.write, number, b"")))
    here, there = bound(DATAGRAM)[0], bound(DATAGRAM)[0]
    here.connect(there.getsockname())
    os.write(here.fileno(), b"datagram")
    os.write(here.fileno(), b"")
    await settle()
    notes.append([os.read(there.fileno(), 0), os.read(there.fileno(), 4)])
    notes.append([outcome(os.read, there.fileno(), 4) for _ in range(2)])
    here.close()
    there.close()


async def blocking(notes: Notes) -> None:
    client, server = await pair()
    number = client.fileno()
    os.set_blocking(number, True)
    notes.append((os.get_blocking(number), client.gettimeout()))
    reading = asyncio.ensure_future(asyncio.to_thread(os.read, number, 10))
    await settle()
    server.send(b"x")
    notes.append(await reading)
    size = 12_000_000  # more than both buffers take
    writing = asyncio.ensure_future(asyncio.to_thread(os.write, number, b"x" * size))
    received = 0
    while received < size:
        received += len(await asyncio.get_running_loop().sock_recv(server, 1 << 20))
    notes.append((received, await writing))
    client.settimeout(None)
    sending = asyncio.ensure_future(asyncio.to_thread(client.send, b"x" * size))
    while received < 2 * size:
        received += len(await asyncio.get_running_loop().sock_recv(server, 1 << 20))
    notes.append((received, await sending))
    flags = fcntl.fcntl(client, fcntl.F_GETFL)
    fcntl.fcntl(client, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    notes.append((client.gettimeout(), outcome(client.recv, 1)))
    server.close()
    client.close()


async def files_that_are_sent(notes: Notes) -> None:
    client, server = await pair()
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        out, source = client.fileno(), file.fileno()
        notes.append((os.sendfile(out, source, 2, 3), file.tell()))
        file.seek(5)
        notes.append((os.sendfile(out, source, None, 2), os.lseek(source, 0, os.SEEK_CUR)))
        notes.append((os.sendfile(out_fd=out, in_fd=source, offset=8, count=100), file.tell()))
        notes.append((os.sendfile(out, source, 10, 5), os.sendfile(out, source, 0, 0)))
        notes.append(outcome(os.sendfile, out, server.fileno(), None, 5))
        notes.append(outcome(os.sendfile, out, source, 0, -1))
        pipe = os.pipe()
        notes.append([outcome(os.sendfile, out, pipe[0], begin, 5) for begin in (None, 0)])
        for number in pipe:
            os.close(number)
        await settle()
        notes.append(server.recv(100))
        loop = asyncio.get_running_loop()
        notes.append(await loop.sock_sendfile(client, file, 4, fallback=False))
        file.seek(0)
        file.write(bytes(3_000_000))
        file.flush()
        sent = os.sendfile(out, source, 0, 3_000_000)
        while not isinstance(again := outcome(os.sendfile, out, source, 0, 3_000_000), str):
            sent += again
            await settle()
        notes.append((again, 100_000 < sent < 30_000_000))
    client.close()
    server.close()


async def copies_of_numbers(notes: Notes) -> None:
    client, server = await pair()
    first = client.fileno()
    numbers = [os.dup(first), fcntl.fcntl(client, fcntl.F_DUPFD_CLOEXEC, 0)]
    os.close(first)
    notes.append(outcome(client.send, b"x"))
    client.detach()
    for number in numbers:
        os.write(number, b"x")
        notes.append((stat.S_ISSOCK(os.fstat(number).st_mode), os.get_inheritable(number)))
    await settle()
    notes.append(server.recv(10))
    reader, writer = os.pipe()
    notes.append(os.dup2(numbers[0], reader) == reader)
    os.close(writer)
    notes.append(os.dup2(reader, reader) == reader)
    os.write(reader, b"y")
    for number in numbers:
        os.close(number)
    await settle()
    notes.append((server.recv(10), outcome(server.recv, 10)))
    other = os.open(os.devnull, os.O_RDWR)
    os.dup2(other, reader)
    await settle()
    notes.append((server.recv(10), os.read(reader, 1)))
    for number in (other, reader):
        os.close(number)
    notes.append(outcome(os.close, reader))
    notes.append(outcome(os.dup2, reader, server.fileno()))
    notes.append((outcome(server.recv, 10), server.fileno() >= 0))
    server.close()


async def ranges_that_are_closed(notes: Notes) -> None:
    client, server = await pair()
    number = fcntl.fcntl(client, fcntl.F_DUPFD_CLOEXEC, 900)
    client.close()
    os.closerange(number + 1, number + 50)
    os.write(number, b"x")
    await settle()
    notes.append(server.recv(10))
    os.closerange(number - 50, number + 1)
    await settle()
    notes.append((server.recv(10), outcome(os.write, number, b"x")))
    server.close()


async def files_of_numbers(notes: Notes) -> None:
    client, server = await pair()
    client.setblocking(True)
    number = client.detach()
    with pytest.raises(ValueError, match="mode"):
        os.fdopen(number, "x y")
    with os.fdopen(number, "w", encoding="utf-16", closefd=False) as text:
        text.write("text")
    server.send(b"line\nrest")
    with os.fdopen(number, "rb") as file:
        notes.append(await asyncio.to_thread(file.readline))
        notes.append(await asyncio.to_thread(file.read, 4))
    notes.append(outcome(os.fstat, number))
    await settle()
    notes.append((server.recv(100), server.recv(100)))
    server.close()
    with os.fdopen(os.open(os.devnull, os.O_RDONLY)) as nothing:
        notes.append(nothing.read())


async def what_waits(notes: Notes) -> None:
    client, server = await pair()
    here, there = bound(DATAGRAM)[0], bound(DATAGRAM)[0]
    server.send(b"12345")
    for data in (b"first", b"12"):
        here.sendto(data, there.getsockname())
    await settle()
    for sock in (client, there, new()):
        told = fcntl.ioctl(sock, termios.FIONREAD, struct.pack("i", 0))
        notes.append(struct.unpack("i", told))
        counter = array.array("i", [0])
        notes.append((fcntl.ioctl(sock.fileno(), termios.FIONREAD, counter), counter.tolist()))
        counter = array.array("i", [7, 8])
        notes.append((fcntl.ioctl(sock.fileno(), termios.FIONREAD, counter), counter.tolist()))
        notes.append(fcntl.ioctl(sock, termios.FIONREAD, b"12345678"))
    listener, _ = await listening()
    notes.append(outcome(fcntl.ioctl, listener, termios.FIONREAD, bytes(4)))
    for sock in (client, server, here, there, listener):
        sock.close()


test_as_the_kernel = pytest.mark.filterwarnings("ignore:unclosed")(
    held_to_the_kernel(
        reading_and_writing,
        blocking,
        files_that_are_sent,
        copies_of_numbers,
        ranges_that_are_closed,
        files_of_numbers,
        what_waits,
    )
)


def test_a_number_that_is_closed_closes_the_socket(world: World) -> None:
    async def main() -> Any:
        listener = socket.create_server(("", 80))
        os.close(listener.detach())
        before = descriptors.descriptors_in_use()
        with socket.create_server(("", 80)) as again:
            return again.getsockname(), descriptors.descriptors_in_use() - before

    assert world.run("alice", main()) == (("0.0.0.0", 80), 1)


def test_what_c_code_has_closed_is_let_go(world: World) -> None:
    async def main() -> None:
        number = socket.create_server(("", 80)).detach()
        ctypes.CDLL(None).close(number)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.close(number)
        socket.create_server(("", 80)).close()

    world.run("alice", main())


def test_what_a_number_cannot_do_is_refused_in_words(world: World) -> None:
    def start(**streams: Any) -> None:
        subprocess.run([sys.executable, "-c", ""], check=True, **streams)

    async def main() -> None:
        with socket.socket() as sock:
            for streams in ({"stdin": sock}, {"stdout": sock}, {"pass_fds": [sock.fileno()]}):
                with pytest.raises(OSError, match=r"child process: give it a pipe") as refused:
                    start(**streams)
                assert refused.value.errno == errno.EOPNOTSUPP
            with pytest.raises(OSError, match=r"ask for getsockname\(\)"):
                fcntl.ioctl(sock, 0x8915, struct.pack("256s", b"eth0"))

    world.run("alice", main())
