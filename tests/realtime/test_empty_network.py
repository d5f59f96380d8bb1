"""Nodes are in a network with nothing in it: what opens a real socket there reaches nobody."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim import InvalidFileError, Network
from netsim.aio.loop import HostLoopMixin
from netsim.realtime import empty_network, zygote
from netsim.realtime.launcher import StartMethod

pytestmark = pytest.mark.asyncio
NET = (
    "name: alone\nnodes: {alice: {kind: computer}, bob: {kind: computer}}\nlinks: [[alice, bob]]\n"
)
CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of this machine at which somebody would accept."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "alone.yaml"
    path.write_text(NET)
    return path


def in_c(port: int) -> int:
    """connect(2), past all that Python knows; the errno."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, b"\x7f\0\0\1")
    failed = libc.connect(descriptor, address, len(address))
    number = ctypes.get_errno()
    os.close(descriptor)
    return number if failed else 0


def started(port: int) -> int:
    """By a process that the program starts; its exit code."""
    command = [sys.executable, "-c", CONNECT, str(port)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


async def reached(port: int) -> list[int]:
    """Runs on a computer."""
    return [in_c(port), await asyncio.to_thread(started, port)]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
async def test_nothing_of_a_program_reaches_the_machine(
    file: Path, listening: int, method: StartMethod
) -> None:
    assert in_c(listening) == 0  # here somebody is there
    async with Network(file, start_method=method) as network:
        assert await network["alice"].run(reached, listening) == [errno.ECONNREFUSED, 1]
        assert not [each for each in network.timeline if "reach" in each.text]


async def asks_and_listens(port: int) -> tuple[str, int]:
    """Runs on a computer: a client in a thread, and a listener on all addresses."""

    def ask() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return str(answer.status)
        except urllib.error.URLError as error:
            return str(error.reason)

    listening = socket.create_server(("", 0))
    _kept.append(listening)
    return await asyncio.to_thread(ask), listening.getsockname()[1]


_kept: list[socket.socket] = []


async def test_sockets_of_python_are_not_the_machines(file: Path, listening: int) -> None:
    file.write_text(NET.replace("bob: {", "bob: {outside: allow, "))
    # With `outside: allow` somewhere there is no empty network: only the sockets keep it apart.
    async with Network(file) as network:
        answer, port = await network["alice"].run(asks_and_listens, listening)
        assert answer == f"[Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)


async def test_who_is_allowed_outside_is_there(file: Path, listening: int) -> None:
    file.write_text(NET.replace("alice: {", "alice: {outside: allow, ", 1))
    async with Network(file) as network:
        assert await network["alice"].run(reached, listening) == [0, 0]
    mistake = f"{file}:2:26: `outside: allow` would give its programs a network that virtual time"
    with pytest.raises(InvalidFileError) as caught:
        await Network(file, time="virtual").start()
    assert str(caught.value).startswith(mistake)


async def test_where_it_is_refused_that_is_told(
    file: Path, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(what: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(empty_network, "_unshare", refuse)
    # A fresh interpreter, where this one has threads, would not know of it.
    monkeypatch.setattr(zygote, "_spawn_zygote", zygote._fork_zygote)
    async with Network(file) as network:
        assert await network["alice"].run(reached, listening) == [0, 0]
        (told,) = [each for each in network.timeline if "machine's network" in each.text]
        assert told.kind == "notice"
        assert told.text.endswith("can be had: Operation not permitted")


async def test_an_ordinary_user_stays_who_he_is_and_may_do_no_more() -> None:
    """As nobody, in a process of its own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: it has changed who it is
            before = os.getuid(), os.getgid()
            said = [empty_network.enter(), (os.getuid(), os.getgid()) == before]
            status = Path("/proc/self/status").read_text()
            said.append(int(status.split("CapEff:")[1].split()[0], 16))
            said.append(sorted(name for _, name in socket.if_nameindex()))
            os.write(writer, repr(said).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said_by_child:
        assert said_by_child.read() == repr(["", True, 0, ["lo"]])
    os.waitpid(pid, 0)


async def dialled(host: str, port: int) -> bytes:
    """Runs on a computer: what the server outside says first."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HostLoopMixin)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.outside.connect(lambda: protocol, (host, port))
    said = await reader.readline()
    transport.close()
    return said


async def test_the_supervisor_connects_for_a_node(file: Path) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%d\n" % writer.get_extra_info("peername")[1])
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Network(file) as network:
        said = await asyncio.gather(
            *(network["alice"].run(dialled, "localhost", port) for _ in range(30))
        )
        assert len(set(said)) == 30
        server.close()
        with pytest.raises(ConnectionRefusedError):
            await network["alice"].run(dialled, "127.0.0.1", port)
        with pytest.raises(socket.gaierror):
            await network["alice"].run(dialled, "a" * 70, port)
