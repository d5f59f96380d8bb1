"""The errors that netsim raises on purpose, and that whoever calls it may catch.

All are in `netsim`, too: `from netsim import StartError`. Those of a room that no caller of the
Python API gets to see (of the control API, of sockets inside a node) are in that room.

Three kinds of wrong are kept apart. Bad input from the wire raises `WireError`
(`netsim.wire.wire_error`) inside a node, which counts, traces and drops it; it never reaches a
caller. Misuse of the API and mistakes in files raise a `NetsimError`, whose text says what to do. A
broken invariant is an assertion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netsim.core.printable import printable


class NetsimError(Exception):
    """Base of every error netsim raises on purpose; its text is one line for a person."""


# What a person wrote


MOST_PROBLEMS: Final = 100
"""Mistakes of one file that are told."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file: where it is (line and column count from 1) and what to write.

    `message` may quote what stands in the file: line ends and other characters that do not print
    are escaped in it, so that it is one line, and does to a terminal only what text does.
    """

    file: str
    line: int
    column: int
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message))

    def __str__(self) -> str:
        return f"{printable(self.file)}:{self.line}:{self.column}: {self.message}"

    def as_warning(self) -> str:
        """The line for what may be meant as it is written."""
        return f"{printable(self.file)}:{self.line}:{self.column}: warning: {self.message}"


class InvalidFileError(NetsimError):
    """A file that a person wrote does not hold together; `problems` lists every mistake.

    Beyond a hundred they are only counted, in `more`.
    """

    def __init__(self, problems: list[Problem], more: int = 0) -> None:
        self.problems = problems[:MOST_PROBLEMS]
        self.more = more + len(problems) - len(self.problems)
        lines = [str(problem) for problem in self.problems]
        if self.more:
            lines.append(f"and {self.more:,} more")
        super().__init__("\n".join(lines))


class InvalidGraphError(NetsimError):
    """A graph that cannot be a network; `mistakes` lists every one, in a line for a person."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class InvalidNameError(NetsimError, ValueError):
    """A name that no network, node, domain or interface can have; the text says what can be."""


class InvalidValueError(NetsimError, ValueError):
    """A value that cannot be; the text says what to write."""


class UnitError(NetsimError, ValueError):
    """Text that is not a quantity of the wanted kind; the message says which units exist."""


@dataclass(frozen=True, slots=True)
class FilterMistake:
    """One mistake in a capture filter: which characters (`column` counts from 1), and why."""

    column: int
    length: int
    message: str
    """What is wrong; what to write instead."""


class InvalidFilterError(NetsimError, ValueError):
    """A capture filter that is none; its text points at every one of `mistakes`."""

    def __init__(self, written: str, mistakes: Sequence[FilterMistake]) -> None:
        super().__init__(written, mistakes)
        self.written = written
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        shown = "".join(each if each.isprintable() else " " for each in self.written)
        return "\n".join(
            f"{printable(each.message)}\n  {shown}\n  {' ' * (each.column - 1)}{'^' * each.length}"
            for each in self.mistakes
        )


class UnknownNameError(NetsimError):
    """A node, interface or command that this network does not have."""


# Networks and nodes that begin and end


class StartError(NetsimError):
    """The network did not come up; the text names the node and the reason.

    `logged_by` is a node whose last log lines say more.
    """

    def __init__(self, text: str, *, logged_by: str | None = None) -> None:
        super().__init__(text)
        self.logged_by = logged_by


class AlreadyRunningError(NetsimError):
    """A node that is up was to be started."""


class NotRunningError(NetsimError):
    """No network of that name runs, or this one has not been started."""


class NotRespondingError(NetsimError):
    """A process that has to do its part does not; it may have been stopped."""


def not_responding(node: str, pid: int | None = None) -> str:
    """Of a node whose process does not answer: what to do."""
    wake = "" if pid is None else f"; kill -CONT {pid} wakes it if it is stopped"
    return f"{node} does not respond{wake}"


class WrongTimeError(NetsimError):
    """A network was started on an event loop whose time is not its own."""


class UnrepeatableWarning(UserWarning):
    """Something in a run in virtual time will not be the same in another run."""


class NotAwaitedError(NetsimError):
    """A fault, or another change, was neither awaited nor entered: it did nothing."""


class NotInRealTimeError(NetsimError):
    """Something was asked for that only virtual time has."""


# What was asked of a node


class NoProgramsError(NetsimError, TypeError):
    """A switch was asked for what only computers and routers can do."""


class NoCoroutineError(NetsimError, TypeError):
    """What is to run on a node is no function: a coroutine, or nothing that can be called."""


class CopyError(NetsimError, TypeError):
    """An argument or a result cannot be copied from one computer to another."""


class NoPathError(NetsimError):
    """Packets do not arrive; `routers` are those that they got to, nearest first."""

    def __init__(self, text: str, routers: list[str]) -> None:
        super().__init__(text, routers)
        self.routers = routers

    def __str__(self) -> str:
        return str(self.args[0])


class HttpFailedError(NetsimError):
    """There was no reply, or only a part of one.

    `reason` says why in curl's manner: "connection refused", "timed out after 2 s".
    """

    def __init__(self, method: str, url: str, reason: str) -> None:
        super().__init__(method, url, reason)
        self.method = method
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.method} {self.url}: {self.reason}"


class TransferFailedError(NetsimError):
    """Not every byte has arrived; the text says how many, and why no more."""


class IperfFailedError(NetsimError):
    """A measurement did not begin, or ended before its time; the text says why."""


# Virtual time


class DeadlockError(NetsimError):
    """Nothing is left to happen while somebody waits; the text says who waits for what."""


class StandstillError(NetsimError):
    """So much happens at one time that time does not go on."""


class WallLimitError(NetsimError):
    """The run has taken more real time than it may."""


class StuckError(NetsimError):
    """A program computes and never waits, so that nothing else runs; the text says where."""


class ThreadLimitError(NetsimError, RuntimeError):
    """A program starts a thread, and crashes have left as many in this process as there may be."""


class OutsideError(NetsimError, OSError):
    """The test's own loop is on no computer of the network."""


class BlockingSleepError(NetsimError, RuntimeError):
    """`time.sleep` on an event loop: in virtual time it would stop the whole network."""


class BlockingCallError(NetsimError, RuntimeError):
    """A call that would wait, on the thread of an event loop, which nothing would wake."""


class InterceptionError(NetsimError, RuntimeError):
    """Two networks in virtual time at once, or code on two computers at once."""


class UnsupportedInterpreterError(NetsimError, RuntimeError):
    """This interpreter does not allow what virtual time needs; the text says what."""
