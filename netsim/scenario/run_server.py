"""The process that runs are forked from; `python -m netsim.scenario.run_server` with descriptors.

Sets of plain objects iterate in the order of their addresses, so a run repeats only when memory
lies as it did the last time, to the byte. Hence each run begins in a fork of one and the same
state:

- The pool starts this program without address space randomisation and with a fixed hash seed.
- Everything is imported from compiled files, whatever else lies in their folders, and the collector
  begins at zero.
- Between two forks this process does nothing that would leave a trace in its memory: it reads a
  byte, and forks. What a run is to do, and what for, is read by the run itself.
- The job of a seed is the same bytes whether it runs alone or among a thousand: what differs (where
  its trace goes, where it prints) comes as descriptors, whose numbers are always the same.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import traceback
from importlib.machinery import FileFinder, SourceFileLoader
from multiprocessing.connection import Connection
from typing import Any, Final, NoReturn

from netsim.realtime.process_tree import die_with_parent

_PRELOADED: Final = [
    "netsim.scenario.scenario_run",
    "netsim.scenario.load_scenario",
    "netsim.virtual.virtual_backend",
    "netsim.virtual.loops",
    "netsim.services.httpbin",
    "aiohttp.web",
]
_WARMING: Final = 64
"""Forks for nothing, until what the interpreter makes at the first ones is made."""
TRACE: Final = 250
"""The descriptor that a run writes its trace to."""


class _Imports:
    """What importing leaves in memory, made the same whatever else lies in the folders."""

    compiled = False
    """A module had to be compiled: memory lies otherwise than when it is only read."""

    @staticmethod
    def watch() -> None:
        """From now on."""

        def note(loader: SourceFileLoader, *args: Any, **kwargs: Any) -> Any:
            _Imports.compiled = True
            return original(loader, *args, **kwargs)

        original: Any = SourceFileLoader.source_to_code
        SourceFileLoader.source_to_code = note  # type: ignore[method-assign,assignment]
        vars_of_finder: Any = FileFinder
        vars_of_finder._fill_cache = _fill_cache


def _fill_cache(finder: Any) -> None:
    """As CPython's, with the names of modules only, and those listed by another process.

    A file more in the folder, a report or a trace, would else move everything that comes later.
    """
    reading, writing = os.pipe()
    lister = os.fork()
    if not lister:
        try:
            with os.scandir(finder.path) as entries:
                names = sorted(entry.name for entry in entries if _imports(entry))
            os.write(writing, b"\0".join(map(os.fsencode, names)))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        found = answer.read()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(lister, 0)
    finder._path_cache = set(map(os.fsdecode, found.split(b"\0")))
    finder._relaxed_path_cache = set()


def _imports(entry: os.DirEntry[str]) -> bool:
    """Whether it may be a module, or a package, also one without an `__init__`."""
    if entry.name.endswith((".py", ".pyc", ".so")):
        return True
    if not entry.name.isidentifier() or not entry.is_dir():
        return False
    with os.scandir(entry) as inside:
        return any(each.is_dir() or each.name.endswith((".py", ".so")) for each in inside)


def main() -> None:
    """Fork a run for each byte in `requests`; the run takes its job from `listener`."""
    pool, listener, requests, again = map(int, sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pool's business
    die_with_parent(pool)
    _Imports.watch()
    for name in _PRELOADED:
        importlib.import_module(name)
    if _Imports.compiled and not again:
        # The arguments have the same size.
        command = [sys.executable, "-P", "-m", "netsim.scenario.run_server"]
        os.execv(sys.executable, [*command, *sys.argv[1:4], "1"])
    accepting = socket.socket(fileno=listener)
    os.dup2(listener, TRACE)  # so that its number is taken
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who forks a run is reaped by the kernel
    gc.collect()
    gc.freeze()
    warming = _WARMING
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
        # The pool reaps the run, and so it must become its parent: who forks it ends.
        forker = os.getpid()
        if os.fork():
            os._exit(0)
        while os.getppid() == forker:
            os.sched_yield()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(pool)
        _run(accepting)
    accepting.close()


def _refuse(accepting: socket.socket, error: OSError) -> None:
    connected, _ = accepting.accept()
    Connection(connected.detach()).send(f"no process for it: {error.strerror} (fork)")


def _run(accepting: socket.socket) -> NoReturn:
    from netsim.scenario.scenario_run import execute  # what takes a while is imported already

    connected, _ = accepting.accept()
    _, descriptors, _, _ = socket.recv_fds(connected, 1, 2)
    for descriptor, number in zip(descriptors, (1, TRACE), strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.dup2(1, 2)
    answers = Connection(connected.detach())
    answers.send(os.getpid())
    job = answers.recv()
    gc.collect()  # and count from zero
    _Imports.compiled = False
    code = 0
    try:
        trace = f"/dev/fd/{TRACE}" if job.scenario.time == "virtual" else None
        result = execute(
            job.scenario,
            seed=job.seed,
            trace=trace,
            faults=job.faults,
            watches_timers=job.watches_timers,
        )
        answers.send((result, _Imports.compiled))
    except Exception:  # noqa: BLE001  # a bug of ours must not look like a scenario that held
        answers.send(f"a bug in netsim: {traceback.format_exc().strip()}")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    os._exit(code)


if __name__ == "__main__":
    main()
