"""Finds what keeps a run in virtual time from being the same again, and names it."""

from __future__ import annotations

import _ssl
import asyncio
import contextlib
import os
import socket
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, Final, Literal

from netsim.interception.audit_events import AuditListener
from netsim.interception.c_functions import MethodReplacement, Replacement
from netsim.interception.empty_network import is_entered
from netsim.interception.environment import Presence
from netsim.interception.memory_order import what_differs
from netsim.interception.own_randomness import OwnRandomness

Kind = Literal["thread", "tls", "subprocess", "socket", "file", "library", "order"]
"""A thread of the process, not of a computer, that called into a loop; TLS, whose bytes are random;
another process; a socket of the machine that the network runs on; a temporary file whose name was
taken; a library that draws randomness for itself, or sends addresses of objects; the order of sets
in this process."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, the computer whose program is it ("": the process's), and where that is.

    `place` is "file:line" of the program, of a library where no line of a program is under way, or
    nothing.
    """

    kind: Kind
    computer: str
    text: str
    place: str = field(default="", compare=False)

    def __str__(self) -> str:
        whose = f"{self.computer}: " if self.computer else ""
        where = f" ({self.place})" if self.place else ""
        return f"{whose}{self.text}{where}"


class Findings:
    """The first of each kind on each computer, in the order in which they came up."""

    def __init__(self, on_finding: Callable[[Finding], None] = lambda finding: None) -> None:
        self.on_finding = on_finding
        """Called for each one that is new."""
        self._found: dict[tuple[Kind, str], Finding] = {}

    def note(self, kind: Kind, computer: str, text: str) -> None:
        """Something that cannot repeat has happened; only the first time counts."""
        if (kind, computer) not in self._found:
            finding = Finding(kind, computer, text, _program_line())
            self._found[kind, computer] = finding
            self.on_finding(finding)

    def note_order(self) -> None:
        """What of the order in this process will be another one in the next."""
        if differs := what_differs():
            self._found.setdefault(("order", ""), Finding("order", "", f"the order of {differs}"))

    def __iter__(self) -> Iterator[Finding]:
        return iter(list(self._found.values()))

    def __len__(self) -> int:
        return len(self._found)


# The program's line -----------------------------------------------------------------------------

_OURS: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep
_STANDARD: Final = sysconfig.get_path("stdlib") + os.sep
_PACKAGES: Final = tuple(sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib"))
_STEP: Final[CodeType] = asyncio.Handle._run.__code__
"""What loops call; whatever is around it is not the program."""


def _program_line() -> str:
    """ "file:line" of the innermost program that runs, or of the innermost library."""
    library = ""
    frame: FrameType | None = sys._getframe(1)
    is_leading = True
    while frame is not None and frame.f_code is not _STEP:
        file = frame.f_code.co_filename
        is_ours = file.startswith(_OURS)
        if is_ours and not is_leading:
            break  # what runs the program
        is_leading &= is_ours
        if not is_ours and not file.startswith("<"):
            if file.startswith(_PACKAGES):
                library = library or _place(frame)
            elif not file.startswith(_STANDARD):
                return _place(frame)
        frame = frame.f_back
    return library


def _place(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    # On a computer with a directory of its own that of who has started the network is another one.
    with contextlib.suppress(OSError):  # a program may have removed where it is
        file = file.removeprefix(os.getcwd() + os.sep)
    file = file.removeprefix(Watch.started_in)
    return f"{file}:{frame.f_lineno}"


# What is found ----------------------------------------------------------------------------------

_Described = tuple[Kind, str] | None

_LOOKS_AT_THE_MACHINE: Final = frozenset({"ctypes.util", "platform", "sysconfig", "uuid"})
"""Modules that ask other programs what this machine has (`ldconfig`, `uname`): always the same."""


def _popen(args: tuple[Any, ...]) -> _Described:
    command = args[1]
    shown = command if isinstance(command, str | bytes) else command[0] if command else args[0]
    return _process(shown)


def _spawn(args: tuple[Any, ...]) -> _Described:
    return _process(args[0] if args else "fork")


def _process(command: Any) -> _Described:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        asking = frame.f_globals.get("__name__", "")
        if asking != "subprocess" and not frame.f_code.co_filename.startswith(_OURS):
            break
        frame = frame.f_back
    if frame is not None and asking in _LOOKS_AT_THE_MACHINE:
        return None
    where = "" if is_entered() else ", in this machine's network"
    return "subprocess", f"started a process ({_text(command)}){where}"


def _bind(args: tuple[Any, ...]) -> _Described:
    address = args[1]
    if isinstance(address, tuple) and address[:2] in (("127.0.0.1", 0), ("::1", 0)):
        # A look whether the machine has this protocol (urllib3). Whoever uses the port connects.
        return None
    return _connect(args)


def _connect(args: tuple[Any, ...]) -> _Described:
    if args[0].family not in (socket.AF_INET, socket.AF_INET6):
        return None
    return "socket", f"used a socket outside the network ({args[1]})"


def _resolve(args: tuple[Any, ...]) -> _Described:
    return "socket", f"asked the resolver outside the network for {_text(args[0])}"


def _temporary_file(args: tuple[Any, ...]) -> _Described:
    if not os.path.lexists(args[0]):
        return None
    text = f"found the temporary name {_text(args[0])} taken, by a run before it or beside it"
    return "file", text


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


_EVENTS: Final[dict[str, Callable[[tuple[Any, ...]], _Described]]] = {
    "subprocess.Popen": _popen,
    "os.posix_spawn": _spawn,
    "os.system": _spawn,
    "os.fork": _spawn,
    "socket.connect": _connect,
    "socket.bind": _bind,
    "socket.sendto": _connect,
    "socket.getaddrinfo": _resolve,
    "socket.gethostbyaddr": _resolve,
    "socket.gethostbyname": _resolve,
    "tempfile.mkdtemp": _temporary_file,
    "tempfile.mkstemp": _temporary_file,
}
"""Audit events that tell of such a cause."""


class Watch:
    """Notes what tells of a cause, while a computer runs."""

    is_blind = False
    """For what netsim itself does, see `unwatched`."""
    started_in = ""
    """Where files of programs are said to be from; with a separator at its end."""

    def __init__(self, presence: Presence) -> None:
        self.findings = Findings()
        self._presence = presence
        self._parts: list[Replacement] = [
            AuditListener(_EVENTS, lambda event, args: self._see(_EVENTS[event], args)),
            OwnRandomness(lambda text: self._note("library", text)),
            # Between two buffers, and on a socket of the machine.
            *(
                _tls_begins(method, lambda: self._note("tls", TLS))
                for method in ("_wrap_bio", "_wrap_socket")
            ),
        ]

    def install(self) -> None:
        """From now on findings are noted."""
        with contextlib.suppress(OSError):
            Watch.started_in = os.path.join(os.getcwd(), "")
        for part in self._parts:
            part.install()

    def uninstall(self) -> None:
        """No longer."""
        for part in self._parts:
            part.uninstall()

    def _see(self, describe: Callable[[tuple[Any, ...]], _Described], args: Any) -> None:
        environment = self._presence.here()
        if environment is not None and environment.name:
            described = describe(args)
            if described is not None:
                self._note(*described)

    def _note(self, kind: Kind, text: str) -> None:
        environment = self._presence.here()
        if environment is not None and environment.name and not Watch.is_blind:
            self.findings.note(kind, environment.name, text)


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """What netsim itself does meanwhile, while a computer runs, is no finding."""
    before, Watch.is_blind = Watch.is_blind, True
    try:
        yield
    finally:
        Watch.is_blind = before


TLS: Final = "used TLS, whose bytes are random"


def _tls_begins(method: str, begins: Callable[[], None]) -> MethodReplacement:
    """Has a function called when TLS begins by this method of `SSLContext`."""

    def wrap(context: Any, *args: Any, **kwargs: Any) -> Any:
        begins()
        return replacement.original(context, *args, **kwargs)

    replacement = MethodReplacement(_ssl._SSLContext, method, wrap)
    return replacement
