"""A TCP segment as tcpdump words it, and the first line of what it carries of HTTP."""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import Final

from netsim.wire.checksum import is_valid
from netsim.wire.tcp import ACK, FIN, RST, SYN, URG

MOST_CONVERSATIONS: Final = 10_000
"""Of which it is known where their numbers began; the one that was quiet longest goes first."""
_LONGEST_LINE: Final = 400
_HTTP_PORTS: Final = frozenset((80, 8080))
_LETTERS: Final = "FSRP.UEW"
"""Of the flags, from the lowest bit."""
_END, _NOP, _MSS, _WINDOW_SCALE, _SACK_PERMITTED, _SACK, _TIMESTAMPS = 0, 1, 2, 3, 4, 5, 8
_MODULUS: Final = 1 << 32

_HEADER = struct.Struct("!HHIIHHHH")
_PAIR = struct.Struct("!II")


class TcpWords:
    """Words the segments of one capture; the arguments are those of `FrameLines`."""

    def __init__(self, *, verbose: bool, absolute: bool, brief: bool) -> None:
        self._verbose = verbose
        self._absolute = absolute
        self._brief = brief
        self._began: OrderedDict[tuple[bytes, int, bytes, int], int] = OrderedDict()
        """The first sequence number of a direction, by its ends."""

    def words(self, addresses: tuple[bytes, bytes], segment: bytes, pseudo_sum: int | None) -> str:
        """`Flags [S], seq 1, win 65535, length 0`.

        Without a `pseudo_sum` (of the addresses and the protocol) the checksum is not looked at.
        """
        source, destination, sequence, acknowledgement, offset_flags, window, checksum, urgent = (
            _HEADER.unpack_from(segment)
        )
        header, flags = offset_flags >> 12 << 2, offset_flags & 0xFF
        letters = "".join(each for bit, each in enumerate(_LETTERS) if flags >> bit & 1) or "none"
        if not _HEADER.size <= header <= len(segment):
            return f"Flags [{letters}] [bad hdr length {header}]"
        there = (addresses[0], source, addresses[1], destination)
        back = (addresses[1], destination, addresses[0], source)
        first_back = 0
        if flags & ACK and not self._absolute:
            is_new = there not in self._began or flags & SYN
            if is_new:
                self._begin(there, sequence)
                self._begin(back, (acknowledgement - 1) % _MODULUS)
            first_back = self._began[back]
            if not is_new:
                self._began.move_to_end(there)
                self._began.move_to_end(back)
                sequence = (sequence - self._began[there]) % _MODULUS
                acknowledgement = (acknowledgement - first_back) % _MODULUS
        payload = segment[header:]
        words = [f"Flags [{letters}]"]
        bad = ""
        if pseudo_sum is not None:
            right = is_valid(segment, pseudo_sum + len(segment))
            if self._verbose:
                words.append(f"cksum 0x{checksum:04x} ({'correct' if right else 'incorrect'})")
            elif not right:
                bad = " [bad tcp cksum]"
        if payload:
            words.append(f"seq {sequence}:{(sequence + len(payload)) % _MODULUS}")
        elif flags & (SYN | FIN | RST):
            words.append(f"seq {sequence}")
        if flags & ACK:
            words.append(f"ack {acknowledgement}")
        words.append(f"win {window}")
        if flags & URG:
            words.append(f"urg {urgent}")
        if header > _HEADER.size and not self._brief:
            words.append(f"options [{_options(segment[_HEADER.size : header], first_back)}]")
        words.append(f"length {len(payload)}")
        is_http = source in _HTTP_PORTS or destination in _HTTP_PORTS
        return ", ".join(words) + (self._http(payload, is_http) if payload else "") + bad

    def _begin(self, direction: tuple[bytes, int, bytes, int], sequence: int) -> None:
        self._began[direction] = sequence
        self._began.move_to_end(direction)
        # Two at a time: the directions of a conversation go together.
        while len(self._began) > 2 * MOST_CONVERSATIONS:
            self._began.popitem(last=False)

    def _http(self, payload: bytes, is_http: bool) -> str:
        """On other ports, too, where it looks like HTTP."""
        head = payload.partition(b"\r\n\r\n")[0]
        first, *fields = head.split(b"\r\n")
        if not (first.startswith(b"HTTP/1") or first.endswith((b" HTTP/1.1", b" HTTP/1.0"))):
            return ": HTTP" if is_http else ""
        if not self._verbose:
            return f": HTTP: {_shown(first)}"
        lines = "".join(f"\n\t{_shown(each)}" for each in (first, *fields))
        return f": HTTP, length: {len(payload)}{lines}"


def _shown(line: bytes) -> str:
    text = line[:_LONGEST_LINE].decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "." for each in text)


def _options(options: bytes, first_back: int) -> str:
    """`mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7`; SACK counts from `first_back`."""
    words = []
    while options:
        kind = options[0]
        if kind in (_END, _NOP):
            words.append("eol" if kind == _END else "nop")
            if kind == _END:
                break
            options = options[1:]
            continue
        length = options[1] if len(options) > 1 else 0
        if not 2 <= length <= len(options):
            words.append("[bad opt]")
            break
        words.append(_option(kind, options[2:length], first_back))
        options = options[length:]
    return ",".join(words)


def _option(kind: int, value: bytes, first_back: int) -> str:
    number = int.from_bytes(value, "big")
    match kind, len(value):
        case (2, 2):
            return f"mss {number}"
        case (3, 1):
            return f"wscale {number}"
        case (4, 0):
            return "sackOK"
        case (8, 8):
            return "TS val {} ecr {}".format(*_PAIR.unpack(value))
        case (5, length) if length % 8 == 0:
            blocks = "".join(
                f"{{{(left - first_back) % _MODULUS}:{(right - first_back) % _MODULUS}}}"
                for left, right in _PAIR.iter_unpack(value)
            )
            return f"sack {length // 8} {blocks}"
    return f"unknown-{kind} 0x{value.hex()}" if value else f"unknown-{kind}"
