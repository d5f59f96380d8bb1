"""An event loop that a program has made, for one of its threads (`asyncio.run` in a thread).

It has the network of the thread's computer, and the thread runs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from netsim.aio.loop import HostLoopMixin
from netsim.core.errors import BlockingCallError
from netsim.interception.unrepeatable import TLS
from netsim.site.driver import Action
from netsim.sockets.machine import SocketOwner
from netsim.virtual.strand import Strand
from netsim.virtual.timeline import Timer
from netsim.virtual.virtual_loop import VirtualLoop


class LoopOnComputer(HostLoopMixin, VirtualLoop):
    """A loop whose programs have the network of a node."""

    def network_now(self) -> int:
        """Network time in ns."""
        return self.timeline.now

    def tls_begins(self) -> None:
        """TLS is found out."""
        self.timeline.findings.note("tls", self.name, TLS)


class ThreadLoop(LoopOnComputer):
    """Waits where its thread waits."""

    def __init__(self, computer: LoopOnComputer) -> None:
        self._computer = computer
        self._runs_in: Strand | None = None
        VirtualLoop.__init__(self, computer.timeline, computer.name)
        self.strands = computer.strands
        self.attach_host(computer.host, computer.hosts_table, path_finder=computer.path)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """As asyncio, in the log of the computer."""
        self._computer.default_exception_handler(context)

    # Its thread runs it

    def run_forever(self) -> None:
        """As asyncio; in a thread, not on the loop of the computer."""
        self._runs_in = self.strands.running
        if self._runs_in is None:
            raise BlockingCallError(
                "an event loop that a thread has made would block the computer's own: run it in a "
                "thread"
            )
        asyncio.BaseEventLoop.run_forever(self)

    def is_running(self) -> bool:
        """As asyncio, whoever asks."""
        return asyncio.BaseEventLoop.is_running(self)

    def wake(self) -> None:
        """There is something to run now."""
        if self._runs_in is not None:
            self._runs_in.wake()

    def step(self) -> None:
        """Never called: its thread stands in the timeline."""

    def _run_once(self) -> None:
        assert self._runs_in is not None, "run_forever() sets it"
        while not self._ready and not self._stopping:  # type: ignore[attr-defined]
            self._runs_in.park(None)
        self._run_ready()

    def close(self) -> None:
        if not self.is_closed():
            self.timeline.leave(self)
        super().close()

    def enter(self) -> None:
        """Its threads are the computer's."""

    def leave(self) -> None:
        """Its threads are the computer's."""

    def waiting_threads(self) -> Iterator[tuple[str, str]]:
        """Its threads are the computer's."""
        return iter(())

    def schedule(self, due: int, action: Action, timer: Timer) -> None:
        """Have `action` called with the timer at `due`, ns of network time."""
        self._computer.schedule(due, action, timer)

    # The computer's loop is told of what happens to sockets

    def own(self, stack_socket: Any, owner: SocketOwner) -> None:
        """From now on `owner` is told of what happens to a socket of the stack."""
        self._computer.own(stack_socket, _Relay(self, owner))

    def disown(self, stack_socket: Any) -> None:
        """Nobody is told any more."""
        self._computer.disown(stack_socket)


class _Relay:
    """Tells who looks after a socket in the loop of a thread."""

    serves_threads = True

    def __init__(self, loop: ThreadLoop, owner: SocketOwner) -> None:
        self._loop = loop
        self._owner = owner

    def socket_ready(self) -> None:
        """Something has happened to the socket."""
        if not self._loop.is_closed():
            self._loop.call_soon(self._owner.socket_ready)


def become_thread_loop(loop: Any, computer: LoopOnComputer) -> None:
    """Make an event loop that is not initialised one of that computer's."""
    loop.__class__ = ThreadLoop
    ThreadLoop.__init__(loop, computer)
