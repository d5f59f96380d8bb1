from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from netsim.stack import fib as fib_module
from netsim.stack.fib import Fib, Origin, Route
from netsim.stack.interface import Interface, InterfaceAddress
from netsim.wire.address import parse_ip

INTERFACES = [Interface(index, f"eth{index}", bytes(6)) for index in range(3)]
PREFIXES = st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 32))


def route(
    prefix: str, *, on: int = 0, origin: Origin = Origin.STATIC, via: str | None = "10.0.0.9"
) -> Route:
    address, _, length = prefix.partition("/")
    gateway = parse_ip(via) if via else None
    return Route(parse_ip(address), int(length), INTERFACES[on], gateway, b"\x0a\0\0\1", origin)


def table(*routes: Route) -> Fib:
    for interface in INTERFACES:
        interface.up = True
    fib = Fib()
    for each in routes:
        fib.add(each)
    return fib


def test_the_longest_prefix_wins_and_the_default_route_takes_the_rest() -> None:
    default, wide, narrow = route("0.0.0.0/0"), route("10.1.0.0/16"), route("10.1.2.0/24")
    fib = table(wide, narrow, default)
    assert fib.lookup(parse_ip("10.1.2.3")) is narrow
    assert fib.lookup(parse_ip("10.1.3.3")) is wide
    assert fib.lookup(parse_ip("192.0.2.1")) is default
    assert list(fib) == [narrow, wide, default]


def test_without_a_route_there_is_none_also_when_asked_again() -> None:
    fib = table(route("10.1.0.0/16"))
    assert fib.lookup(parse_ip("10.2.0.1")) is None
    assert fib.lookup(parse_ip("10.2.0.1")) is None


def test_a_new_route_is_seen_by_those_who_asked_before() -> None:
    fib = table(route("10.0.0.0/8"))
    assert fib.lookup(parse_ip("10.1.2.3")) is not None
    better = route("10.1.2.0/24")
    fib.add(better)
    assert fib.lookup(parse_ip("10.1.2.3")) is better


def test_a_connected_subnet_goes_before_a_static_route_whichever_comes_first() -> None:
    connected = route("10.1.2.0/24", origin=Origin.CONNECTED, via=None)
    static = route("10.1.2.0/24", on=1)
    for order in ((connected, static), (static, connected)):
        assert table(*order).lookup(parse_ip("10.1.2.3")) is connected


def test_a_subnet_whose_cable_is_cut_is_reached_the_long_way_round() -> None:
    connected = route("10.1.2.0/24", on=0, origin=Origin.CONNECTED, via=None)
    static, default = route("10.1.2.0/24", on=1), route("0.0.0.0/0", on=2)
    fib = table(connected, static, default)
    for down, expected in ((0, static), (1, default), (2, None)):
        INTERFACES[down].up = False
        fib.changed()
        assert fib.lookup(parse_ip("10.1.2.3")) is expected
    INTERFACES[0].up = True
    fib.changed()
    assert fib.lookup(parse_ip("10.1.2.3")) is connected


def test_the_same_route_again_replaces_the_old_one() -> None:
    new = route("10.1.2.0/24", via="10.0.0.8")
    fib = table(route("10.1.2.0/24", via="10.0.0.7"), new)
    assert list(fib) == [new]


def test_withdrawing_static_routes_leaves_the_connected_ones() -> None:
    connected = route("10.1.2.0/24", origin=Origin.CONNECTED, via=None)
    fib = table(connected, route("10.1.2.0/24", on=1), route("10.1.0.0/16"))
    assert fib.lookup(parse_ip("10.1.9.9")) is not None
    fib.remove_all(Origin.STATIC)
    assert list(fib) == [connected]
    assert fib.lookup(parse_ip("10.1.9.9")) is None


def test_one_static_route_is_withdrawn_and_the_others_stay() -> None:
    connected = route("10.1.2.0/24", origin=Origin.CONNECTED, via=None)
    wide = route("10.1.0.0/16")
    fib = table(connected, route("10.1.2.0/24", on=1), wide, route("10.3.0.0/16"))
    assert fib.lookup(parse_ip("10.3.0.1")) is not None
    fib.remove(parse_ip("10.1.2.0"), 24, Origin.STATIC)
    fib.remove(parse_ip("10.3.0.0"), 16, Origin.STATIC)
    fib.remove(parse_ip("10.4.0.0"), 14, Origin.STATIC)
    assert list(fib) == [connected, wide]
    assert fib.lookup(parse_ip("10.3.0.1")) is None


def test_a_scan_of_the_whole_address_space_does_not_fill_the_memory() -> None:
    fib = table(route("10.0.0.0/8"))
    for host in range(3 * fib_module._CACHE_LIMIT):
        assert fib.lookup(host.to_bytes(4, "big")) is None
        assert len(fib._cache) <= fib_module._CACHE_LIMIT


def test_addresses_of_sixteen_octets_work_as_well() -> None:
    narrow = route("fd00:1::/32", via="fd00::9")
    fib = table(narrow, route("fd00::/8", via="fd00::8"))
    assert fib.lookup(parse_ip("fd00:1:2::3")) is narrow
    assert fib.lookup(parse_ip("fe80::1")) is None


@given(
    prefixes=st.lists(PREFIXES, max_size=30),
    down=st.sets(st.integers(0, 2)),
    asked=st.lists(st.integers(0, 0xFFFFFFFF), max_size=10),
)
def test_lookups_agree_with_a_search_through_all_routes(
    prefixes: list[tuple[int, int]], down: set[int], asked: list[int]
) -> None:
    networks = {
        ipaddress.ip_network((number, length), strict=False): None for number, length in prefixes
    }
    routes = {network: route(str(network), on=index % 3) for index, network in enumerate(networks)}
    fib = table(*routes.values())
    for index in down:
        INTERFACES[index].up = False
    # Addresses at random seldom fall into a prefix, so ask for the ends of each as well.
    for number in [*asked, *(int(n[0]) for n in networks), *(int(n[-1]) for n in networks)]:
        address = ipaddress.ip_address(number.to_bytes(4, "big"))
        matching = [
            network for network in networks if address in network and routes[network].interface.up
        ]
        best = max(matching, key=lambda network: network.prefixlen, default=None)
        expected = None if best is None else routes[best]
        assert fib.lookup(address.packed) is expected
        assert fib.lookup(address.packed) is expected


def test_an_interface_address_knows_its_subnet() -> None:
    address = InterfaceAddress(parse_ip("10.0.3.10"), 24)
    assert address.network == parse_ip("10.0.3.0")
    assert address.broadcast == parse_ip("10.0.3.255")
    assert address.contains(parse_ip("10.0.3.254"))
    assert not address.contains(parse_ip("10.0.4.1"))
    assert not address.contains(parse_ip("fd00::1"))


def test_point_to_point_and_ipv6_subnets_have_no_broadcast() -> None:
    for text, length in (("10.0.0.0", 31), ("10.0.0.1", 32), ("fd00::1", 64)):
        assert InterfaceAddress(parse_ip(text), length).broadcast is None
