"""Node processes by a start method of multiprocessing, `spawn` or `forkserver`.

Each node begins in a fresh interpreter (or one forked from a fresh one), for platforms and programs
that cannot fork. The zygote is the fast way.

A node is a subreaper, so that what its programs have started stays below it. It ends that before
it ends, and whoever kills it kills that, too. Only where a stranger kills a node it is left.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess
from multiprocessing.reduction import DupFd
from typing import Any, Final, Literal

from netsim.interception import empty_network
from netsim.realtime.launcher import Reports
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.process_tree import (
    become_subreaper,
    die_with_parent,
    kill_descendants,
    kill_family,
)
from netsim.site.messages import Boot
from netsim.topology.plan import NetworkPlan

_PARENT_ENDED: Final = signal.SIGRTMAX
"""Not SIGTERM, which a program may have a use for."""
_PIPE: Final = 65_536
"""Octets that a pipe holds (pipe(7))."""


class MultiprocessLauncher:
    """Starts each node as a `multiprocessing.Process`."""

    def __init__(self, method: Literal["forkserver", "spawn"]) -> None:
        self._context = SpawnContext() if method == "spawn" else ForkServerContext()
        self._processes: dict[int, SpawnProcess | ForkServerProcess] = {}
        self._pids: dict[str, int] = {}
        self._plan: NetworkPlan
        self._clock: NetworkClock
        self._reports: Reports
        self._refusals = self._refuse = -1
        """The ends of a pipe in which nodes say that the kernel gives no network of their own."""
        self._is_refusal_told = False

    @property
    def name(self) -> str:
        return f"the supervisor (pid {os.getpid()})"

    def open(self, plan: NetworkPlan, clock: NetworkClock, reports: Reports) -> None:
        self._plan = plan
        self._clock = clock
        self._reports = reports
        self._refusals, self._refuse = os.pipe()
        asyncio.get_running_loop().add_reader(self._refusals, self._refused)

    def launch(self, boot: Boot, descriptors: list[int]) -> None:
        # Duplicated by the pickling of the arguments, for which a process is being spawned.
        process = self._context.Process(
            target=_be_node,
            args=(self._plan, self._clock, boot, _Descriptors([self._refuse, *descriptors])),
            name=f"netsim:{self._plan.name}/{boot.node}",
            daemon=True,
        )
        try:
            process.start()
        except EOFError:
            # It ends when the kernel refuses it a fork, and says nothing.
            ended = "multiprocessing's fork server has ended"
            raise BlockingIOError(errno.EAGAIN, ended) from None
        pid = process.pid
        assert pid is not None, "a started process has a pid"
        self._processes[pid] = process
        self._pids[boot.node] = pid
        loop = asyncio.get_running_loop()
        loop.add_reader(process.sentinel, self._ended, loop, pid)
        self._reports.launched(boot.node, pid)

    def kill_node(self, node: str) -> None:
        process = self._processes.get(self._pids.get(node, 0))
        if process is not None and process.pid is not None:
            kill_family(process.pid)

    async def end(self) -> None:
        self.kill()
        loop = asyncio.get_running_loop()
        for process in self._processes.values():
            # From here on only one may join a process, and close it.
            loop.remove_reader(process.sentinel)
        for pid, process in list(self._processes.items()):
            await asyncio.to_thread(process.join)
            self._ended(loop, pid)
        loop.remove_reader(self._refusals)
        os.close(self._refusals)
        os.close(self._refuse)

    def kill(self) -> None:
        for pid in self._processes:  # not joined yet, so nobody else has its number
            kill_family(pid)

    def _refused(self) -> None:
        """The first says it for all. The others are read, too, or they would wait for room."""
        said = os.read(self._refusals, _PIPE)
        if not self._is_refusal_told:
            self._is_refusal_told = True
            self._reports.shares_network(said.decode().split("\n")[0])

    def _ended(self, loop: asyncio.AbstractEventLoop, pid: int) -> None:
        process = self._processes.pop(pid, None)
        if process is None:
            return
        loop.remove_reader(process.sentinel)
        process.join()
        code = process.exitcode
        assert code is not None, "a joined process has an exit code"
        process.close()
        self._reports.exited(pid, code)


class _Descriptors:
    """Descriptors that travel to a process being started."""

    def __init__(self, descriptors: list[int]) -> None:
        self._descriptors = descriptors

    def __getstate__(self) -> list[Any]:
        return [DupFd(descriptor) for descriptor in self._descriptors]

    def __setstate__(self, state: list[Any]) -> None:
        self._descriptors = [duplicate.detach() for duplicate in state]
        for descriptor in self._descriptors:
            # What a program starts must not keep the node's cables up when the node is gone.
            os.set_inheritable(descriptor, False)

    def take(self) -> list[int]:
        """The numbers, in this process."""
        return self._descriptors


def _be_node(plan: NetworkPlan, clock: NetworkClock, boot: Boot, descriptors: _Descriptors) -> None:
    """What a spawned process does: the same as one that the zygote forks."""
    from netsim.realtime import site_process
    from netsim.realtime.blueprint import Blueprint

    def end(*_: object) -> None:
        kill_descendants(os.getpid())
        os._exit(1)

    # A session of its own: Ctrl-C in the terminal is not for programs that have a handler for it.
    os.setsid()
    become_subreaper()
    signal.signal(_PARENT_ENDED, end)
    # The supervisor, or the fork server, which ends with it.
    die_with_parent(os.getppid(), _PARENT_ENDED)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    refuse, *others = descriptors.take()
    # As the zygote, for each node by itself.
    is_allowed = any(node.outside for node in plan.nodes)
    if not is_allowed and (refusal := empty_network.enter()):
        os.write(refuse, f"{refusal}\n".encode())
    os.close(refuse)
    code = site_process.run(Blueprint(plan, clock), boot, others)
    kill_descendants(os.getpid())
    os._exit(code)
