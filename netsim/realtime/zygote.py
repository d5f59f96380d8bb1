"""The zygote: a small process that has imported everything and forks every node.

It is started before the supervisor has threads or an event loop, imports what nodes need while
the supervisor reads the topology, and freezes the garbage collector, so that the memory of a
node is shared with it until written. It has one thread for ever, which is what makes forking
safe, also later, when the supervisor has many.

It is the parent of all nodes: it reaps them and tells the supervisor how they ended. Killing it
kills them (`PR_SET_PDEATHSIG`), and it dies with the supervisor.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

    from netsim.realtime.boot import Birth
    from netsim.realtime.channel import Channel
    from netsim.realtime.launcher import Reports
    from netsim.topology.plan import NetworkPlan

_HEADER = struct.Struct("!II")
"""Length of the pickled request, number of descriptors that come with it."""
_DESCRIPTORS_AT_ONCE: Final = 250
"""Linux takes 253 in one message (SCM_MAX_FD)."""
_PR_SET_PDEATHSIG: Final = 1
_GRACE: Final = 2.0
"""Seconds that the zygote gets to kill and reap the nodes that are left."""

Request = tuple[str, Any]


class Zygote:
    """The supervisor's handle: a `Launcher`. `start()` it before anything heavy is imported."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self._pid = pid
        self._killed = False
        self._socket = sock
        self._channel: Channel | None = None
        self._gone: asyncio.Event
        self._reports: Reports

    @classmethod
    def start(cls) -> Zygote:
        """Fork the zygote; where the calling process has threads, start a fresh interpreter."""
        ours, theirs = socket.socketpair()
        with theirs:
            if threading.active_count() > 1:
                return cls(_spawn_zygote(theirs), ours)
            return cls(_fork_zygote(theirs), ours)

    def open(self, plan: NetworkPlan, epoch: int, reports: Reports) -> None:
        """See `Launcher`: tell the zygote the network that its children will belong to."""
        import asyncio

        from netsim.realtime.channel import Channel

        self._reports = reports
        self._gone = asyncio.Event()
        self._channel = Channel(
            self._socket, asyncio.get_running_loop(), self._hear, self._channel_closed
        )
        self._send(("network", (plan, epoch, sys.path)), [])

    def launch(self, birth: Birth, descriptors: list[int]) -> None:
        """See `Launcher`."""
        self._send(("fork", birth), descriptors)

    def kill_node(self, node: str) -> None:
        """See `Launcher`: the parent does it, whom no number of a stranger can deceive."""
        self._send(("kill", node), [])

    async def end(self) -> None:
        """See `Launcher`: have it kill and reap the nodes that are left, and end."""
        import asyncio

        if self._channel is not None:
            self._send(("end", None), [])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await self._gone.wait()
        self.kill()
        await asyncio.to_thread(self.reap)
        if self._channel is not None:
            self._channel.close()
        else:
            self._socket.close()

    def kill(self) -> None:
        """SIGKILL the zygote, every node and what they have started, at once; init reaps them."""
        if self._killed:
            # Once reaped, its number may be that of a stranger.
            return
        self._killed = True
        # The group is all of its session, except who has left it. It may not have one yet.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def reap(self) -> None:
        """Wait for the killed or finished zygote."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _hear(self, message: tuple[Any, ...]) -> None:
        match message:
            case ("forked", node, pid):
                self._reports.launched(node, pid)
            case ("exited", pid, code):
                self._reports.exited(pid, code)

    def _channel_closed(self) -> None:
        self._gone.set()
        self._reports.launcher_lost()

    def _send(self, request: Request, descriptors: list[int]) -> None:
        # Requests are small and the zygote reads them as fast as it forks, so blocking here
        # costs what the forks cost. A zygote that is gone is reported by its end of file.
        if self._channel is not None and self._channel.closed:
            return
        self._socket.setblocking(True)
        body = pickle.dumps(request, 5)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(_HEADER.pack(len(body), len(descriptors)))
            for start in range(0, len(descriptors), _DESCRIPTORS_AT_ONCE):
                chunk = descriptors[start : start + _DESCRIPTORS_AT_ONCE]
                socket.send_fds(self._socket, [b"\0"], chunk)
            self._socket.sendall(body)
        self._socket.setblocking(False)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent `parent` ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _fork_zygote(sock: socket.socket) -> int:
    supervisor = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent(supervisor)
        _release_descriptors(keep=sock.fileno())
        # Where a test framework has replaced the standard streams, theirs are closed now.
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
        _serve(sock)
        status = 0
    except BaseException:  # noqa: BLE001  # nothing may return into the supervisor's code
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _release_descriptors(keep: int) -> None:
    """Let go of the supervisor's files, which would live as long as the nodes: locks, wires.

    The numbers stay taken. Objects of the supervisor that were copied with the process may
    still close them some day, and must not hit a wire that has got the same number.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) > 2 and int(entry) not in (keep, nowhere):
            # The descriptor of the listing itself is gone by now.
            with contextlib.suppress(OSError):
                os.fstat(int(entry))
                os.dup2(nowhere, int(entry))
    os.close(nowhere)


def _spawn_zygote(sock: socket.socket) -> int:
    """Forking a process that has threads may copy a lock that nobody will ever release."""
    code = "from netsim.realtime import zygote; zygote.main()"
    arguments = [sys.executable, "-c", code, str(sock.fileno()), str(os.getpid())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    os.set_inheritable(sock.fileno(), True)
    return os.posix_spawn(sys.executable, arguments, environment)


def main() -> None:
    """Be a zygote in an interpreter of its own: descriptor and parent are the arguments."""
    descriptor, supervisor = map(int, sys.argv[1:])
    die_with_parent(supervisor)
    _serve(socket.socket(fileno=descriptor))


def _serve(sock: socket.socket) -> None:
    """The zygote's life."""
    # A session of its own: Ctrl-C in the terminal is for the supervisor alone to handle.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    wake_reader, wake_writer = os.pipe()
    for descriptor in (wake_reader, wake_writer):
        os.set_blocking(descriptor, False)

    # Imported here, which is the reason for having a zygote.
    import setproctitle

    from netsim.realtime import node_process

    node_process.preload()
    gc.collect()
    gc.freeze()
    # Only now: an import may have set handlers of its own.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)

    blueprint: node_process.Blueprint | None = None
    children: dict[int, str] = {}
    # Not `select`: a supervisor with many files may have left only numbers beyond its 1024.
    poll = select.poll()
    for descriptor in (sock.fileno(), wake_reader):
        poll.register(descriptor, select.POLLIN)
    while True:
        readable = [descriptor for descriptor, _ in poll.poll()]
        if wake_reader in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_reader, 4096)
            _reap(sock, children)
        if sock.fileno() not in readable:
            continue
        request = _receive(sock)
        if request is None or request[0][0] == "end":
            _kill_children(children)
            return
        (verb, argument), descriptors = request
        if verb == "network":
            plan, epoch, sys.path[:] = argument
            setproctitle.setproctitle(f"netsim: {plan.name} (zygote)")
            blueprint = node_process.Blueprint(plan, epoch)
            gc.freeze()
            continue
        if verb == "kill":
            for pid, node in children.items():
                if node == argument:
                    os.kill(pid, signal.SIGKILL)
            continue
        assert blueprint is not None, "the network is introduced before its nodes are forked"
        pid = _fork(
            [sock.fileno(), wake_reader, wake_writer],
            partial(node_process.run, blueprint, argument, descriptors),
        )
        children[pid] = argument.node
        for descriptor in descriptors:
            os.close(descriptor)
        _answer(sock, ("forked", argument.node, pid))


def _fork(not_for_the_child: list[int], child: Callable[[], int]) -> int:
    zygote = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(zygote)
        for descriptor in not_for_the_child:
            os.close(descriptor)
        status = child()
    except BaseException:  # noqa: BLE001  # nothing may return into the zygote's loop
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _kill_children(children: dict[int, str]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)


def _reap(sock: socket.socket, children: dict[int, str]) -> None:
    """Tell the supervisor of every child that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        children.pop(pid, None)
        _answer(sock, ("exited", pid, os.waitstatus_to_exitcode(status)))


def _answer(sock: socket.socket, answer: tuple[Any, ...]) -> None:
    body = pickle.dumps(answer, 5)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(struct.pack("!I", len(body)) + body)


def _receive(sock: socket.socket) -> tuple[Request, list[int]] | None:
    """One request with its descriptors; None when the supervisor is gone."""
    header = _read_exactly(sock, _HEADER.size)
    if header is None:
        return None
    length, expected = _HEADER.unpack(header)
    descriptors: list[int] = []
    while len(descriptors) < expected:
        data, received, _, _ = socket.recv_fds(sock, 1, _DESCRIPTORS_AT_ONCE)
        if not data:
            return None
        for descriptor in received:
            # What a program starts must not keep the node's cables up when the node is gone.
            os.set_inheritable(descriptor, False)
        descriptors += received
    body = _read_exactly(sock, length)
    return None if body is None else (pickle.loads(body), descriptors)  # noqa: S301


def _read_exactly(sock: socket.socket, length: int) -> bytes | None:
    data = b""
    while len(data) < length:
        chunk = sock.recv(length - len(data))
        if not chunk:
            return None
        data += chunk
    return data
