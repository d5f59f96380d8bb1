"""The counters of a site where its death does not reach them: in memory shared with the supervisor.

The site writes them once a tick, and always before it writes to a wire: whatever a neighbour can
have received is in the counters of its sender. Each port has two copies of its numbers and a word
that says which of them holds; a new one is written beside it before the word is turned. So a
process that is killed in the middle of it leaves what was written before. Behind the ports is what
the site was late with (`late_record.py`).

A copy is a row of integers of 8 bytes, in the order of `SharedCounters.write`.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from netsim.realtime import late_record
from netsim.realtime.late_record import LateRecord
from netsim.site.accounting import EgressCounters, IngressCounters, NodeCounters

if TYPE_CHECKING:
    from netsim.realtime.cable_end import CableEnd

# Reasons that have a place of their own; what has none is added up under the last.
_DROPPED: Final = ("queue", "aqm", "mtu", "carrier", "loss", "crc", "other")
_LOST: Final = ("carrier", "overload", "other")
_RECEIVED_DROPPED: Final = ("carrier", "other")

_NUMBERS: Final = 5 + len(_DROPPED) + len(_LOST) + 4 + len(_RECEIVED_DROPPED)
_COPY = struct.Struct(f"={_NUMBERS}q")
_WORD: Final = 8
_RECORD: Final = _WORD + 2 * _COPY.size


class SharedCounters:
    """The site's side: `descriptor` is what `new_memory` returned."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, 0)
        self._holding: dict[int, int] = {}
        self._overload: dict[int, int] = {}
        """By slot: frames that no wire took."""
        self.late = LateRecord(self._memory, len(self._memory) - late_record.SIZE)
        os.close(descriptor)

    def write(self, end: CableEnd) -> None:
        """Write down what one port has counted."""
        port = end.port
        slot = end.slot
        counters = port.egress.counters
        base = slot * _RECORD
        copy = 1 - self._holding.get(slot, 0)
        lost = end.lost
        _COPY.pack_into(
            self._memory,
            base + _WORD + copy * _COPY.size,
            counters.sent,
            counters.duplicated,
            port.egress.queued(),
            counters.handed_over,
            end.messages_sent,
            *_numbers(counters.dropped, _DROPPED),
            *_numbers(lost, _LOST),
            port.received,
            port.delivered,
            port.in_flight,
            end.messages_read,
            *_numbers(port.ingress_dropped, _RECEIVED_DROPPED),
        )
        self._memory[base] = copy
        self._holding[slot] = copy
        if "overload" in lost:
            self.late.lost(lost["overload"] - self._overload.get(slot, 0))
            self._overload[slot] = lost["overload"]


def new_memory(ports: int) -> int:
    """Descriptor of memory for the counters of so many ports, all of them zero."""
    descriptor = os.memfd_create("netsim-counters", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, ports * _RECORD + late_record.SIZE)
    return descriptor


def read_counters(descriptor: int, interfaces: Sequence[str]) -> NodeCounters:
    """What the site of a node that is gone had written down."""
    found = NodeCounters()
    for slot, name in enumerate(interfaces):
        record = os.pread(descriptor, _RECORD, slot * _RECORD)
        numbers = list(_COPY.unpack_from(record, _WORD + record[0] * _COPY.size))
        sent, duplicated, queued, handed_over, messages = numbers[:5]
        del numbers[:5]
        dropped = _take(numbers, _DROPPED)
        lost = _take(numbers, _LOST)
        found.egress[name] = EgressCounters(
            sent, duplicated, dropped, queued, handed_over, lost, messages
        )
        received, delivered, in_flight, messages = numbers[:4]
        del numbers[:4]
        found.ingress[name] = IngressCounters(
            received, delivered, _take(numbers, _RECEIVED_DROPPED), in_flight, messages
        )
    return found


_ZEROS: Final[dict[tuple[str, ...], tuple[int, ...]]] = {
    reasons: (0,) * len(reasons) for reasons in (_DROPPED, _LOST, _RECEIVED_DROPPED)
}


def _numbers(counts: Mapping[str, int], reasons: tuple[str, ...]) -> Sequence[int]:
    if not counts:
        return _ZEROS[reasons]
    numbers = [counts.get(reason, 0) for reason in reasons]
    numbers[-1] += sum(counts.values()) - sum(numbers)
    return numbers


def _take(numbers: list[Any], reasons: tuple[str, ...]) -> dict[str, int]:
    taken = {reason: count for reason, count in zip(reasons, numbers, strict=False) if count}
    del numbers[: len(reasons)]
    return taken
