"""Files of recorded bandwidth, in Mahimahi's format."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from netsim.core.bandwidth_trace import BandwidthTrace
from netsim.core.errors import MOST_PROBLEMS, InvalidFileError, InvalidValueError, Problem
from netsim.core.link_attributes import LinkAttributes
from netsim.topology.file_text import read_text

MAX_BYTES: Final = 16 << 20
_MOST_DIGITS: Final = 12
_EXAMPLE: Final = "write whole ms from the beginning, for example `17`"


class TraceFiles:
    """Reads each file once; paths are below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, BandwidthTrace] = {}

    def in_attributes(self, attributes: LinkAttributes) -> LinkAttributes:
        """These attributes with what is in the file that they name, if they do; as `read`."""
        named = attributes.bandwidth_bps
        if not isinstance(named, BandwidthTrace):
            return attributes
        return replace(attributes, bandwidth_bps=self.read(named.file))

    def read(self, file: str) -> BandwidthTrace:
        """What is in it.

        InvalidValueError where there is no such file; InvalidFileError, once, with its mistakes.
        """
        found = self._read.get(file)
        if found is None:
            path = (self._folder / file).resolve()
            if not path.exists():
                what = f"there is no file {path}"
                raise InvalidValueError(f"{what}; write a path relative to this file")
            self._read[file] = BandwidthTrace(str(path))
            found = self._read[file] = BandwidthTrace(str(path), _times_in(path))
        return found


def _times_in(path: Path) -> tuple[int, ...]:
    shown = os.path.relpath(path)
    lines = read_text(path, shown, most=MAX_BYTES).splitlines()
    problems: list[Problem] = []
    mistakes = 0
    times: list[int] = []
    latest = 0
    for number, line in enumerate(lines, 1):
        digits = line.strip()
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS):
            wrong = (
                f"`{digits[:40]}` is no time; {_EXAMPLE}" if digits else "an empty line; remove it"
            )
        elif (time := int(digits)) < latest:
            wrong = f"`{digits}` is before `{latest}`; times never fall"
        else:
            times.append(time)
            latest = time
            continue
        mistakes += 1
        if len(problems) < MOST_PROBLEMS:
            column = len(line) - len(line.lstrip()) + 1
            problems.append(Problem(shown, number, column, wrong))
    if not lines:
        problems.append(
            Problem(shown, 1, 1, f"the file is empty; {_EXAMPLE}, a line for each packet")
        )
    elif not problems and latest == 0:
        message = "a trace takes time; write a last line above `0`"
        problems.append(Problem(shown, len(lines), 1, message))
    if problems:
        raise InvalidFileError(problems, max(0, mistakes - len(problems)))
    return tuple(times)
