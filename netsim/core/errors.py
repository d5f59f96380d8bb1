"""The tree of errors that netsim raises on purpose.

Three kinds of wrong are kept apart. Bad input from the wire raises `netsim.wire.WireError`
inside a node, which counts, traces and drops it; it never reaches a caller. Misuse of the API
and mistakes in files raise a `NetsimError`, whose text says what to do. A broken invariant is
an assertion.
"""

from __future__ import annotations

from dataclasses import dataclass


class NetsimError(Exception):
    """Base of every error netsim raises on purpose; its text is one line for a person."""


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
        if not self.message.isprintable():
            escaped = (each if each.isprintable() else repr(each)[1:-1] for each in self.message)
            object.__setattr__(self, "message", "".join(escaped))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class InvalidFileError(NetsimError):
    """A file that a person wrote does not hold together; `problems` lists every mistake."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class StartError(NetsimError):
    """The network did not come up; the text names the node and the reason."""


class WrongTimeError(NetsimError):
    """A network was started on an event loop whose time is not its own."""


class AlreadyRunningError(NetsimError):
    """A node that is up was to be started."""


class NotInRealTimeError(NetsimError):
    """Something was asked for that only virtual time has."""


class NotRunningError(NetsimError):
    """No running network has the name that was asked for."""


class UnknownNameError(NetsimError):
    """A node, interface or command that this network does not have."""
