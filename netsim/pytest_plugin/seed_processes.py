"""pytest's side of the processes that a test under many seeds runs in."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import pytest

from netsim.core.process_end import how_it_ended
from netsim.interception.memory_order import HASH_SEED, without_randomisation
from netsim.pytest_plugin.seed_answers import SeedAnswer
from netsim.pytest_plugin.seed_server import SeedOrder
from netsim.scenario.run_processes import Forks, environment, numbers

_OPTIONS_OF_THE_SESSION: Final = frozenset(
    {
        *("file_or_dir", "keyword", "markexpr", "deselect", "ignore", "ignore_glob"),
        *("keepduplicates", "maxfail", "lf", "failedfirst", "newfirst", "cacheclear", "cacheshow"),
        *("last_failed_no_failures", "stepwise", "stepwise_skip", "stepwise_reset", "durations"),
        *("durations_min", "no_header", "no_summary", "fold_skipped", "force_short_summary"),
        *("reportchars", "color", "code_highlight", "pastebin", "xmlpath", "junitprefix"),
        *("disable_warnings", "max_warnings", "basetemp", "capture", "log_file", "log_cli_level"),
        *("usepdb", "trace", "dist", "distload", "numprocesses", "maxprocesses", "loadgroup"),
        *("tx", "px", "maxworkerrestart", "looponfail", "testrunuid", "rsyncdir", "rsyncignore"),
        *("loadscopereorder", "netsim_seed", "netsim_keep_going", "netsim_trace"),
        *("continue_on_collection_errors", "traceconfig", "debug"),
    }
)
"""They say which tests run and how that is shown: not what a test does. Left out, they do not move
the memory of a run either."""
_SIMPLE: Final = (str, int, float, bool, type(None), Path)
_TAIL: Final = 2_000
"""Bytes of what a process said that died."""
_END: Final = 10.0
"""Seconds that fixtures have for their end."""


class RefusedError(Exception):
    """Runs cannot be forked; the text says why."""


class FileOfTests:
    """One file of tests, collected in a process that runs are forked from. `close` ends it."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self.path = path
        self._folder = tempfile.TemporaryDirectory(prefix="netsim-seeds-")
        folder = Path(self._folder.name)
        self._forks = Forks(folder / "tests")
        self._count = 0
        self._said = folder / "said"
        factory: Any = getattr(config, "_tmp_path_factory", None)
        base = folder if factory is None else factory.mktemp("netsim-seeds")
        self.base = os.open(base, os.O_RDONLY)
        settings = _settings(config, path, folder)
        with (
            self._forks.ends() as descriptors,
            open(self._said, "ab") as said,
            os.fdopen(os.memfd_create("settings"), "wb") as written,
            without_randomisation(),
        ):
            written.write(json.dumps(settings, default=str).encode())
            written.flush()
            passed = (*descriptors, written.fileno())
            command = [sys.executable, "-P", *_flags(), "-m", "netsim.pytest_plugin.seed_server"]
            self._process = subprocess.Popen(
                [*command, *numbers(os.getpid(), *passed, 0)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=passed,
                env=_environment(),
                process_group=0,  # Ctrl-C is ours
            )

    def fork(self) -> tuple[Forks, Connection]:
        """For one test: what its runs are forked by, and who forks them."""
        self._count += 1
        forks = Forks(Path(self._folder.name, f"runs-{self._count}"))
        with forks.ends() as (listener, requests):
            return forks, self._forks.fork([requests, listener, self.base])

    def last_words(self) -> str:
        """What was said outside of what pytest captures."""
        text = self._said.read_bytes()[-_TAIL:].decode(errors="replace").strip()
        return f"; it said: {text}" if text else ""

    def close(self) -> None:
        """End it, and what it has forked."""
        self._forks.close()
        self._process.kill()
        self._process.wait()
        os.close(self.base)
        self._folder.cleanup()


def _settings(config: pytest.Config, path: Path, folder: Path) -> dict[str, Any]:
    # As JSON: what is pickled tells which values are one object, and that differs.
    options = {
        name: value
        for name, value in sorted(vars(config.option).items())
        if name not in _OPTIONS_OF_THE_SESSION and _is_simple(value)
    }
    options["rootdir"] = str(config.rootpath)
    options["inifilename"] = None if config.inipath is None else str(config.inipath)
    if config.pluginmanager.hasplugin("cacheprovider"):
        # What is known of tests that failed would lie in memory, too.
        options["override_ini"] = [
            *(options.get("override_ini") or ()),
            f"cache_dir={folder}/cache",
        ]
    return {"path": sys.path, "options": options, "file": str(path)}


def _is_simple(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_simple, value))
    return isinstance(value, _SIMPLE)


def _environment() -> dict[str, str]:
    names = ("PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return environment() | kept | HASH_SEED


def _flags() -> list[str]:
    """Of this interpreter, for another: `-O`, `-X dev`, `-W …`."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return flags


@dataclass(slots=True)
class _Running:
    order: SeedOrder
    connection: Connection
    is_second: bool
    """The first had to compile modules, and so its memory lay otherwise."""
    handle: int | None = None
    """Of the process that waits for the run, which ends with it."""
    answer: SeedAnswer | str | None = None

    def receive(self) -> bool:
        """Whether it has come to its end."""
        try:
            said = self.connection.recv()
        except (EOFError, OSError):
            return True
        if isinstance(said, int):
            with contextlib.suppress(ProcessLookupError):
                self.handle = os.pidfd_open(said)
        elif isinstance(said, tuple):
            if self.answer is None:
                self.answer = f"its process {how_it_ended(said[0])}"
            return True
        else:
            self.answer = said
        return False

    def kill(self) -> None:
        """End it now."""
        if self.handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self.connection.close()
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None


class RunsOfATest:
    """Runs of one test under its seeds, `most` at a time; RefusedError where there can be none."""

    def __init__(self, file: FileOfTests, name: str, traces: dict[str, Path], most: int) -> None:
        """`traces` are files for those that are to have one, by node id."""
        self._file = file
        self._traces = traces
        self._most = most
        self._waiting: deque[tuple[SeedOrder, bool]] = deque()
        self._running: list[_Running] = []
        self._done: dict[str, SeedAnswer | str] = {}
        self._lengths: tuple[tuple[str, int], ...] = ()
        self._name = name
        self._forks, self._talk = file.fork()
        self._wants_lengths = self._begin()
        """A run is to show them first."""

    def _begin(self) -> bool:
        with contextlib.suppress(OSError):
            self._talk.send(self._name)
        try:
            said = self._talk.recv()
        except (EOFError, OSError):
            said = f"the process that collects {self._file.path.name} has ended"
            said += self._file.last_words()
        if isinstance(said, str):
            self._end()
            raise RefusedError(said)
        wants: bool = said[0]
        return wants

    def want(self, orders: Iterable[tuple[str, int]]) -> None:
        """Have these run, by node id and seed."""
        orders = list(orders)
        if self._wants_lengths and orders:
            self._wants_lengths = False
            first = SeedOrder(orders[0][0], None)
            self._waiting.append((first, False))
            answer = self._result(first)
            self._lengths = answer.made if isinstance(answer, SeedAnswer) else ()
        self._waiting.extend(
            (SeedOrder(nodeid, seed, self._lengths), False) for nodeid, seed in orders
        )

    def result(self, nodeid: str, seed: int, **otherwise: Any) -> SeedAnswer | str:
        """What the run came to, or how its process ended; it is awaited.

        `otherwise` are fields of a `SeedOrder`, for a run that is not the seed's own.
        """
        order = SeedOrder(nodeid, seed, self._lengths, **otherwise)
        known = nodeid in self._done or any(each.order == order for each in self._running)
        if not known and all(waiting != order for waiting, _ in self._waiting):
            self._waiting.appendleft((order, False))
        return self._result(order)

    def _result(self, order: SeedOrder) -> SeedAnswer | str:
        while order.nodeid not in self._done:
            while self._waiting and len(self._running) < self._most:
                self._start(*self._waiting.popleft())
            ready = set(wait([run.connection for run in self._running]))
            for run in [run for run in self._running if run.connection in ready]:
                if run.receive():
                    self._running.remove(run)
                    self._take(run)
        return self._done.pop(order.nodeid)

    def _start(self, order: SeedOrder, is_second: bool) -> None:
        path = self._traces.get(order.nodeid, os.devnull)
        with open(os.devnull if order.seed is None or order.of_swaps else path, "wb") as trace:
            connection = self._forks.fork([trace.fileno()])
        with contextlib.suppress(OSError):  # it has ended, and is found so
            connection.send(order)
        self._running.append(_Running(order, connection, is_second))

    def _take(self, run: _Running) -> None:
        run.close()
        answer = run.answer
        if answer is None:
            answer = "its process could not be made"
        if isinstance(answer, str):
            self._done[run.order.nodeid] = answer + self._file.last_words()
        elif answer.compiled and not run.is_second and not sys.dont_write_bytecode:
            self._again(run.order)
        else:
            self._done[run.order.nodeid] = answer

    def _again(self, order: SeedOrder) -> None:
        """A run had to compile modules: now that they are, begin as those will that come later."""
        self._waiting.extendleft((run.order, run.is_second) for run in self._running[::-1])
        self._waiting.appendleft((order, True))
        for run in self._running:
            run.kill()
        self._running.clear()
        self._end()
        self._forks, self._talk = self._file.fork()
        self._begin()

    def drop(self) -> None:
        """None of those that are left is wanted."""
        self._waiting.clear()
        for run in self._running:
            run.kill()
        self._running.clear()
        self._done.clear()

    def close(self) -> Any:
        """The end of what the runs shared; a report where that fails, as simple types."""
        self.drop()
        self._forks.close()
        report = None
        with contextlib.suppress(EOFError, OSError):
            if self._talk.poll(_END):
                report = self._talk.recv()
        self._talk.close()
        return report

    def _end(self) -> None:
        self._forks.close()
        self._talk.close()
