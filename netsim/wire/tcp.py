"""The TCP header and its options (RFC 9293 3.1 and 3.2, RFC 7323, RFC 2018).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|          source port          |       destination port        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                        sequence number                        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                     acknowledgment number                     |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
| offset| reserv|C|E|U|A|P|R|S|F|            window             |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|           checksum            |        urgent pointer         |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                       options, payload …                      |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from netsim.wire.checksum import word_sum
from netsim.wire.wire_error import WireError

HEADER_LENGTH: Final = 20
MAX_OPTIONS: Final = 40

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
"""ECN-Echo, and in a SYN the offer of ECN (RFC 3168 6.1)."""
CWR: Final = 0x80
"""Congestion Window Reduced."""

_END, _NOP, _MSS, _WINDOW_SCALE, _SACK_PERMITTED, _SACK, _TIMESTAMPS = 0, 1, 2, 3, 4, 5, 8

_HEADER = struct.Struct("!HHIIHHHH")
_PORTS_TO_WINDOW = struct.Struct("!HHIIHH")
_TIMESTAMP_OPTION = struct.Struct("!III")
_TIMESTAMP_PREFIX: Final = 0x0101080A
"""NOP, NOP, kind 8, length 10: the layout RFC 7323 appendix A recommends and everybody sends."""
_SACK_BLOCK = struct.Struct("!II")


@dataclass(slots=True)
class TcpSegment:
    """One segment; numbers as on the wire (sequence numbers 32 bit, window unscaled)."""

    source_port: int
    destination_port: int
    sequence: int
    acknowledgement: int
    flags: int
    window: int
    payload: bytes = b""
    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    timestamp: int | None = None
    """TSval, milliseconds of the sender's clock in our case; None without the option."""
    timestamp_echo: int = 0
    """TSecr"""
    sack_blocks: tuple[tuple[int, int], ...] = ()
    """(left edge, right edge), right exclusive."""

    def pack(self, pseudo_sum: int) -> bytes:
        """Header, options and payload; `pseudo_sum` is `checksum.pseudo_header_sum`."""
        return build(
            self.source_port,
            self.destination_port,
            self.sequence,
            self.acknowledgement,
            self.flags,
            self.window,
            self.pack_options(),
            self.payload,
            pseudo_sum,
        )

    def pack_options(self) -> bytes:
        """The options in the order Linux sends them, padded to a multiple of four."""
        options = b""
        if self.mss is not None:
            options += struct.pack("!BBH", _MSS, 4, self.mss)
        if self.sack_permitted:
            options += bytes((_SACK_PERMITTED, 2))
        if self.timestamp is not None:
            lead = b"" if len(options) % 4 == 2 else bytes((_NOP, _NOP))
            options += lead + struct.pack(
                "!BBII", _TIMESTAMPS, 10, self.timestamp, self.timestamp_echo
            )
        if self.window_scale is not None:
            options += bytes((_NOP, _WINDOW_SCALE, 3, self.window_scale))
        if self.sack_blocks:
            options += bytes((_NOP, _NOP, _SACK, 2 + 8 * len(self.sack_blocks)))
            options += b"".join(_SACK_BLOCK.pack(*block) for block in self.sack_blocks)
        return options + bytes((_NOP,)) * (-len(options) % 4)


def timestamp_option(value: int, echo: int) -> bytes:
    """The twelve octets of a timestamps option, as every segment after the handshake has them."""
    return _TIMESTAMP_OPTION.pack(_TIMESTAMP_PREFIX, value, echo)


def build(
    source_port: int,
    destination_port: int,
    sequence: int,
    acknowledgement: int,
    flags: int,
    window: int,
    options: bytes,
    payload: bytes | bytearray,
    pseudo_sum: int,
) -> bytes:
    """The bytes of a segment with its checksum; `options` padded to a multiple of four."""
    header_length = HEADER_LENGTH + len(options)
    offset_flags = header_length << 10 | flags
    # Any field is congruent to the sum of its words modulo 0xFFFF, so the header is summed
    # before it is packed, once.
    total = (
        source_port
        + destination_port
        + sequence
        + acknowledgement
        + offset_flags
        + window
        + int.from_bytes(options, "big")
        + pseudo_sum
        + header_length
        + len(payload)
        + word_sum(payload)
    )
    header = _HEADER.pack(
        source_port,
        destination_port,
        sequence,
        acknowledgement,
        offset_flags,
        window,
        0xFFFF - total % 0xFFFF,
        0,
    )
    return header + options + payload


def parse(data: bytes, pseudo_sum: int) -> TcpSegment:
    """Read and verify a segment; WireError when lengths, options or checksum are wrong."""
    length = len(data)
    if length < HEADER_LENGTH:
        raise WireError("tcp-truncated")
    if (word_sum(data) + pseudo_sum + length) % 0xFFFF:
        raise WireError("tcp-checksum")
    source_port, destination_port, sequence, acknowledgement, offset_flags, window = (
        _PORTS_TO_WINDOW.unpack_from(data)
    )
    header_length = offset_flags >> 12 << 2
    if not HEADER_LENGTH <= header_length <= length:
        raise WireError("tcp-header-length")
    segment = TcpSegment(
        source_port,
        destination_port,
        sequence,
        acknowledgement,
        offset_flags & 0xFF,
        window,
        data[header_length:],
    )
    if header_length == HEADER_LENGTH + _TIMESTAMP_OPTION.size:
        prefix, value, echo = _TIMESTAMP_OPTION.unpack_from(data, HEADER_LENGTH)
        if prefix == _TIMESTAMP_PREFIX:
            segment.timestamp = value
            segment.timestamp_echo = echo
            return segment
    if header_length > HEADER_LENGTH:
        _parse_options(segment, data[HEADER_LENGTH:header_length])
    return segment


def _parse_options(segment: TcpSegment, options: bytes) -> None:
    """RFC 9293 3.1: unknown options are skipped by their length; a bad length is malformed."""
    position = 0
    end = len(options)
    while position < end:
        kind = options[position]
        if kind == _END:
            return
        if kind == _NOP:
            position += 1
            continue
        if position + 2 > end:
            raise WireError("tcp-options")
        length = options[position + 1]
        if length < 2 or position + length > end:
            raise WireError("tcp-options")
        value = options[position + 2 : position + length]
        if kind == _MSS and length == 4:
            segment.mss = int.from_bytes(value, "big")
        elif kind == _WINDOW_SCALE and length == 3:
            segment.window_scale = value[0]
        elif kind == _SACK_PERMITTED and length == 2:
            segment.sack_permitted = True
        elif kind == _TIMESTAMPS and length == 10:
            segment.timestamp = int.from_bytes(value[:4], "big")
            segment.timestamp_echo = int.from_bytes(value[4:], "big")
        elif kind == _SACK and length > 2 and (length - 2) % 8 == 0:
            segment.sack_blocks = tuple(_SACK_BLOCK.iter_unpack(value))
        position += length
