"""Where everything in a YAML file stands, in little memory."""

from __future__ import annotations

from array import array
from typing import Any, Final

from netsim.topology.file_text import Position

COLUMNS: Final = 1 << 32
"""A place is line and column, both from 0, in one number: line * COLUMNS + column."""
_LEFT_OUT: Final = (1 << 64) - 1
"""Instead of a place."""
_FEW: Final = 100
"""Entries of a mapping or list that are counted again for each question."""


class Places:
    """Where everything stands, in twelve bytes for each key and value.

    There may be half a million in a file, and hardly ever does anybody ask. All are in the order
    of the file, a mapping or list in front of what is in it.
    """

    def __init__(self) -> None:
        self.at = array("Q")
        self.end = array("I")
        """The number of the first that is neither this one nor in it."""
        self.targets: dict[int, int] = {}
        """Of an alias: the value that it stands for."""
        self._children: dict[int, dict[object, int]] = {}

    def add(self, place: int) -> int:
        """The number of what stands at `place`."""
        number = len(self.at)
        self.at.append(place)
        self.end.append(number + 1)
        return number

    def close(self, number: int) -> None:
        """All that is in it has been added."""
        self.end[number] = len(self.at)

    def leave_out(self, number: int) -> None:
        """The key is not in the data."""
        self.at[number] = _LEFT_OUT

    def value(self, number: int) -> int:
        """The value, where it may be an alias."""
        return self.targets.get(number, number)

    def children(self, number: int, data: Any) -> dict[object, int]:
        """The keys of a mapping, or the items of a list by index, in the value `data`."""
        if number in self._children:
            return self._children[number]
        found: dict[object, int] = {}
        is_mapping = isinstance(data, dict)
        keys = iter(data)
        child, end = number + 1, self.end[number]
        while child < end:
            value = self.end[child] if is_mapping else child
            if not is_mapping:
                found[len(found)] = child
            elif self.at[child] != _LEFT_OUT:
                found[next(keys, None)] = child
            child = self.end[value]
        if len(found) > _FEW:
            self._children[number] = found
        return found


def place_of(event: Any) -> int:
    mark = event.start_mark
    return int(mark.line * COLUMNS + mark.column)


def position_at(place: int) -> Position:
    line, column = divmod(place, COLUMNS)
    return line + 1, column + 1
