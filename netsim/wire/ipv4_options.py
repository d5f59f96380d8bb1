"""The options of the IPv4 header (RFC 791 3.1).

An option is one octet (end of the list, no operation) or a kind, a length that counts all of it,
and data. Record route, whose pointer counts from 1 at the kind and names the next free slot:

+--------+--------+--------+---------+---------+- - -
|00000111| length | pointer|     route data    …
+--------+--------+--------+---------+---------+- - -
"""

from __future__ import annotations

from typing import Final

from netsim.wire.address import IpAddress
from netsim.wire.ipv4 import HEADER_LENGTH
from netsim.wire.wire_error import WireError

END: Final = 0
NO_OPERATION: Final = 1
RECORD_ROUTE: Final = 7
TIMESTAMP: Final = 68
LOOSE_SOURCE_ROUTE: Final = 131
STRICT_SOURCE_ROUTE: Final = 137
MAX_ROUTE: Final = 9
"""Addresses that fit into the 40 octets of options."""
_COPIED: Final = 0x80
"""The bit of a kind that goes into every fragment."""
_ADDRESS: Final = 4
_FIRST_SLOT: Final = 4
"""The pointer of a record route in which nothing is recorded."""
_LEAST_TIMESTAMP: Final = 4
_FIRST_TIMESTAMP: Final = 5


class OptionError(WireError):
    """A malformed option; `pointer` is the octet of the IP header that is wrong, for the
    "parameter problem" of RFC 792."""

    def __init__(self, pointer: int) -> None:
        super().__init__("ipv4-option")
        self.pointer = pointer


def split(options: bytes) -> list[tuple[int, int, int]]:
    """(kind, start, end) of every option before the end of the list, without padding.

    OptionError where a length leads nowhere. Kinds that nobody knows are passed over
    (RFC 1122 3.2.1.8).
    """
    found = []
    start, size = 0, len(options)
    while start < size and (kind := options[start]) != END:
        if kind == NO_OPERATION:
            start += 1
            continue
        if start + 1 >= size:
            raise OptionError(HEADER_LENGTH + start)
        end = start + options[start + 1]
        if not start + 2 <= end <= size:
            raise OptionError(HEADER_LENGTH + start + 1)
        found.append((kind, start, end))
        start = end
    return found


def verify(options: bytes) -> list[int]:
    """The kinds in there; OptionError where one that netsim knows is malformed."""
    kinds: list[int] = []
    for kind, start, end in split(options):
        if kind == RECORD_ROUTE:
            if kind in kinds:
                raise OptionError(HEADER_LENGTH + start)
            _verify_route(options, start, end)
        elif kind == TIMESTAMP:
            if end - start < _LEAST_TIMESTAMP:
                raise OptionError(HEADER_LENGTH + start + 1)
            if options[start + 2] < _FIRST_TIMESTAMP:
                raise OptionError(HEADER_LENGTH + start + 2)
        kinds.append(kind)
    return kinds


def record_route(slots: int) -> bytes:
    """An empty record route with room for so many addresses, padded to whole words."""
    length = _FIRST_SLOT - 1 + slots * _ADDRESS
    return _padded(bytes((RECORD_ROUTE, length, _FIRST_SLOT)) + bytes(slots * _ADDRESS))


def record(options: bytes, address: IpAddress) -> bytes:
    """The options with `address` in the next free slot of the record route, if there is one.

    `options` must have passed `verify`.
    """
    for kind, start, end in split(options):
        if kind == RECORD_ROUTE:
            pointer = options[start + 2]
            slot = start + pointer - 1
            if slot + _ADDRESS > end:
                return options
            return b"%b%c%b%b%b" % (
                options[: start + 2],
                pointer + _ADDRESS,
                options[start + 3 : slot],
                address,
                options[slot + _ADDRESS :],
            )
    return options


def recorded_route(options: bytes) -> list[IpAddress]:
    """The addresses in the record route; none without one. `options` as for `record`."""
    for kind, start, end in split(options):
        if kind == RECORD_ROUTE:
            stop = min(start + options[start + 2] - 1, end)
            slots = range(start + _FIRST_SLOT - 1, stop - _ADDRESS + 1, _ADDRESS)
            return [options[slot : slot + _ADDRESS] for slot in slots]
    return []


def only(options: bytes, wanted: int) -> bytes:
    """Of these options the one of that kind, padded; empty without it."""
    for kind, start, end in split(options):
        if kind == wanted:
            return _padded(options[start:end])
    return b""


def of_later_fragments(options: bytes) -> bytes:
    """What every fragment but the first carries: the options with the copied flag, padded."""
    return _padded(
        b"".join(options[start:end] for kind, start, end in split(options) if kind & _COPIED)
    )


def _verify_route(options: bytes, start: int, end: int) -> None:
    length = end - start
    if length < _FIRST_SLOT - 1:
        raise OptionError(HEADER_LENGTH + start + 1)
    pointer = options[start + 2]
    # Full is when the pointer is beyond the length; else a whole slot must be left.
    if pointer < _FIRST_SLOT or length - _ADDRESS + 1 < pointer <= length:
        raise OptionError(HEADER_LENGTH + start + 2)


def _padded(options: bytes) -> bytes:
    return options + bytes(-len(options) % _ADDRESS)
