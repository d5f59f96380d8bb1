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
|   options: epb_flags (2): direction in bits 0-1;             |
|   opt_comment (1): why the frame went no further             |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Interface statistics (type 5), at the end of a live capture for each interface, and of a file for
each that has lost any:

+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|      interface, counted from 0 in order of description        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|              timestamp, upper half, lower half                |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|   options: isb_ifdrop (5): frames that the reader was too    |
|   slow for, or the disk too full, 64 bits                     |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

An option is a 16-bit code, a 16-bit length without padding, and its value; code 0 ends a list.

Several processes may write one file: the network begins it and describes the interfaces, the
nodes append packets. A block is one `write` in append mode, so they never mix (open(2), O_APPEND).
"""

from __future__ import annotations

import logging
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from netsim.observe.captured import Passed
from netsim.observe.filter_expression import Expression
from netsim.observe.tap import Direction

_log = logging.getLogger("netsim.capture")

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE_DESCRIPTION: Final = 1
_INTERFACE_STATISTICS: Final = 5
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
_ISB_IFDROP: Final = 5
_COMMENT: Final = 1
_DROPPED: Final = "dropped: "
_END_OF_OPTIONS: Final = bytes(4)

_BLOCK_START = struct.Struct("<II")
_BLOCK_END = struct.Struct("<I")
_SECTION_BODY = struct.Struct("<IHHq")
_INTERFACE_BODY = struct.Struct("<HHI")
_PACKET_BODY = struct.Struct("<IIIII")
_STATISTICS_BODY = struct.Struct("<III")
_COUNTER = struct.Struct("<Q")
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
    expression: Expression | None = None
    """Of the frames that are wanted; None for all."""


class PcapngAppender:
    """Appends frames of one node to a binary file that is not buffered.

    What a full disk, or a pipe that nobody empties, does not take is lost, and counted in `lost`
    by interface. Closing the file is the caller's.
    """

    def __init__(self, file: BinaryIO, target: CaptureTarget) -> None:
        self.lost: Counter[int] = Counter()
        self._file = file
        self._path = target.path
        self._epoch_ns = target.epoch_ns
        self._last_ns = 0
        """Network time of the last frame."""
        self._rest = b""
        """Of a block that was written in part: without it nothing that follows could be read."""

    def add(self, passed: Passed) -> None:
        """Append a frame."""
        self._last_ns, number, direction, frame, dropped = passed
        block = packet(number, self._epoch_ns + self._last_ns, frame, direction, dropped)
        if self._rest:
            self._write(self._rest)
        if self._rest or not self._write(block):
            self.lost[number] += 1

    def finish(self) -> None:
        """Append how many are lost of each interface that has lost any, if there is room now."""
        if self._rest:
            self._write(self._rest)
        for number, lost in self.lost.items():
            if not self._rest:
                self._write(statistics(number, self._epoch_ns + self._last_ns, lost))

    def _write(self, block: bytes) -> bool:
        """Whether it is in the file now, or its beginning is."""
        try:
            written = self._file.write(block)
        except OSError as error:
            if not self.lost:
                _log.warning("the capture loses packets: %s: %s", self._path, error.strerror)
            return False
        if not written:  # a pipe is full
            return False
        self._rest = block[written:]
        return True


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


def packet(
    number: int, timestamp_ns: int, frame: bytes, direction: Direction, dropped: str = ""
) -> bytes:
    """The block of one frame at an interface; `timestamp_ns` counts from 1970-01-01 UTC.

    Why it was `dropped`, if it was, is its comment.
    """
    length = len(frame)
    upper, lower = timestamp_ns >> 32, timestamp_ns & 0xFFFFFFFF
    body = _PACKET_BODY.pack(number, upper, lower, length, length)
    options = _option(_EPB_FLAGS, _FLAGS.pack(direction))
    if dropped:
        options += _text(_COMMENT, f"{_DROPPED}{dropped}")
    return _block(_ENHANCED_PACKET, body + _padded(frame) + options + _END_OF_OPTIONS)


def statistics(number: int, timestamp_ns: int, dropped: int) -> bytes:
    """The block that says how many frames of an interface are not there, for want of room."""
    body = _STATISTICS_BODY.pack(number, timestamp_ns >> 32, timestamp_ns & 0xFFFFFFFF)
    options = _option(_ISB_IFDROP, _COUNTER.pack(dropped))
    return _block(_INTERFACE_STATISTICS, body + options + _END_OF_OPTIONS)


# Reading back what this module writes


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame of a capture that is read."""

    number: int
    """Of its interface."""
    timestamp_ns: int
    """Since 1970-01-01 UTC."""
    frame: bytes
    direction: Direction
    dropped: str
    """The reason why it went no further; empty where it did."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of an interface of a capture that is read."""

    number: int
    timestamp_ns: int
    dropped: int


class PcapngReader:
    """Takes a stream of blocks apart, whole ones as they come.

    It knows what this module writes: this byte order, these options.
    """

    def __init__(self) -> None:
        self._data = bytearray()

    def blocks(self, data: bytes) -> Iterator[bytes]:
        """Those that `data` completes."""
        self._data += data
        start, end = 0, len(self._data)
        try:
            while end - start >= _BLOCK_START.size:
                length = _BLOCK_START.unpack_from(self._data, start)[1]
                if end - start < length:
                    return
                start += length
                yield bytes(self._data[start - length : start])
        finally:
            del self._data[:start]


def read_block(block: bytes) -> Packet | Statistics | str | None:
    """What a block holds: a frame, statistics, the name of an interface; else None."""
    kind, _ = _BLOCK_START.unpack_from(block)
    start = _BLOCK_START.size
    if kind == _ENHANCED_PACKET:
        number, upper, lower, length, _ = _PACKET_BODY.unpack_from(block, start)
        start += _PACKET_BODY.size
        options = _options(block, start + length + -length % 4)
        flags = _FLAGS.unpack(options[_EPB_FLAGS])[0]
        frame, comment = block[start : start + length], options.get(_COMMENT, b"").decode()
        dropped = comment.removeprefix(_DROPPED)
        return Packet(number, upper << 32 | lower, frame, Direction(flags), dropped)
    if kind == _INTERFACE_STATISTICS:
        number, upper, lower = _STATISTICS_BODY.unpack_from(block, start)
        options = _options(block, start + _STATISTICS_BODY.size)
        dropped = _COUNTER.unpack(options[_ISB_IFDROP])[0]
        return Statistics(number, upper << 32 | lower, dropped)
    if kind == _INTERFACE_DESCRIPTION:
        return _options(block, start + _INTERFACE_BODY.size)[_IF_NAME].decode()
    return None


def _options(block: bytes, start: int) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    while start + _OPTION.size <= len(block) - _BLOCK_END.size:
        code, length = _OPTION.unpack_from(block, start)
        if not code:
            break
        start += _OPTION.size
        options[code] = block[start : start + length]
        start += length + -length % 4
    return options


def _block(block_type: int, body: bytes) -> bytes:
    length = _BLOCK_START.size + len(body) + _BLOCK_END.size
    return b"%b%b%b" % (_BLOCK_START.pack(block_type, length), body, _BLOCK_END.pack(length))


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + _padded(value)


def _text(code: int, text: str) -> bytes:
    return _option(code, text.encode())


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
