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
|   options: epb_flags (2): direction in bits 0-1; comment (1)  |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

An option is a 16-bit code, a 16-bit length without padding, and its value; code 0 ends a list.
"""

from __future__ import annotations

import struct
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

_OPT_COMMENT: Final = 1
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


class PcapngWriter:
    """Writes frames to a binary file that Wireshark and tshark open.

    The section header is written at once, and every block by a single `write`, so that a pipe
    can be read live. Flushing and closing the file is the caller's.
    """

    def __init__(self, file: BinaryIO, *, hostname: str, application: str = "netsim") -> None:
        """`hostname` stands in the field for the hardware, the only one that names a machine."""
        self._file = file
        self._interfaces = 0
        options = _text(_SHB_HARDWARE, hostname) + _text(_SHB_USERAPPL, application)
        body = _SECTION_BODY.pack(_BYTE_ORDER_MAGIC, 1, 0, _LENGTH_UNKNOWN)
        file.write(_block(_SECTION_HEADER, body + options + _END_OF_OPTIONS))

    def add_interface(self, name: str) -> int:
        """Describe an interface; the result is its id in this file."""
        options = _text(_IF_NAME, name) + _option(_IF_TSRESOL, _NANOSECONDS)
        body = _INTERFACE_BODY.pack(_LINKTYPE_ETHERNET, 0, _NO_LIMIT)
        self._file.write(_block(_INTERFACE_DESCRIPTION, body + options + _END_OF_OPTIONS))
        self._interfaces += 1
        return self._interfaces - 1

    def write(
        self,
        interface_id: int,
        timestamp_ns: int,
        frame: bytes,
        direction: Direction,
        comment: str | None = None,
    ) -> None:
        """Write one frame. `timestamp_ns` counts from the Unix epoch, 1970-01-01 UTC."""
        assert 0 <= interface_id < self._interfaces, "an interface is described before its frames"
        length = len(frame)
        body = _PACKET_BODY.pack(
            interface_id, timestamp_ns >> 32, timestamp_ns & 0xFFFFFFFF, length, length
        )
        options = _option(_EPB_FLAGS, _FLAGS.pack(direction))
        if comment is not None:
            options += _text(_OPT_COMMENT, comment)
        self._file.write(
            _block(_ENHANCED_PACKET, body + _padded(frame) + options + _END_OF_OPTIONS)
        )


class PcapngTap:
    """Writes every frame to a binary file, describing each interface when it is first seen.

    `epoch_ns` is the wall time at which network time was zero, in ns since the Unix epoch.
    """

    def __init__(self, file: BinaryIO, *, hostname: str, epoch_ns: int) -> None:
        self._writer = PcapngWriter(file, hostname=hostname)
        self._epoch_ns = epoch_ns
        self._interfaces: dict[str, int] = {}
        self.written = 0
        """Frames written."""

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        interface_id = self._interfaces.get(interface)
        if interface_id is None:
            interface_id = self._writer.add_interface(interface)
            self._interfaces[interface] = interface_id
        self._writer.write(interface_id, self._epoch_ns + time_ns, frame, direction)
        self.written += 1


def _block(block_type: int, body: bytes) -> bytes:
    length = _BLOCK_START.size + len(body) + _BLOCK_END.size
    return b"%b%b%b" % (_BLOCK_START.pack(block_type, length), body, _BLOCK_END.pack(length))


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + _padded(value)


def _text(code: int, text: str) -> bytes:
    """A text option, cut to what its 16-bit length can say, between characters."""
    return _option(code, text.encode()[:0xFFFF].decode(errors="ignore").encode())


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
