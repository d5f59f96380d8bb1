"""Finds what keeps a run in virtual time from being the same again, and names it."""

from __future__ import annotations

import _thread
import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from netsim.interception.c_functions import FunctionReplacement
from netsim.interception.environment import Presence

Kind = Literal["thread", "tls", "subprocess", "socket"]
"""A thread that was started or that called into a loop; TLS, whose bytes are random; another
process; a socket of the machine that the network runs on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, and the computer whose program is it."""

    kind: Kind
    computer: str
    text: str

    def __str__(self) -> str:
        return f"{self.computer}: {self.text}"


class Findings:
    """The first of each kind on each computer, in the order in which they came up."""

    def __init__(self, on_finding: Callable[[Finding], None] = lambda finding: None) -> None:
        self.on_finding = on_finding
        """Called for each one that is new."""
        self._found: dict[tuple[Kind, str], Finding] = {}

    def note(self, kind: Kind, computer: str, text: str) -> None:
        """Something that cannot repeat has happened; only the first time counts."""
        if (kind, computer) not in self._found:
            finding = self._found[kind, computer] = Finding(kind, computer, text)
            self.on_finding(finding)

    def __iter__(self) -> Iterator[Finding]:
        return iter(list(self._found.values()))

    def __len__(self) -> int:
        return len(self._found)


def _started_thread(args: tuple[Any, ...]) -> tuple[Kind, str]:
    function = args[0]
    # What threading starts is the bound method of a Thread.
    started = getattr(function, "__self__", function)
    return "thread", f"started a thread ({getattr(started, 'name', None) or repr(started)})"


def _popen(args: tuple[Any, ...]) -> tuple[Kind, str]:
    command = args[1]
    shown = command if isinstance(command, str | bytes) else command[0] if command else args[0]
    return "subprocess", f"started a process ({_text(shown)})"


def _spawn(args: tuple[Any, ...]) -> tuple[Kind, str]:
    return "subprocess", f"started a process ({_text(args[0]) if args else 'fork'})"


def _connect(args: tuple[Any, ...]) -> tuple[Kind, str] | None:
    if args[0].family not in (socket.AF_INET, socket.AF_INET6):
        return None
    return "socket", f"used a socket outside the network ({args[1]})"


def _resolve(args: tuple[Any, ...]) -> tuple[Kind, str]:
    return "socket", f"asked the resolver outside the network for {_text(args[0])}"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


_EVENTS: Final[dict[str, Callable[[tuple[Any, ...]], tuple[Kind, str] | None]]] = {
    "_thread.start_new_thread": _started_thread,  # from 3.12 on
    "_thread.start_joinable_thread": _started_thread,  # from 3.13 on
    "subprocess.Popen": _popen,
    "os.posix_spawn": _spawn,
    "os.system": _spawn,
    "os.fork": _spawn,
    "socket.connect": _connect,
    "socket.bind": _connect,
    "socket.sendto": _connect,
    "socket.getaddrinfo": _resolve,
    "socket.gethostbyname": _resolve,
}
"""Audit events (library reference, "Audit events table") that tell of such a cause."""


class Watch:
    """Notes what the interpreter's audit events tell, while a computer runs."""

    _active: Watch | None = None
    _is_hooked = False

    def __init__(self, presence: Presence) -> None:
        self.findings = Findings()
        self._presence = presence
        self._threads: list[FunctionReplacement] = []
        if sys.version_info < (3, 12):
            # 3.11 has no audit event for this.
            self._threads = [FunctionReplacement(_thread.start_new_thread, self._start_thread)]

    def install(self) -> None:
        """From now on findings are noted."""
        for replacement in self._threads:
            replacement.install()
        Watch._active = self
        if not Watch._is_hooked:
            # There is no way to remove an audit hook: it is there once, and does nothing later.
            sys.addaudithook(_audit)
            Watch._is_hooked = True

    def uninstall(self) -> None:
        """No longer."""
        Watch._active = None
        for replacement in self._threads:
            replacement.uninstall()

    def _start_thread(self, *args: Any) -> Any:
        self.see(_started_thread, args)
        return self._threads[0].original(*args)

    def see(self, describe: Callable[[tuple[Any, ...]], Any], args: tuple[Any, ...]) -> None:
        """An audit event has come."""
        environment = self._presence.here()
        if environment is not None and environment.name:
            described = describe(args)
            if described is not None:
                kind, text = described
                self.findings.note(kind, environment.name, text)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    describe = _EVENTS.get(event)
    if describe is not None and Watch._active is not None:
        Watch._active.see(describe, args)


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """What netsim itself does meanwhile, while a computer runs, is no finding."""
    before, Watch._active = Watch._active, None
    try:
        yield
    finally:
        Watch._active = before
