"""The pcapng capture format (draft-ietf-opsawg-pcapng), as far as a writer of frames needs it.

A file is a chain of blocks, each padded to a multiple of four octets and framed by its length:

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                          block type                           |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|            block total length, this field included            |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                   body, options, padding …                    |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                   block total length, again                   |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Section header (type 0x0A0D0D0A), once, at the start; it says in which byte order the rest is:

+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                 byte-order magic = 0x1A2B3C4D                 |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|       major version = 1       |       minor version = 0       |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|        section length, 64 bits: -1, not known in advance      |
+                                                               +
|                                                               |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|           options: shb_hardware (2), shb_userappl (4)         |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Interface description (type 1), before the first frame of each interface:

+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|    link type = 1, Ethernet    |           reserved            |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|               snap length: 0, frames are whole                |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|   options: if_name (2), if_tsresol (9) = 9: nanoseconds       |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Enhanced packet (type 6), one for each frame:

+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|      interface, counted from 0 in order of description        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                     timestamp, upper half                     |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                     timestamp, lower half                     |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                        captured length                        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                        original length                        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                   frame, padded with zeroes …                 |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|   options: epb_flags (2): direction in bits 0-1              |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

An option is a 16-bit code, a 16-bit length without padding, and its value; code 0 ends a list.

Several processes may write one file: the network begins it and describes the interfaces, the
nodes append packets. A block is one `write` in append mode, so they never mix (open(2), O_APPEND).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from netsim.observe.tap import Direction

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE_DESCRIPTION: Final = 1
_ENHANCED_PACKET: Final = 6

_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_LENGTH_UNKNOWN: Final = -1
_LINKTYPE_ETHERNET: Final = 1
_NO_LIMIT: Final = 0
_NANOSECONDS: Final = b"\x09"

_SHB_HARDWARE: Final = 2
_SHB_USERAPPL: Final = 4
_IF_NAME: Final = 2
_IF_TSRESOL: Final = 9
_EPB_FLAGS: Final = 2
_END_OF_OPTIONS: Final = bytes(4)

_BLOCK_START = struct.Struct("<II")
_BLOCK_END = struct.Struct("<I")
_SECTION_BODY = struct.Struct("<IHHq")
_INTERFACE_BODY = struct.Struct("<HHI")
_PACKET_BODY = struct.Struct("<IIIII")
_OPTION = struct.Struct("<HH")
_FLAGS = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class CaptureTarget:
    """Where a node's frames go: a file that is begun, and the numbers of its interfaces there."""

    path: str
    numbers: Mapping[str, int]
    """By interface; those of the node that are missing are not captured."""
    epoch_ns: int
    """The wall time at network time 0, ns since the Unix epoch."""


class PcapngTap:
    """Appends every frame of one node's interfaces to a binary file.

    Flushing and closing the file is the caller's.
    """

    def __init__(self, file: BinaryIO, numbers: Mapping[str, int], epoch_ns: int) -> None:
        """`numbers` and `epoch_ns` as of a `CaptureTarget`."""
        self._file = file
        self._numbers = numbers
        self._epoch_ns = epoch_ns

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        number = self._numbers[interface]
        self._file.write(packet(number, self._epoch_ns + time_ns, frame, direction))


def section(hostname: str, application: str = "netsim") -> bytes:
    """The block that begins a file.

    `hostname` stands in the field for the hardware, the only one that names a machine.
    """
    options = _text(_SHB_HARDWARE, hostname) + _text(_SHB_USERAPPL, application)
    body = _SECTION_BODY.pack(_BYTE_ORDER_MAGIC, 1, 0, _LENGTH_UNKNOWN)
    return _block(_SECTION_HEADER, body + options + _END_OF_OPTIONS)


def interface(name: str) -> bytes:
    """The block that describes an interface; they are numbered from 0 in the order of the file."""
    options = _text(_IF_NAME, name) + _option(_IF_TSRESOL, _NANOSECONDS)
    body = _INTERFACE_BODY.pack(_LINKTYPE_ETHERNET, 0, _NO_LIMIT)
    return _block(_INTERFACE_DESCRIPTION, body + options + _END_OF_OPTIONS)


def packet(number: int, timestamp_ns: int, frame: bytes, direction: Direction) -> bytes:
    """The block of one frame at an interface; `timestamp_ns` counts from 1970-01-01 UTC."""
    length = len(frame)
    upper, lower = timestamp_ns >> 32, timestamp_ns & 0xFFFFFFFF
    body = _PACKET_BODY.pack(number, upper, lower, length, length)
    options = _option(_EPB_FLAGS, _FLAGS.pack(direction))
    return _block(_ENHANCED_PACKET, body + _padded(frame) + options + _END_OF_OPTIONS)


def _block(block_type: int, body: bytes) -> bytes:
    length = _BLOCK_START.size + len(body) + _BLOCK_END.size
    return b"%b%b%b" % (_BLOCK_START.pack(block_type, length), body, _BLOCK_END.pack(length))


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + _padded(value)


def _text(code: int, text: str) -> bytes:
    return _option(code, text.encode())


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
