from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.wire.address import (
    broadcast_of,
    format_ip,
    format_mac,
    is_multicast_ip,
    is_multicast_mac,
    network_of,
    parse_ip,
    prefix_mask,
)

IPV4 = st.binary(min_size=4, max_size=4)
IPV6 = st.binary(min_size=16, max_size=16)


@given(st.binary(min_size=6, max_size=6))
def test_a_mac_is_written_octet_by_octet(mac: bytes) -> None:
    assert bytes.fromhex(format_mac(mac).replace(":", " ")) == mac


@given(IPV4 | IPV6)
def test_an_address_survives_being_written(address: bytes) -> None:
    assert parse_ip(format_ip(address)) == address
    assert format_ip(address) == str(ipaddress.ip_address(address))


@pytest.mark.parametrize("text", ["", "02:00:00:01:00:00", "10.0.0", "10.0.0.256", "fd00:::1"])
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_ip(text)


@given(IPV4 | IPV6, st.data())
def test_networks_are_those_of_the_standard_library(address: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(address) * 8))
    theirs = ipaddress.ip_network((address, length), strict=False)
    assert network_of(address, length) == theirs.network_address.packed
    assert prefix_mask(length, len(address)) == int(theirs.netmask)
    if len(address) == 4:
        assert broadcast_of(address, length) == theirs.broadcast_address.packed


@given(IPV4 | IPV6)
def test_multicast_is_that_of_the_standard_library(address: bytes) -> None:
    assert is_multicast_ip(address) == ipaddress.ip_address(address).is_multicast


def test_the_group_bit_of_a_mac() -> None:
    assert is_multicast_mac(b"\xff" * 6)
    assert is_multicast_mac(bytes.fromhex("01005e000001"))
    assert not is_multicast_mac(bytes.fromhex("020000010000"))
