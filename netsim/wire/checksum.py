"""The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

The 16-bit one's complement sum of a byte string is the number it spells modulo 0xFFFF, so
Python's big integers add a thousand words at once. Long strings are first folded in halves,
which is cheaper than one long division (1.7 against 2.3 µs for 1460 bytes).
"""

from __future__ import annotations

from typing import Final

_FOLDS: Final = tuple((bits, (1 << bits) - 1) for bits in (6144, 3072, 1536, 768, 384))
"""Widths are multiples of 16, so folding keeps every word in its column."""
_WORTH_FOLDING: Final = 192


def word_sum(data: bytes | bytearray) -> int:
    """A number congruent modulo 0xFFFF to the sum of the big-endian 16-bit words of `data`.

    An odd last byte is padded with zero, as RFC 1071 says. Partial sums may be added up. Like
    the one's complement sum it is zero only when every word is.
    """
    total = int.from_bytes(data, "big")
    length = len(data)
    if length & 1:
        total <<= 8
    if length > _WORTH_FOLDING:
        for bits, mask in _FOLDS:
            if total > mask:
                total = (total >> bits) + (total & mask)
    return total % 0xFFFF or (total and 0xFFFF)


def internet_checksum(data: bytes, initial: int = 0) -> int:
    """The checksum to write into a header whose checksum field is zero in `data`.

    `initial` is a partial sum, for instance of a pseudo-header.
    """
    total = word_sum(data) + initial
    # One's complement has two zeroes: a sum is the negative one (0xFFFF) unless all words are 0.
    return 0xFFFF - (total % 0xFFFF or (total and 0xFFFF))


def is_valid(data: bytes, initial: int = 0) -> bool:
    """Whether `data`, which contains its checksum, sums to all ones with `initial`."""
    total = word_sum(data) + initial
    return total % 0xFFFF == 0 and total != 0


def pseudo_header_sum(source: bytes, destination: bytes, protocol: int) -> int:
    """Partial sum of the TCP/UDP pseudo-header without its length (RFC 9293 3.1, RFC 8200 8.1).

    The sum is the same function of the addresses for IPv4 and IPv6; add the length of the
    segment in bytes.
    """
    return int.from_bytes(source + destination, "big") % 0xFFFF + protocol


def update(checksum: int, old_word: int, new_word: int) -> int:
    """The checksum after one 16-bit word changed: RFC 1624 (3), HC' = ~(~HC + ~m + m')."""
    total = (checksum ^ 0xFFFF) + (old_word ^ 0xFFFF) + new_word
    total = (total & 0xFFFF) + (total >> 16)
    return ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF
