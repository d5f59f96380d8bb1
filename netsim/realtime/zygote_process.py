"""The zygote: a small process that has imported everything and forks every node.

It imports what nodes need while the supervisor reads the topology, and freezes the garbage
collector, so that the memory of a node is shared with it until written. It has one thread for ever,
which is what makes forking safe, also later, when the supervisor has many. The network that it is
in is an empty one.

It is the parent of all nodes: it reaps them and tells the supervisor how they ended. Killing it
kills them (`PR_SET_PDEATHSIG`). When the supervisor is gone it ends, and leaves nothing.

Nodes are subreapers, and so is the zygote: what a program has started stays below its node, also
what has made itself a session, and below the zygote when the node has ended, which kills it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from netsim.core.os_words import in_words
from netsim.interception.empty_network import EmptyNetwork
from netsim.realtime import zygote_messages as messages
from netsim.realtime.encoding import Inbox, encode
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.process_tree import become_subreaper, children, die_with_parent

if TYPE_CHECKING:
    from netsim.realtime.blueprint import Blueprint

_REAPING_LIMIT: Final = 1.0
"""Seconds for what was killed to be gone; what hangs in the kernel is left."""


def main() -> None:
    """Be a zygote in an interpreter of its own; the descriptor of the channel is the argument."""
    serve(socket.socket(fileno=int(sys.argv[1])))


def serve(sock: socket.socket) -> None:
    """Fork nodes until the supervisor says that it is enough, or is gone."""
    # A session of its own: Ctrl-C in the terminal is for the supervisor alone to handle.
    os.setsid()
    become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # A collection would write to every page that is shared with the supervisor, and leave holes
    # that nodes write to: no garbage here is worth that.
    gc.disable()
    try:
        # Imported here, which is the reason for having a zygote.
        from netsim.realtime import rehearsal, site_process

        site_process.preload()
        rehearsal.rehearse()
    except Exception as error:
        is_os = isinstance(error, OSError)
        words = in_words(error) if is_os else f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            sock.sendall(encode(messages.NotPrepared(f"the zygote could not get ready: {words}")))
        if is_os:
            return
        raise
    gc.freeze()
    _Zygote(sock).run()


class _Zygote:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._inbox = Inbox(sock)
        self._blueprint: Blueprint | None = None
        self._children: dict[int, str] = {}
        """Nodes by the pid of their process."""
        self._wake_reader, self._wake_writer = os.pipe()
        for descriptor in (self._wake_reader, self._wake_writer):
            os.set_blocking(descriptor, False)

    def run(self) -> None:
        # Only now: an import may have set handlers of its own.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        # Not `select`: a supervisor with many files may have left only numbers beyond its 1024.
        poll = select.poll()
        for descriptor in (self._sock.fileno(), self._wake_reader):
            poll.register(descriptor, select.POLLIN)
        is_wanted = True
        while is_wanted:
            readable = [descriptor for descriptor, _ in poll.poll()]
            if self._wake_reader in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_reader, 4096)
                self._reap()
            if self._sock.fileno() in readable:
                is_wanted = self._inbox.read() and all(map(self._hear, self._inbox.messages()))
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)
        self._children.clear()
        self._kill_orphans()

    def _hear(self, message: Any) -> bool:
        """Do it; whether there is more to do."""
        match message:
            case messages.Open(plan, clock, path):
                self._open(plan, clock, path)
            case messages.Fork(boot, count):
                self._fork_node(boot, count)
            case messages.Kill(node):
                for pid, name in self._children.items():
                    if name == node:
                        os.kill(pid, signal.SIGKILL)
            case messages.End():
                return False
        return True

    def _open(self, plan: Any, clock: NetworkClock, path: tuple[str, ...]) -> None:
        import setproctitle

        from netsim.realtime.blueprint import Blueprint
        from netsim.realtime.fresh_modules import forget_modules_beside

        sys.path[:] = path
        # Without blanks: CPython (3.15) counts threads in /proc/self/stat by splitting at them.
        setproctitle.setproctitle(f"netsim:{plan.name}/(zygote)")
        network = None
        # The kernel lets nobody but root go back, and so it is all nodes of a network or none.
        if not any(node.outside for node in plan.nodes):
            network = EmptyNetwork()
            if network.refusal:
                self._say(messages.SharesNetwork(network.refusal))
        blueprint = self._blueprint = Blueprint(plan, clock, network)
        if blueprint.folder is not None:
            forget_modules_beside(blueprint.folder)
        gc.freeze()

    def _fork_node(self, boot: Any, count: int) -> None:
        from netsim.realtime import site_process

        assert self._blueprint is not None, "the network is opened before its nodes are forked"
        descriptors = _take(self._inbox.descriptors, count)
        be_node = partial(site_process.run, self._blueprint, boot, descriptors)
        answer: messages.Forked | messages.NotForked
        try:
            pid = self._fork(be_node)
        except OSError as error:
            answer = messages.NotForked(boot.node, f"no process for it: {in_words(error)}")
        else:
            self._children[pid] = boot.node
            answer = messages.Forked(boot.node, pid)
        for descriptor in descriptors:
            os.close(descriptor)
        self._say(answer)

    def _fork(self, child: Callable[[], int]) -> int:
        zygote = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            gc.enable()
            die_with_parent(zygote)
            become_subreaper()
            for descriptor in (self._sock.fileno(), self._wake_reader, self._wake_writer):
                os.close(descriptor)
            # What others that wait to be forked will get.
            for descriptor in self._inbox.descriptors:
                os.close(descriptor)
            status = child()
        except BaseException:  # noqa: BLE001  # nothing may return into the zygote's loop
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        """Tell the supervisor of every child that has ended."""
        ended = []
        with contextlib.suppress(ChildProcessError):
            while (reaped := os.waitpid(-1, os.WNOHANG))[0]:
                ended.append(reaped)
        nodes = [each for each in ended if self._children.pop(each[0], None) is not None]
        if nodes:
            # First: who starts the node again finds its ports free.
            self._kill_orphans()
        for pid, status in nodes:
            self._say(messages.Reaped(pid, os.waitstatus_to_exitcode(status)))

    def _kill_orphans(self) -> None:
        """End what programs of nodes that are gone have started."""
        deadline = time.monotonic() + _REAPING_LIMIT
        while orphans := [pid for pid in children() if pid not in self._children]:
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in orphans:
                while not os.waitpid(pid, os.WNOHANG)[0]:
                    if time.monotonic() > deadline:
                        return
                    time.sleep(0.001)

    def _say(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(encode(message))


def _take(descriptors: deque[int], count: int) -> list[int]:
    return [descriptors.popleft() for _ in range(count)]
