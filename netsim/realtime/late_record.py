"""What a site was late with, in memory shared with the supervisor.

It is read there at any time, asked of nobody: a site that is late would be late to answer, too.

A header counts. Behind it is a ring of spells of 50 ms, from the first late event on: of each when
its last event was handled and how late the latest was. So whoever reads again and again knows of
each time between two readings how late the latest event was, to within a spell.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final

from netsim.core.time import MILLISECOND
from netsim.observe.late import Late

SPELL: Final = 50 * MILLISECOND
_SPELLS: Final = 64
"""3.2 s without a break: who reads less often knows of the latest of the last ones only."""
_HEADER = struct.Struct("@4q")
"""How many spells have begun; frames and timers that were late; frames that were lost."""
_OF_SPELL = struct.Struct("@2q")
SIZE: Final = _HEADER.size + _SPELLS * _OF_SPELL.size
"""Bytes."""


class LateRecord:
    """The site's side: `memory` from `offset` on."""

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._memory = memory
        self._offset = offset
        self._spells = self._frames = self._timers = self._lost = 0
        self._spell_ends = 0
        self._max_ns = 0
        """Of the spell."""

    def handled(self, now: int, frames: int, timers: int, max_ns: int) -> None:
        """So many events were handled at `now`; the latest was `max_ns` late."""
        if now >= self._spell_ends:
            self._spells += 1
            self._spell_ends = now + SPELL
            self._max_ns = 0
        self._max_ns = max(self._max_ns, max_ns)
        place = self._offset + _place(self._spells - 1)
        _OF_SPELL.pack_into(self._memory, place, now, self._max_ns)
        self._frames += frames
        self._timers += timers
        self._write()

    def lost(self, frames: int) -> None:
        """So many frames more did not go onto a wire."""
        self._lost += frames
        self._write()

    def _write(self) -> None:
        numbers = self._spells, self._frames, self._timers, self._lost
        _HEADER.pack_into(self._memory, self._offset, *numbers)


class LateReaders:
    """The supervisor's side: of every site, those that have ended among them."""

    def __init__(self) -> None:
        self._readers: dict[str, _Reader] = {}
        """Of the last boot of each node."""
        self._before: dict[str, Late] = {}
        """Of boots before, which was not taken yet."""

    def open(self, node: str, descriptor: int) -> None:
        """A site of this node writes to memory that ends with its record."""
        if node in self._readers:
            self._add_to(self._before, node)
        self._readers[node] = _Reader(descriptor)

    def take(self) -> dict[str, Late]:
        """What is new since this was last called, by node; none of those that were in time."""
        taken, self._before = self._before, {}
        for node in self._readers:
            self._add_to(taken, node)
        return taken

    def close(self) -> None:
        """Read the last, and let go of the memory; `take` still tells what it was."""
        for node, reader in self._readers.items():
            self._add_to(self._before, node)
            reader.close()
        self._readers.clear()

    def _add_to(self, sums: dict[str, Late], node: str) -> None:
        if (late := self._readers[node].read()) is not None:
            sums[node] = sums.get(node, Late()) + late


class _Reader:
    """Of memory that stays until nobody maps it any more, whoever closes its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        self._offset = len(self._memory) - SIZE
        self._seen = (0, 0, 0, 0)

    def close(self) -> None:
        """The memory has a descriptor of its own, which would stay as long as this object."""
        self._memory.close()

    def read(self) -> Late | None:
        """What is new; None where nothing is."""
        now = spells, frames, timers, lost = _HEADER.unpack_from(self._memory, self._offset)
        seen, self._seen = self._seen, now
        if now == seen:
            return None
        max_ns = last_ns = 0
        if (frames, timers) != seen[1:3]:
            first = max(seen[0] - 1, spells - _SPELLS, 0)  # the last spell seen may have gone on
            for spell in range(first, spells):
                place = self._offset + _place(spell)
                at, latest = _OF_SPELL.unpack_from(self._memory, place)
                max_ns, last_ns = max(max_ns, latest), max(last_ns, at)
        return Late(frames - seen[1], timers - seen[2], lost - seen[3], max_ns, last_ns)


def _place(spell: int) -> int:
    return _HEADER.size + spell % _SPELLS * _OF_SPELL.size
