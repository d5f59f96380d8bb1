"""The supervisor's side of the zygote, see `netsim.realtime.zygote_process`.

Light: it is started before the supervisor has threads or an event loop, and before anything heavy
is imported.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from netsim.core.fork import fork
from netsim.realtime import zygote_messages as messages
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.process_tree import kill_family

if TYPE_CHECKING:
    import asyncio

    from netsim.realtime.channel import Channel
    from netsim.realtime.launcher import Reports
    from netsim.site.messages import Boot
    from netsim.topology.plan import NetworkPlan

_GRACE: Final = 2.0
"""Seconds that the zygote gets to kill and reap the nodes that are left."""


class Zygote:
    """A `Launcher`. `start()` it early."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self._pid = pid
        self._killed = False
        self._socket = sock
        self._channel: Channel | None = None
        self._gone: asyncio.Event
        self._reports: Reports
        self._reason: str | None = None
        """Why it has ended, where it has told."""

    @property
    def name(self) -> str:
        return f"the zygote (pid {self._pid})"

    @classmethod
    def start(cls) -> Zygote:
        """Fork the zygote; where the calling process has threads, start a fresh interpreter."""
        ours, theirs = socket.socketpair()
        with theirs:
            begin = _spawn_zygote if threading.active_count() > 1 else _fork_zygote
            try:
                return cls(begin(theirs), ours)
            except BaseException:
                ours.close()
                raise

    def open(self, plan: NetworkPlan, clock: NetworkClock, reports: Reports) -> None:
        import asyncio

        from netsim.realtime.channel import Channel

        self._reports = reports
        self._gone = asyncio.Event()
        self._channel = Channel(
            self._socket, asyncio.get_running_loop(), self._hear, self._channel_closed
        )
        self._channel.send(messages.Open(plan, clock, tuple(map(os.path.abspath, sys.path))))

    def launch(self, boot: Boot, descriptors: list[int]) -> None:
        assert self._channel is not None, "it is opened before anything is launched"
        # The channel closes what it has sent, and the caller what is its own.
        own = [os.dup(descriptor) for descriptor in descriptors]
        self._channel.send(messages.Fork(boot, len(own)), own)

    def kill_node(self, node: str) -> None:
        """The parent does it, whom no number of a stranger can deceive."""
        if self._channel is not None:
            self._channel.send(messages.Kill(node))

    async def end(self) -> None:
        import asyncio

        if self._channel is not None:
            self._channel.send(messages.End())
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
        kill_family(self._pid)

    def reap(self) -> None:
        """Wait for the killed or finished zygote."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _hear(self, message: Any) -> None:
        match message:
            case messages.NotPrepared(reason):
                self._reason = reason
            case messages.SharesNetwork(reason):
                self._reports.shares_network(reason)
            case messages.Forked(node, pid):
                self._reports.launched(node, pid)
            case messages.NotForked(node, reason):
                self._reports.not_launched(node, reason)
            case messages.Reaped(pid, code):
                self._reports.exited(pid, code)

    def _channel_closed(self) -> None:
        self._gone.set()
        self._reports.launcher_lost(self._reason)


def _fork_zygote(sock: socket.socket) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    # What a signal raises in one of the functions that are called at a fork is swallowed there.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        pid = fork()
        if not pid:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `serve` has it, once it is there
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if pid:
        return pid
    status = 1
    try:
        from netsim.realtime.zygote_process import serve

        _release_descriptors(keep=sock.fileno())
        # Where a test framework has replaced the standard streams, theirs are closed now.
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
        serve(sock)
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
    code = "from netsim.realtime import zygote_process; zygote_process.main()"
    arguments = [sys.executable, "-c", code, str(sock.fileno())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    os.set_inheritable(sock.fileno(), True)
    return os.posix_spawn(sys.executable, arguments, environment)
