"""The bytes of a frame as tcpdump prints them below its line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netsim.wire.ethernet import HEADER_LENGTH as _ETHERNET

_ROW: Final = 16
"""Bytes."""
_HEXADECIMAL: Final = 39
"""Columns of a row."""


def dump_of(frame: bytes, dump: str) -> str:
    """Lines, each with its end; empty without a `dump`.

    That is tcpdump's option: `x` is hexadecimal, `X` has the characters beside it, and `A` these
    alone; two letters begin with the Ethernet header.
    """
    data = frame if len(dump) > 1 else frame[_ETHERNET:]
    if dump[:1] == "A":
        return _text(data) + "\n"
    return "".join(f"{line}\n" for line in _rows(data, dump[:1] == "X")) if dump else ""


def _rows(data: bytes, has_characters: bool) -> Iterator[str]:
    for start in range(0, len(data), _ROW):
        row = data[start : start + _ROW]
        pairs = " ".join(row[at : at + 2].hex() for at in range(0, len(row), 2))
        if has_characters:
            characters = "".join(chr(each) if 32 < each < 127 else "." for each in row)
            yield f"\t0x{start:04x}:  {pairs:{_HEXADECIMAL}}  {characters}"
        else:
            yield f"\t0x{start:04x}:  {pairs}"


def _text(data: bytes) -> str:
    """Ends of lines are those of the data."""
    text = data.replace(b"\r\n", b"\n").removesuffix(b"\r")
    return "".join(chr(each) if 32 <= each < 127 or each in b"\t\n" else "." for each in text)
