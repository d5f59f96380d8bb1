from __future__ import annotations

import ipaddress
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.stack import fib as fib_module
from netsim.stack.equal_cost import flow_key
from netsim.stack.fib import Fib, Origin, Route
from netsim.stack.interface import Interface, InterfaceAddress
from netsim.wire.address import parse_ip

INTERFACES = [Interface(index, f"eth{index}", bytes(6)) for index in range(3)]
SOURCE = b"\x0a\0\0\1"
PREFIXES = st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 32))


def route(
    prefix: str,
    *,
    on: int = 0,
    origin: Origin = Origin.STATIC,
    via: str | None = "10.0.0.9",
    metric: int = 0,
) -> Route:
    address, _, length = prefix.partition("/")
    gateway = parse_ip(via) if via else None
    return Route(parse_ip(address), int(length), INTERFACES[on], gateway, SOURCE, origin, metric)


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
    assert fib.lookup(parse_ip("10.1.2.3")) == (narrow,)
    assert fib.lookup(parse_ip("10.1.3.3")) == (wide,)
    assert fib.lookup(parse_ip("192.0.2.1")) == (default,)
    assert list(fib) == [narrow, wide, default]


def test_without_a_route_there_is_none_also_when_asked_again() -> None:
    fib = table(route("10.1.0.0/16"))
    assert fib.lookup(parse_ip("10.2.0.1")) == ()
    assert fib.lookup(parse_ip("10.2.0.1")) == ()


def test_a_new_route_is_seen_by_those_who_asked_before() -> None:
    fib = table(route("10.0.0.0/8"))
    assert fib.lookup(parse_ip("10.1.2.3"))
    better = route("10.1.2.0/24")
    fib.add(better)
    assert fib.lookup(parse_ip("10.1.2.3")) == (better,)


def test_a_connected_subnet_goes_before_a_static_route_whichever_comes_first() -> None:
    connected = route("10.1.2.0/24", origin=Origin.CONNECTED, via=None)
    static = route("10.1.2.0/24", on=1)
    for order in ((connected, static), (static, connected)):
        assert table(*order).lookup(parse_ip("10.1.2.3")) == (connected,)


def test_a_subnet_whose_cable_is_cut_is_reached_the_long_way_round() -> None:
    connected = route("10.1.2.0/24", on=0, origin=Origin.CONNECTED, via=None)
    static, default = route("10.1.2.0/24", on=1), route("0.0.0.0/0", on=2)
    fib = table(connected, static, default)
    for down, expected in ((0, (static,)), (1, (default,)), (2, ())):
        INTERFACES[down].up = False
        fib.changed()
        assert fib.lookup(parse_ip("10.1.2.3")) == expected
    INTERFACES[0].up = True
    fib.changed()
    assert fib.lookup(parse_ip("10.1.2.3")) == (connected,)


def test_the_same_route_again_replaces_the_old_one() -> None:
    new = route("10.1.2.0/24")
    fib = table(route("10.1.2.0/24"), new)
    assert list(fib) == [new]


def test_of_unequal_routes_the_cheapest_that_is_up() -> None:
    cheap, dear = route("10.1.2.0/24", metric=1), route("10.1.2.0/24", on=1, metric=2)
    for order in ((cheap, dear), (dear, cheap)):
        fib = table(*order)
        assert fib.lookup(parse_ip("10.1.2.3")) == (cheap,)
        INTERFACES[0].up = False
        fib.changed()
        assert fib.lookup(parse_ip("10.1.2.3")) == (dear,)


def test_equal_routes_share_while_they_are_up() -> None:
    routes = tuple(route("10.1.2.0/24", on=index) for index in range(3))
    fib = table(*routes, route("10.1.2.0/24", on=1, via="10.0.0.8", metric=9))
    assert fib.lookup(parse_ip("10.1.2.3")) == routes
    INTERFACES[1].up = False
    fib.changed()
    assert fib.lookup(parse_ip("10.1.2.3")) == (routes[0], routes[2])


def test_two_gateways_over_one_interface_share_as_well() -> None:
    routes = route("10.1.2.0/24", via="10.0.0.7"), route("10.1.2.0/24", via="10.0.0.8")
    fib = table(*routes)
    assert fib.lookup(parse_ip("10.1.2.3")) == routes
    assert {fib.choose(routes, flow) for flow in flows(100)} == set(routes)


def test_two_interfaces_in_one_subnet_do_not_share() -> None:
    first, second = (
        route("10.1.2.0/24", on=index, origin=Origin.CONNECTED, via=None) for index in (0, 1)
    )
    assert table(first, second).lookup(parse_ip("10.1.2.3")) == (first,)


# Flows ----------------------------------------------------------------------------------------


def flows(number: int) -> list[bytes]:
    here, there = parse_ip("10.1.2.3"), parse_ip("10.9.8.7")
    return [
        flow_key(here, there, 6, (40000 + port).to_bytes(2, "big") + b"\0\x50")
        for port in range(number)
    ]


@pytest.mark.parametrize("ways", [2, 3])
def test_flows_spread_evenly(ways: int) -> None:
    routes = tuple(route("10.1.2.0/24", on=index) for index in range(ways))
    fib = table(*routes)
    taken = Counter(fib.choose(routes, flow).interface.name for flow in flows(3000))
    assert all(0.9 < share * ways / 3000 < 1.1 for share in taken.values())


def test_a_flow_stays_and_others_stay_when_a_way_goes() -> None:
    routes = tuple(route("10.1.2.0/24", on=index) for index in range(3))
    fib = table(*routes)
    before = {flow: fib.choose(routes, flow) for flow in flows(300)}
    assert before == {flow: fib.choose(routes, flow) for flow in flows(300)}
    INTERFACES[1].up = False
    fib.changed()
    left = fib.lookup(parse_ip("10.1.2.3"))
    for flow, route_before in before.items():
        if route_before is not routes[1]:
            assert fib.choose(left, flow) is route_before
    INTERFACES[1].up = True
    fib.changed()
    assert before == {flow: fib.choose(routes, flow) for flow in flows(300)}


def test_a_second_router_does_not_choose_as_the_first_did() -> None:
    routes = route("10.1.2.0/24", on=0), route("10.1.2.0/24", on=1)
    first, second = Fib("leaf1"), Fib("spine1")
    for fib in (first, second):
        for each in routes:
            fib.add(each)
    taken = Counter(
        (first.choose(routes, flow), second.choose(routes, flow)) for flow in flows(2000)
    )
    assert len(taken) == 4
    assert min(taken.values()) > 400


def test_flows_without_end_do_not_fill_the_memory() -> None:
    routes = route("10.1.2.0/24", on=0), route("10.1.2.0/24", on=1)
    fib = table(*routes)
    for flow in flows(2 * fib_module._CACHE_LIMIT):
        fib.choose(routes, flow)
        assert len(fib._flows) <= fib_module._CACHE_LIMIT


def test_ports_count_where_there_are_any() -> None:
    here, there, ports = parse_ip("10.1.2.3"), parse_ip("10.9.8.7"), b"\x9c\x40\0\x50"
    for protocol in (6, 17):
        assert flow_key(here, there, protocol, ports) != flow_key(here, there, protocol)
    assert flow_key(here, there, 1, ports) == flow_key(here, there, 1)


def test_withdrawing_static_routes_leaves_the_connected_ones() -> None:
    connected = route("10.1.2.0/24", origin=Origin.CONNECTED, via=None)
    fib = table(connected, route("10.1.2.0/24", on=1), route("10.1.0.0/16"))
    assert fib.lookup(parse_ip("10.1.9.9"))
    fib.remove_all(Origin.STATIC)
    assert list(fib) == [connected]
    assert fib.lookup(parse_ip("10.1.9.9")) == ()


def test_one_static_route_is_withdrawn_and_the_others_stay() -> None:
    connected = route("10.1.2.0/24", origin=Origin.CONNECTED, via=None)
    wide = route("10.1.0.0/16")
    fib = table(connected, route("10.1.2.0/24", on=1), wide, route("10.3.0.0/16"))
    assert fib.lookup(parse_ip("10.3.0.1"))
    fib.remove(parse_ip("10.1.2.0"), 24, Origin.STATIC)
    fib.remove(parse_ip("10.3.0.0"), 16, Origin.STATIC)
    fib.remove(parse_ip("10.4.0.0"), 14, Origin.STATIC)
    assert list(fib) == [connected, wide]
    assert fib.lookup(parse_ip("10.3.0.1")) == ()


def test_a_scan_of_the_whole_address_space_does_not_fill_the_memory() -> None:
    fib = table(route("10.0.0.0/8"))
    for host in range(3 * fib_module._CACHE_LIMIT):
        assert fib.lookup(host.to_bytes(4, "big")) == ()
        assert len(fib._cache) <= fib_module._CACHE_LIMIT


def test_addresses_of_sixteen_octets_work_as_well() -> None:
    narrow = route("fd00:1::/32", via="fd00::9")
    fib = table(narrow, route("fd00::/8", via="fd00::8"))
    assert fib.lookup(parse_ip("fd00:1:2::3")) == (narrow,)
    assert fib.lookup(parse_ip("fe80::1")) == ()


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
        expected = () if best is None else (routes[best],)
        assert fib.lookup(address.packed) == expected
        assert fib.lookup(address.packed) == expected


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
