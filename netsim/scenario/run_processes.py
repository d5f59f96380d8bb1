"""The pool's side of the processes that runs are forked into."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from netsim.interception.drawn_order import Choice
from netsim.interception.memory_order import HASH_SEED, without_randomisation
from netsim.scenario.scenario_model import PlannedFault, Scenario
from netsim.scenario.steady_imports import SteadyImports
from netsim.scenario.user_imports import libraries
from netsim.site.directories import Outer

_PR_SET_CHILD_SUBREAPER: Final = 36
_BACKLOG: Final = 128
_HELLO: Final = 10.0
"""Seconds within which a process that was asked for should be there."""
_MOST_PREPARED: Final = 8
"""Scenarios, at a time."""

_OF_THE_CALLER: Final = re.compile(
    "_|SHLVL|PWD|OLDPWD|COLUMNS|LINES|COLORTERM|WINDOWID|DISPLAY|XAUTHORITY|WAYLAND_.*|PS[1-4]|STY"
    "|TERM|TERM_.*|TMUX.*|SSH_.*|XDG_SESSION_.*|XDG_VTNR|DBUS_SESSION_.*|VSCODE_.*|PYCHARM_.*"
    "|PYTEST_.*|COV_CORE_.*|GITHUB_.*|RUNNER_.*|CI|CI_.*|INVOCATION_ID|JOURNAL_STREAM|MAKE.*"
)
"""What terminals, shells and runners of tests say of themselves, and programs do not ask for."""

libc: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What one run of a scenario is to do. The same bytes for the same run."""

    seed: int | None
    faults: tuple[PlannedFault, ...]
    """Beside those that the scenario has."""
    time_limit_ns: int | None
    watches_timers: bool
    script: tuple[tuple[Choice, int], ...] | None
    """Of choices between tasks; None: as the scenario says."""
    has_own_files: bool = False
    keeps_files: bool = True
    """What it captures and records goes to files with its seed in their names."""
    lengths: tuple[tuple[str, int], ...] = ()
    """How many choices between tasks a run has, by computer, where one has shown it."""


class RunServer:
    """Starts processes for runs, all of a scenario from one state of memory. `close` ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Runs are forked twice: their parents end, and they come to us.
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._forks = Forks(folder / "scenarios")
        self._prepared: dict[int, tuple[Scenario, Forks]] = {}
        """By identity of the scenario; what was used last is last."""
        self._count = 0
        with self._forks.ends() as descriptors:
            command = [sys.executable, "-P", "-m", "netsim.scenario.run_server"]
            command += numbers(os.getpid(), *descriptors, 0)
            with without_randomisation(), deaf_to_interrupts():
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    pass_fds=descriptors,
                    env=environment() | HASH_SEED,
                )

    def start(self, scenario: Scenario, said: Path, trace: str | None) -> RunProcess:
        """A process that waits for its order; what it prints goes to `said`."""
        prepared = self._prepared.pop(id(scenario), None) or self._prepare(scenario)
        self._prepared[id(scenario)] = prepared
        with open(said, "ab") as output, open(trace or os.devnull, "wb") as traced:
            return RunProcess(prepared[1].fork([output.fileno(), traced.fileno()]))

    def forget(self, scenario: Scenario) -> None:
        """Prepare it anew for runs to come."""
        _, forks = self._prepared.pop(id(scenario), (None, None))
        if forks is not None:
            forks.close()

    def close(self) -> None:
        for scenario, _ in list(self._prepared.values()):
            self.forget(scenario)
        self._forks.close()
        self._process.kill()
        self._process.wait()
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def _prepare(self, scenario: Scenario) -> tuple[Scenario, Forks]:
        """Have its runs forked by a process that has read it, and imported what it imports."""
        while len(self._prepared) >= _MOST_PREPARED:
            oldest, _ = next(iter(self._prepared.values()))
            self.forget(oldest)
        self._count += 1
        forks = Forks(self._folder / f"runs-{self._count}")
        with forks.ends() as (listener, requests):
            answers = self._forks.fork([requests, listener])
        with answers, contextlib.suppress(OSError):  # where it has ended its runs will say so
            # In real time programs run elsewhere.
            answers.send((scenario, () if scenario.time == "real" else libraries(scenario)))
        return scenario, forks


def numbers(*values: int) -> list[str]:
    """As arguments of a program, all of one size in memory (a single digit is no object more)."""
    return [f"{value:07}" for value in values]


def environment() -> dict[str, str]:
    """The process's, without what differs from terminal to terminal, and in one order.

    Each variable is an object in memory, and so has an effect on where all others lie.
    """
    kept = (name for name in os.environ if not _OF_THE_CALLER.fullmatch(name))
    return SteadyImports.environment({name: os.environ[name] for name in sorted(kept)})


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """What is executed meanwhile does not hear Ctrl-C from its first moment on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Forks:
    """Our ends of what another process forks by: a byte for each, and a socket to talk to it."""

    def __init__(self, path: Path) -> None:
        self._outer = Outer()
        self._path = str(path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen(_BACKLOG)
        self._requests, self._wanted = os.pipe()

    @contextlib.contextmanager
    def ends(self) -> Iterator[tuple[int, int]]:
        """Listener and requests, which are closed here when the other process has them."""
        yield self._listener.fileno(), self._requests
        self._listener.close()
        os.close(self._requests)

    def fork(self, descriptors: Sequence[int]) -> Connection:
        """To a new process, which has these; at its end where there is none."""
        connected = socket.socket(socket.AF_UNIX)
        try:
            os.write(self._wanted, b"r")
            connected.connect(self._path)
            socket.send_fds(connected, [b"r"], descriptors)
        except OSError:
            connected.close()
            connected, gone = socket.socketpair()
            gone.close()
        return Connection(connected.detach())

    def close(self) -> None:
        """No more."""
        os.close(self._wanted)
        os.unlink(self._path)
        self._outer.release()


class RunProcess:
    """One run: a process, and the connection that it answers on."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.pid: int | None = None
        self.exit_code: int | None = None
        """Negative: the signal that killed it."""
        self._handle: int | None = None

    def receive(self) -> Any:
        """What it has said: `None` while that is nothing but who it is. EOFError, OSError."""
        answer = self.connection.recv()
        if not isinstance(answer, int):
            return answer
        self.pid = answer
        with contextlib.suppress(ProcessLookupError):
            self._handle = os.pidfd_open(answer)
        return None

    def join(self, timeout: float | None) -> None:
        """Wait until it has ended."""
        if self._handle is None or self.exit_code is not None or self.pid is None:
            return
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        if poll.poll(None if timeout is None else timeout * 1000):
            _, status = os.waitpid(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)
            os.close(self._handle)
            self._handle = None

    def kill(self) -> None:
        """End it now; the processes of its network follow."""
        with contextlib.suppress(EOFError, OSError):
            # It says who it is before anything else, unless it does not get as far.
            if self.pid is None and self.connection.poll(_HELLO):
                self.receive()
        if self._handle is not None:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            self.join(None)
        self.connection.close()
