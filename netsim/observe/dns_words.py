"""A DNS message as tcpdump words it (RFC 1035 4.1)."""

from __future__ import annotations

import struct
from typing import Final

from netsim.wire.address import format_ip

_TYPES: Final = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV",
    41: "OPT", 65: "HTTPS", 255: "ANY",
}  # fmt: skip
_OPERATIONS: Final = ("", " inv_q", " stat", " op3", " notify", " update")
_REPLIES: Final = ("", " FormErr", " ServFail", " NXDomain", " NotImp", " Refused")
_IN: Final = 1
_MOST_ANSWERS: Final = 20
_LONGEST_NAME: Final = 255

_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")


def dns_words(message: bytes) -> str:
    """`1234+ A? web.`, `1234 1/0/0 A 10.0.3.10`; struct.error, IndexError for what is cut short."""
    number, flags, questions, answers, authorities, additional = _HEADER.unpack_from(message)
    operation = flags >> 11 & 0xF
    named = _OPERATIONS[operation] if operation < len(_OPERATIONS) else f" op{operation}"
    position = _HEADER.size
    if not flags & 0x8000:
        words = f"{number}{named}{'+' if flags & 0x0100 else ''}{'%' if flags & 0x0010 else ''}"
        for count, letters in ((answers, "a"), (authorities, "n"), (additional, "au")):
            words += f" [{count}{letters}]" if count else ""
        for _ in range(min(questions, _MOST_ANSWERS)):
            name, position = _name(message, position)
            kind, class_ = struct.unpack_from("!HH", message, position)
            position += 4
            words += f" {_type(kind)}{'' if class_ == _IN else f' Class{class_}'}? {name}"
        return words
    reply = flags & 0xF
    words = f"{number}{named}{_REPLIES[reply] if reply < len(_REPLIES) else f' Resp{reply}'}"
    words += "*" if flags & 0x0400 else ""
    words += "" if flags & 0x0080 else "-"
    words += "|" if flags & 0x0200 else ""
    words += "$" if flags & 0x0020 else ""
    words += f" [{questions}q]" if questions != 1 else ""
    words += f" {answers}/{authorities}/{additional}"
    for _ in range(min(questions, _MOST_ANSWERS)):
        position = _name(message, position)[1] + 4
    told = []
    for _ in range(min(answers, _MOST_ANSWERS)):
        text, position = _record(message, position)
        told.append(text)
    return words + (" " + ", ".join(told) if told else "")


def _record(message: bytes, position: int) -> tuple[str, int]:
    """One answer, and where the next begins."""
    _, position = _name(message, position)
    kind, _, _, length = _RECORD.unpack_from(message, position)
    position += _RECORD.size
    data = message[position : position + length]
    words = _type(kind)
    match words:
        case "A" | "AAAA" if len(data) in (4, 16):
            words += f" {format_ip(data)}"
        case "NS" | "CNAME" | "PTR":
            words += f" {_name(message, position)[0]}"
        case "MX":
            preference = int.from_bytes(data[:2], "big")
            words += f" {_name(message, position + 2)[0]} {preference}"
        case "TXT":
            text = data[1 : 1 + data[0]] if data else b""
            words += f' "{_text(text)}"'
    return words, position + length


def _name(message: bytes, position: int) -> tuple[str, int]:
    """A name, and what comes behind it; RFC 1035 4.1.4: the rest may be a pointer."""
    labels: list[str] = []
    after = None
    for _ in range(_LONGEST_NAME):
        length = message[position]
        if length >= 0xC0:
            after = position + 2 if after is None else after
            position = (length & 0x3F) << 8 | message[position + 1]
            continue
        position += 1
        if not length:
            break
        labels.append(_text(message[position : position + length]))
        position += length
    return "".join(f"{label}." for label in labels) or ".", position if after is None else after


def _text(data: bytes) -> str:
    return "".join(chr(each) if 32 < each < 127 else "." for each in data)


def _type(kind: int) -> str:
    return _TYPES.get(kind, f"Type{kind}")
