"""Nodes are in a network with nothing in it: what opens a real socket there reaches nobody."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netsim import InvalidFileError, Network
from netsim.aio.loop import HostLoopMixin
from netsim.interception import empty_network
from netsim.realtime import zygote
from netsim.realtime.launcher import StartMethod

pytestmark = pytest.mark.asyncio
FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
"""A worker of pytest-xdist has threads; from Python 3.12 on a fork warns of them."""
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


SERVE = (
    "import http.server, socketserver, sys\n"
    """
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[1].encode())
    def log_message(self, *_): pass
with socketserver.TCPServer(("127.0.0.1", 8080), Handler) as server:
    print("serving", flush=True)
    server.serve_forever()
"""
)
_servers: list[subprocess.Popen[bytes]] = []


def serves(name: str) -> bytes:
    """Runs on a computer: starts a server, a process of its own, at the loopback."""
    _servers.append(
        subprocess.Popen([sys.executable, "-c", SERVE, name], stdout=subprocess.PIPE, bufsize=0)
    )
    assert _servers[-1].stdout is not None
    return _servers[-1].stdout.readline()


def asks() -> tuple[int, str]:
    """Runs on a computer: `curl` is C code, and a process that a program starts."""
    command = ["curl", "--silent", "--max-time", "5", "http://127.0.0.1:8080/"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
async def test_two_computers_have_no_loopback_in_common(file: Path, method: StartMethod) -> None:
    async with Network(file, start_method=method) as network:
        alice, bob = network["alice"], network["bob"]
        assert await alice.run(in_thread, serves, "of alice") == b"serving\n"
        assert await alice.run(in_thread, asks) == (0, "of alice")
        assert await bob.run(in_thread, asks) == (7, "")  # curl: "Failed to connect to host"
        assert await bob.run(in_thread, serves, "of bob") == b"serving\n"
        assert await bob.run(in_thread, asks) == (0, "of bob")
        assert await alice.run(in_thread, asks) == (0, "of alice")


async def in_thread(function: Callable[..., Any], *arguments: object) -> Any:
    """Runs on a computer."""
    return await asyncio.to_thread(function, *arguments)


async def test_where_computers_get_none_of_their_own_that_is_told(
    file: Path, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unshare, here = empty_network._unshare, os.getpid()

    def refuse_nodes(what: int) -> None:
        if what == empty_network._CLONE_NEWNET and here != os.getppid():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        unshare(what)  # the zygote

    monkeypatch.setattr(empty_network, "_unshare", refuse_nodes)
    monkeypatch.setattr(zygote, "_spawn_zygote", zygote._fork_zygote)
    async with Network(file) as network:
        assert await network["alice"].run(in_thread, serves, "of alice") == b"serving\n"
        assert await network["bob"].run(in_thread, asks) == (0, "of alice")
        assert await network["bob"].run(reached, listening) == [errno.ECONNREFUSED, 1]
        lines = network.logs("alice")["lines"]
        (told,) = [each["text"] for each in lines if "loopback" in each["text"]]
        assert told.endswith("user.max_net_namespaces (sysctl) allow no more")


WITHOUT_THE_RIGHT = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--"]
NO_MORE = [
    *["unshare", "--user", "--net", "--map-user=1000", "--map-group=1000", "--keep-caps"],
    *["sh", "-ec"],
    "ip link set lo up; echo 0 >/proc/sys/user/max_user_namespaces; "
    'exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"',
    "sh",
]
"""A machine that allows no user namespace: this one's limit is of the namespace it is set in."""
TELL = "import sys, test_empty_network as this; this.tell(*sys.argv[1:])"


def tell(file: str, method: StartMethod) -> None:
    """In a process of its own: what a network says, and where its programs come."""

    async def told(port: int) -> object:
        async with Network(file, start_method=method) as network:
            reached_it = await network["alice"].run(reached, port)
            return reached_it, [each.text for each in network.timeline if "reach" in each.text]

    with socket.create_server(("127.0.0.1", 0)) as server:
        json.dump(asyncio.run(told(server.getsockname()[1])), sys.stdout)


def told_where(way: list[str], file: Path, method: str = "fork") -> tuple[list[int], list[str]]:
    """What `tell` prints in a process that is started in a way."""
    command = [*way, sys.executable, "-c", TELL, str(file), method]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not done.stderr
    result, notices = json.loads(done.stdout)
    return result, notices


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
async def test_where_it_is_refused_that_is_told(file: Path, method: StartMethod) -> None:
    if subprocess.run([*NO_MORE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace can be made here, and so none whose limit is 0")
    (result, notices) = await asyncio.to_thread(told_where, NO_MORE, file, method)
    assert result == [0, 0]
    assert notices == [
        "C code of programs, and what they start, can reach this machine's network, as none of "
        "their own can be had: user.max_user_namespaces or user.max_net_namespaces (sysctl) allow "
        "no more"
    ]


@FORKS
async def test_root_without_the_right_does_as_an_ordinary_user(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("for root")
    if nobody_says(lambda: [empty_network.enter()]) != [""]:
        pytest.skip("no user namespace can be made here")
    result, notices = await asyncio.to_thread(told_where, WITHOUT_THE_RIGHT, file)
    assert (result, notices) == ([errno.ECONNREFUSED, 1], [])


def become_nobody() -> None:
    """An ordinary user, where this is root; also of a user namespace that knows no other."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    except OSError:
        group, user = os.getgid(), os.getuid()
        assert libc.unshare(0x10000000) == 0  # CLONE_NEWUSER
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"65534 {group} 1")
        Path("/proc/self/uid_map").write_text(f"65534 {user} 1")
        empty_network._drop_capabilities()
    else:
        libc.prctl(4, 1)  # PR_SET_DUMPABLE: it has changed who it is


def nobody_says(what: Callable[[], list[Any]]) -> list[Any]:
    """In a process of an ordinary user."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if os.getuid() == 0:
                become_nobody()
            os.write(writer, json.dumps(what()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    os.waitpid(pid, 0)
    answer: list[Any] = json.loads(text)
    return answer


def standing() -> list[Any]:
    """Who a process is, what it may do, and what it sees."""
    may = Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0]
    network = os.stat("/proc/self/ns/net").st_ino
    return [
        os.getuid(),
        os.getgid(),
        int(may, 16),
        sorted(dict(socket.if_nameindex()).values()),
        network,
    ]


@FORKS
async def test_an_ordinary_user_stays_who_he_is_and_may_do_no_more() -> None:
    outside = os.stat("/proc/self/ns/net").st_ino

    def entered() -> list[Any]:
        return [standing(), empty_network.enter(), standing()]

    def forked() -> list[Any]:
        network = empty_network.EmptyNetwork()
        between = standing()
        return [between, network.leave(for_another=True), standing()]

    before, refusal, after = nobody_says(entered)
    assert (before[:3], refusal) == ([*before[:2], 0], "")
    assert before[-1] == outside != after[-1]
    assert after[:4] == [*before[:3], ["lo"]]

    between, refusal, after = nobody_says(forked)
    assert (between[:2], refusal) == (before[:2], "")
    assert len({outside, between[-1], after[-1]}) == 3
    assert after[:4] == [*before[:3], ["lo"]]


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


async def test_who_is_killed_as_he_tries_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a filter of system calls; and where nobody waits for children."""

    def is_killed() -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    tried = empty_network._tried.__wrapped__
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        monkeypatch.setattr(empty_network, "_enter_as_user", lambda: "no such thing")
        assert tried() == "no such thing"
        monkeypatch.setattr(empty_network, "_enter_as_user", lambda: "")
        assert tried() == ""
    finally:
        signal.signal(signal.SIGCHLD, before)
    monkeypatch.setattr(empty_network, "_enter_as_user", is_killed)
    assert tried() == "a process that tried it was killed"
