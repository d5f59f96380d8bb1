"""Options of the IPv4 header: what is malformed, and where; scapy wrote the good ones."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.wire import ipv4_options
from netsim.wire.address import format_ip, parse_ip
from netsim.wire.ipv4_options import OptionError

with warnings.catch_warnings():
    # scapy and the cryptography it imports warn about their own deprecations.
    warnings.simplefilter("ignore")
    from scapy.layers.inet import (
        IPOption_LSRR,
        IPOption_NOP,
        IPOption_Router_Alert,
        IPOption_RR,
        IPOption_Timestamp,
    )

A, B, C = (parse_ip(f"10.0.0.{number}") for number in (1, 2, 3))
ROUTER_ALERT = b"\x94\x04\0\0"


def test_kinds_are_found_among_padding() -> None:
    options = bytes(IPOption_NOP()) + ROUTER_ALERT + bytes(IPOption_RR(routers=["0.0.0.0"]))
    assert ipv4_options.split(options + b"\0\xff") == [(148, 1, 5), (7, 5, 12)]
    assert ipv4_options.verify(options) == [148, 7]


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        (b"\x07", 20),
        (b"\x01\x01\x01\x63", 23),
        (b"\x63\x00\x00\x00", 21),
        (b"\x63\x01\x00\x00", 21),
        (b"\x63\x05\x00\x00", 21),
        (b"\x01\x63\x07\x00", 22),
        (b"\x07\x02\x00\x00", 21),
        (b"\x07\x07\x03\0\0\0\0\0", 22),
        (b"\x07\x07\x05\0\0\0\0\0", 22),
        (b"\x07\x07\x07\0\0\0\0\0", 22),
        (b"\x07\x0b\x04" + bytes(8) + b"\x01\x07\x03\x04\0", 32),
        (b"\x44\x03\x05\0", 21),
        (b"\x44\x04\x04\0", 22),
    ],
)
def test_what_is_wrong_is_pointed_at(options: bytes, pointer: int) -> None:
    with pytest.raises(OptionError) as caught:
        ipv4_options.verify(options)
    assert (caught.value.pointer, caught.value.reason) == (pointer, "ipv4-option")


@pytest.mark.parametrize(
    "options",
    [
        b"",
        b"\0\xff\xff\xff",
        b"\x63\x02\x01\x01",
        b"\x07\x03\x04\0",
        b"\x07\x07\x08\0\0\0\0\0",
        b"\x07\x07\xff\0\0\0\0\0",
        bytes(IPOption_Timestamp(timestamp=1)),
        bytes(IPOption_LSRR(routers=["10.0.0.1"])),
        bytes(IPOption_Router_Alert()),
    ],
)
def test_what_is_well_formed_is_accepted(options: bytes) -> None:
    ipv4_options.verify(options)


def test_a_route_is_recorded_until_it_is_full() -> None:
    options = ROUTER_ALERT + ipv4_options.record_route(2)
    assert len(options) % 4 == 0
    for address in (A, B):
        options = ipv4_options.record(options, address)
        ipv4_options.verify(options)
    expected = bytes(IPOption_RR(pointer=12, routers=[format_ip(A), format_ip(B)]))
    assert options == ROUTER_ALERT + expected + b"\0"
    assert ipv4_options.record(options, C) == options
    assert ipv4_options.recorded_route(options) == [A, B]
    assert ipv4_options.only(options, ipv4_options.RECORD_ROUTE) == expected + b"\0"


def test_nine_addresses_fill_the_header() -> None:
    assert len(ipv4_options.record_route(ipv4_options.MAX_ROUTE)) == 40


def test_without_a_record_there_is_nothing_to_record() -> None:
    assert ipv4_options.record(ROUTER_ALERT, A) == ROUTER_ALERT
    assert ipv4_options.recorded_route(ROUTER_ALERT) == []
    assert ipv4_options.only(ROUTER_ALERT, ipv4_options.RECORD_ROUTE) == b""


def test_later_fragments_carry_what_is_to_be_copied() -> None:
    options = ipv4_options.record_route(1) + b"\x01" + b"\x83\x03\x04" + ROUTER_ALERT
    assert ipv4_options.of_later_fragments(ipv4_options.record_route(3)) == b""
    # Padding behind the record ends the list.
    assert ipv4_options.of_later_fragments(options) == b""
    assert ipv4_options.of_later_fragments(options[8:]) == b"\x83\x03\x04" + ROUTER_ALERT + b"\0"


@given(st.one_of(st.binary(max_size=40), st.lists(st.integers(0, 12), max_size=40).map(bytes)))
def test_whatever_it_is_it_is_split_or_pointed_at(options: bytes) -> None:
    try:
        kinds = ipv4_options.verify(options)
    except OptionError as error:
        pointer = error.pointer
    else:
        check_recording(options, kinds)
        return
    assert 20 <= pointer < 20 + len(options)


def check_recording(options: bytes, kinds: list[int]) -> None:
    found = ipv4_options.split(options)
    assert [kind for kind, _, _ in found] == kinds
    assert all(before[2] <= after[1] for before, after in pairwise(found))
    recorded = ipv4_options.record(options, A)
    assert len(recorded) == len(options)
    assert ipv4_options.verify(recorded) == kinds
    was, is_now = ipv4_options.recorded_route(options), ipv4_options.recorded_route(recorded)
    assert is_now in (was, [*was, A])
