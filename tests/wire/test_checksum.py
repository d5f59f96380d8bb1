from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netsim.wire.checksum import (
    internet_checksum,
    is_valid,
    pseudo_header_sum,
    update,
    word_sum,
)

WORDS = st.integers(0, 0xFFFF)


def rfc_1071(data: bytes) -> int:
    """The loop of RFC 1071 4.1, word by word."""
    total = 0
    for position in range(0, len(data) - 1, 2):
        total += data[position] << 8 | data[position + 1]
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_the_example_of_rfc_1071() -> None:
    data = bytes.fromhex("0001f203f4f5f6f7")
    assert word_sum(data) == 0xDDF2
    assert internet_checksum(data) == 0x220D


def test_every_length_up_to_a_large_frame() -> None:
    random = Random(1)
    for length in range(1601):
        for data in (random.randbytes(length), bytes(length), b"\xff" * length):
            assert internet_checksum(data) == rfc_1071(data), (length, data[:2])


@given(st.binary(max_size=70_000))
def test_any_data(data: bytes) -> None:
    assert internet_checksum(data) == rfc_1071(data)


@given(st.binary(max_size=300), st.integers(0, 150), WORDS)
def test_a_message_with_its_checksum_is_valid_and_with_another_word_is_not(
    data: bytes, at: int, other: int
) -> None:
    position = min(at * 2, len(data) & ~1)
    blank = data[:position] + b"\0\0" + data[position:]
    checksum = internet_checksum(blank)

    def with_word(word: int) -> bytes:
        return data[:position] + word.to_bytes(2, "big") + data[position:]

    assert is_valid(with_word(checksum))
    # Receivers verify as RFC 1071 says: the sum over everything is all ones.
    assert is_valid(with_word(other)) == (rfc_1071(with_word(other)) == 0)


@pytest.mark.parametrize("length", [0, 1, 8, 20, 500])
def test_all_zeroes_are_not_a_valid_message(length: int) -> None:
    assert not is_valid(bytes(length))


@given(st.lists(st.binary(max_size=40).map(lambda data: data + bytes(len(data) % 2)), max_size=5))
def test_partial_sums_add_up(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    initial = sum(word_sum(part) for part in parts[1:])
    assert internet_checksum(parts[0] if parts else b"", initial) == rfc_1071(whole)


@pytest.mark.parametrize("octets", [4, 16])
@given(data=st.data())
def test_a_pseudo_header_is_summed_like_the_bytes_it_stands_for(
    octets: int, data: st.DataObject
) -> None:
    source = data.draw(st.binary(min_size=octets, max_size=octets))
    destination = data.draw(st.binary(min_size=octets, max_size=octets))
    payload = data.draw(st.binary(max_size=100))
    spelled = source + destination + bytes((0, 6)) + len(payload).to_bytes(2, "big")
    initial = pseudo_header_sum(source, destination, 6) + len(payload)
    assert internet_checksum(payload, initial) == rfc_1071(spelled + payload)


@given(st.binary(min_size=18, max_size=18).filter(any), st.integers(0, 8), WORDS)
@example(b"\xff" * 18, 0, 0)
@example(bytes(16) + b"\0\1", 0, 0xFFFF)
@example(bytes(16) + b"\0\1", 0, 0xFFFE)
@example(b"\xff\xfe" + bytes(16), 8, 1)
def test_an_update_equals_summing_again(words: bytes, index: int, new: int) -> None:
    position = index * 2
    old = int.from_bytes(words[position : position + 2], "big")
    changed = words[:position] + new.to_bytes(2, "big") + words[position + 2 :]
    if not any(changed):
        return  # No header is all zeroes; there alone the two zeroes of the sum differ.
    assert update(rfc_1071(words), old, new) == rfc_1071(changed)


def test_the_example_of_rfc_1624() -> None:
    assert update(0xDD2F, 0x5555, 0x3285) == 0x0000
