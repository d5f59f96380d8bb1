"""The pool's side of the processes that runs are forked into."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_ADDR_NO_RANDOMIZE: Final = 0x0040000
_ASK: Final = 0xFFFFFFFF
_BACKLOG: Final = 128

libc: Final = ctypes.CDLL(None, use_errno=True)


class RunServer:
    """Starts processes for runs, all from one state of memory. `close` ends the server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.repeats = True
        """Addresses are the same in every run, and so is the order of what is kept by address."""
        # Runs are forked twice: their parents end, and they come to us.
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._path = str(folder / "runs")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._path)
        listener.listen(_BACKLOG)
        requests, self._requests = os.pipe()
        descriptors = (listener.fileno(), requests)
        command = [sys.executable, "-P", "-m", "netsim.scenario.run_server"]
        command += [str(os.getpid()), *(str(number) for number in descriptors), "0"]
        with self._without_randomisation(), _deaf_to_interrupts():
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=descriptors,
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
        listener.close()
        os.close(requests)

    def start(self, said: Path, trace: str | None) -> RunProcess:
        """A process that waits for its job; what it prints goes to `said`."""
        os.write(self._requests, b"r")
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(self._path)
        with open(said, "ab") as output, open(trace or os.devnull, "wb") as traced:
            socket.send_fds(connected, [b"r"], [output.fileno(), traced.fileno()])
        return RunProcess(Connection(connected.detach()))

    def close(self) -> None:
        os.close(self._requests)
        self._process.kill()
        self._process.wait()
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    @contextlib.contextmanager
    def _without_randomisation(self) -> Iterator[None]:
        """What is executed meanwhile has its memory always at the same addresses (personality(2)).

        A sandbox may refuse that.
        """
        before = libc.personality(_ASK)
        self.repeats = before >= 0 and libc.personality(before | _ADDR_NO_RANDOMIZE) >= 0
        try:
            yield
        finally:
            if self.repeats:
                libc.personality(before)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is executed meanwhile does not hear Ctrl-C from its first moment on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
        if self.pid is None:
            # It says who it is before anything else.
            with contextlib.suppress(EOFError, OSError):
                self.receive()
        if self._handle is not None:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            self.join(None)
        self.connection.close()
