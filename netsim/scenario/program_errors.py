"""Errors that programs logged, put together from the lines that they were logged in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from netsim.network.log_lines import LogLine

_GOES_ON: Final = (
    "Traceback (most recent call last)",
    "During handling of the above exception",
    "The above exception was the direct cause",
)
"""Lines of a traceback that are not indented."""


@dataclass(frozen=True, slots=True)
class ProgramError:
    """One message, with its traceback if it has one."""

    node: str
    text: str


def program_errors(lines: Iterable[LogLine]) -> Iterator[ProgramError]:
    """The messages that these lines are."""
    node, message = "", list[str]()
    in_traceback = False
    for line in lines:
        indented = line.text[:1] in ("", " ", "\t")
        goes_on = indented or line.text.startswith(_GOES_ON)
        # A traceback ends with the exception, which is not indented.
        is_exception = in_traceback and not goes_on
        if message and (line.node != node or not (goes_on or is_exception)):
            yield ProgramError(node, "\n".join(message))
            message = []
        node = line.node
        message.append(line.text)
        in_traceback = goes_on and (in_traceback or line.text.startswith(_GOES_ON))
    if message:
        yield ProgramError(node, "\n".join(message))
