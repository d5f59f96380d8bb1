"""The process that runs are forked from; `python -m netsim.scenario.run_server` with descriptors.

Sets of plain objects iterate in the order of their addresses, so a run repeats only when memory
lies as it did the last time, to the byte. Hence each run begins in a fork of one and the same
state:

- The pool starts this program without address space randomisation and with a fixed hash seed.
- It imports netsim, and forks a process for each scenario. That reads the scenario, makes its plan,
  imports the libraries of its programs, on a computer whose clock and randomness are always the
  same, and forks the runs.
- Everything is imported from compiled files, whatever else lies in their folders, and the collector
  begins at zero.
- Between two forks these processes do nothing that would leave a trace in their memory: they read a
  byte, and fork. What a run is to do, and what for, is read by the run itself.
- The order for a seed is the same bytes whether it runs alone or among a thousand: what differs
  (where its trace goes, where it prints) comes as descriptors, whose numbers are always the same.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from netsim.core.os_words import in_words
from netsim.interception.empty_network import EmptyNetwork
from netsim.realtime.process_tree import die_with_parent
from netsim.scenario.steady_imports import SteadyImports

if TYPE_CHECKING:
    from netsim.scenario.user_imports import HasPrograms

Attempt = TypeVar("Attempt")

PRELOADED: Final = [
    "netsim.scenario.scenario_run",
    "netsim.scenario.load_scenario",
    "netsim.virtual.virtual_backend",
    "netsim.virtual.director_loop",
    "netsim.services.httpbin",
    "aiohttp.web",
]
_LAZY: Final = {
    "anyio": ["anyio._backends._asyncio", "anyio.streams.memory", "anyio.streams.tls"],
    "fastapi": ["fastapi.telemetry", "pydantic.v1"],
    "httpx": ["certifi", "httpcore", "httpcore._backends.auto", "httpcore._backends.anyio"],
    "sqlalchemy": ["sqlalchemy.dialects", "sqlalchemy.ext.asyncio"],
    "starlette": ["anyio.to_thread", "starlette.websockets"],
    "uvicorn": [
        "uvicorn.lifespan.on",
        "uvicorn.loops.auto",
        "uvicorn.protocols.http.auto",
        "uvicorn.protocols.websockets.auto",
    ],
}
"""What libraries import only when they are used, and so every run would for itself."""
_WARMING: Final = 64
"""Forks for nothing, until what the interpreter makes at the first ones is made."""
TRACE: Final = 250
"""The descriptor that a run writes its trace to."""


def main() -> None:
    """Fork a process for each byte in `requests`; it takes its scenario from `listener`."""
    pool, listener, requests, again = map(int, sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pool's business
    die_with_parent(pool)
    SteadyImports.install()
    for name in PRELOADED:
        importlib.import_module(name)
    if SteadyImports.compiled and not again:
        SteadyImports.again()
    SteadyImports.add_folders()
    accepting = socket.socket(fileno=listener)
    os.dup2(listener, TRACE)  # so that its number is taken
    own = os.getpid()
    fork_for_each(requests, accepting, lambda: _look_after(accepting, pool, own), _WARMING)
    accepting.close()


def fork_for_each(
    requests: int, accepting: socket.socket, child: Callable[[], NoReturn], warming: int = 0
) -> None:
    """Fork for each byte, until there are no more; `warming` times for nothing before that."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who is forked is reaped by the kernel
    gc.collect()
    gc.freeze()
    while warming or os.read(requests, 1):
        try:
            if os.fork():
                warming = warming and warming - 1
                continue
        except OSError as error:
            _refuse(accepting, error)
            continue
        if warming:
            os._exit(0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def fork_until_one_begins(
    attempts: Iterable[Attempt], child: Callable[[Attempt, Callable[[], None]], NoReturn]
) -> NoReturn:
    """Fork for one attempt after the other, each to its end, until a child says that it begins."""
    own = os.getpid()
    has_begun, begins = os.pipe()
    os.set_blocking(has_begun, False)

    def begin() -> None:
        os.write(begins, b"1")
        os.close(begins)

    for attempt in attempts:
        forker = os.fork()
        if not forker:
            die_with_parent(own)
            child(attempt, begin)
        os.waitpid(forker, 0)
        with contextlib.suppress(BlockingIOError):
            os.read(has_begun, 1)
            break
    os._exit(0)


def _refuse(accepting: socket.socket, error: OSError) -> None:
    connected, _ = accepting.accept()
    Connection(connected.detach()).send(f"no process for it: {in_words(error)}")


def _look_after(accepting: socket.socket, pool: int, parent: int) -> NoReturn:
    """Have the runs of one scenario forked, by a process that has imported its libraries.

    Or not, where that does not end well or leaves threads, which a fork would not have.
    """
    die_with_parent(parent)
    connected, _ = accepting.accept()
    _, (requests, listener), _, _ = socket.recv_fds(connected, 1, 2)
    orders = Connection(connected.detach())
    scenario, libraries = orders.recv()
    orders.close()
    # In real time nodes have theirs, and it is here that what is outside is opened for them.
    network = EmptyNetwork() if scenario.time == "virtual" else None
    runs = socket.socket(fileno=listener)

    def fork_runs(names: Iterable[str], begin: Callable[[], None]) -> NoReturn:
        plan = _prepare(scenario, names)
        begin()
        fork_for_each(requests, runs, partial(_leave_forker, runs, pool, scenario, plan, network))
        os._exit(0)

    fork_until_one_begins((libraries, ()), fork_runs)


def _prepare(scenario: Any, libraries: Iterable[str]) -> Any:
    """Import, and make the plan of the network; None where a run is to say why there is none."""
    from netsim.topology.make_plan import make_plan  # is imported already

    SteadyImports.compiled = False
    if libraries:
        import_all(scenario.topology.layout.nodes.values(), libraries)
        if len(os.listdir("/proc/self/task")) > 1:
            os._exit(1)
    with contextlib.suppress(Exception):
        return make_plan(scenario.topology)
    return None


def import_all(nodes: Iterable[HasPrograms], libraries: Iterable[str]) -> None:
    """As the first computer would that runs a program. What fails, fails there again."""
    from netsim.core.streams import RandomStreams
    from netsim.interception.environment import Environment
    from netsim.interception.interception import Interception

    environ = dict(os.environ)
    environ |= next((node.env for node in nodes if node.run or node.services), {})
    output = io.StringIO()
    place = Environment(RandomStreams(0), environ, lambda: 0, output, output)
    with Interception() as interception:
        interception.enter(place)
        for name in libraries:
            _import(name)
        for name in (
            name for library in _LAZY if library in sys.modules for name in _LAZY[library]
        ):
            _import(name)
        interception.leave()


def _import(name: str) -> None:
    package, _, attribute = name.rpartition(".")
    with contextlib.suppress(Exception, SystemExit):
        if not package or not hasattr(importlib.import_module(package), attribute):
            importlib.import_module(name)


def _leave_forker(
    accepting: socket.socket, pool: int, scenario: Any, plan: Any, network: EmptyNetwork | None
) -> NoReturn:
    # The pool reaps the run, and so it must become its parent: who forks it ends.
    forker = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == forker:
        os.sched_yield()
    die_with_parent(pool)
    if network is not None:
        network.leave(for_another=True)
    _run(accepting, scenario, plan)


def _run(accepting: socket.socket, scenario: Any, plan: Any) -> NoReturn:
    from netsim.scenario.scenario_run import execute  # is imported already

    connected, _ = accepting.accept()
    _, descriptors, _, _ = socket.recv_fds(connected, 1, 2)
    for descriptor, number in zip(descriptors, (1, TRACE), strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.dup2(1, 2)
    answers = Connection(connected.detach())
    answers.send(os.getpid())
    order = answers.recv()
    gc.collect()  # and count from zero
    code = 0
    try:
        if order.time_limit_ns is not None:
            scenario = replace(scenario, time_limit_ns=order.time_limit_ns)
        result = execute(
            scenario,
            plan=plan,
            seed=order.seed,
            trace=f"/dev/fd/{TRACE}" if scenario.time == "virtual" else None,
            faults=order.faults,
            watches_timers=order.watches_timers,
            script=order.script,
            has_own_files=order.has_own_files,
            keeps_files=order.keeps_files,
            lengths=order.lengths,
        )
        answers.send((result, SteadyImports.compiled))
    except Exception:  # noqa: BLE001  # a bug of ours must not look like a scenario that held
        answers.send(f"a bug in netsim: {traceback.format_exc().strip()}")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    os._exit(code)


if __name__ == "__main__":
    main()
