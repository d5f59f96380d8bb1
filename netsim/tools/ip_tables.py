"""A host's addresses, routes and neighbours as iproute2 shows them.

Each table is a list of the objects that `ip -json` prints; the lines are made from those.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

from netsim.stack.fib import Origin, Route
from netsim.stack.host import Host
from netsim.stack.interface import Interface
from netsim.stack.ip_layer import LOOPBACK_MTU
from netsim.stack.neighbour import Neighbour, State
from netsim.wire.address import IpAddress, format_ip, format_mac

Entry = dict[str, Any]

_FOREVER: Final = 2**32 - 1
"""What iproute2's JSON has for an address that stays."""
_PROTOCOLS: Final = {Origin.CONNECTED: "kernel", Origin.STATIC: "static"}
_LOOPBACK: Final[Entry] = {
    "ifindex": 1,
    "ifname": "lo",
    "flags": ["LOOPBACK", "UP", "LOWER_UP"],
    "mtu": LOOPBACK_MTU,
    "qdisc": "noqueue",
    "operstate": "UNKNOWN",
    "group": "default",
    "link_type": "loopback",
    "address": "00:00:00:00:00:00",
    "broadcast": "00:00:00:00:00:00",
    "addr_info": [
        {
            "family": "inet",
            "local": "127.0.0.1",
            "prefixlen": 8,
            "scope": "host",
            "label": "lo",
            "valid_life_time": _FOREVER,
            "preferred_life_time": _FOREVER,
        }
    ],
}


def addresses(host: Host) -> list[Entry]:
    """The interfaces with their addresses, `lo` first."""
    return [_loopback(host), *(_interface(interface) for interface in host.interfaces)]


def _loopback(host: Host) -> Entry:
    (standard,) = _LOOPBACK["addr_info"]
    own = [
        standard | {"local": format_ip(address), "prefixlen": len(address) * 8, "scope": "global"}
        for address in host.loopback
    ]
    return _LOOPBACK | {"addr_info": [standard, *own]}


def links(host: Host) -> list[Entry]:
    """The interfaces without their addresses, `lo` first."""
    return [
        {key: value for key, value in entry.items() if key != "addr_info"}
        for entry in addresses(host)
    ]


def link_lines(entry: Entry) -> list[str]:
    """The lines of one interface without its addresses."""
    return [
        f"{entry['ifindex']}: {entry['ifname']}: <{','.join(entry['flags'])}> "
        f"mtu {entry['mtu']} qdisc {entry['qdisc']} state {entry['operstate']} "
        f"group {entry['group']}",
        f"    link/{entry['link_type']} {entry['address']} brd {entry['broadcast']}",
    ]


def brief_link_lines(entry: Entry) -> list[str]:
    """The line of `ip -brief link`."""
    flags = ",".join(entry["flags"])
    return [f"{entry['ifname']:<16} {entry['operstate']:<14} {entry['address']} <{flags}> "]


def brief_address_lines(entry: Entry) -> list[str]:
    """The line of `ip -brief address`."""
    own = "".join(f"{each['local']}/{each['prefixlen']} " for each in entry["addr_info"])
    return [f"{entry['ifname']:<16} {entry['operstate']:<14} {own}"]


def address_lines(entry: Entry) -> list[str]:
    """The lines of one interface."""
    lines = link_lines(entry)
    for address in entry["addr_info"]:
        broadcast = f" brd {address['broadcast']}" if "broadcast" in address else ""
        lines.append(
            f"    {address['family']} {address['local']}/{address['prefixlen']}{broadcast} "
            f"scope {address['scope']} {address['label']}"
        )
        lines.append("       valid_lft forever preferred_lft forever")
    return lines


def routes(host: Host) -> list[Entry]:
    """The routing table in the order of prefixes, the default route first.

    Routes to one prefix whose cost is equal are one entry with several next hops.
    """

    def share(route: Route) -> tuple[Any, ...]:
        alone = route if route.gateway is None else None
        return route.prefix, route.prefix_length, route.origin.value, route.metric, id(alone)

    table = sorted(host.fib, key=lambda route: (route.prefix, route.prefix_length))
    return [_route(list(routes)) for _, routes in groupby(table, share)]


def route_to(host: Host, destination: IpAddress) -> Entry:
    """Where a packet to `destination` goes; NoRouteError where nothing leads there."""
    entry: Entry
    if host.ip.is_local(destination):
        entry = {"type": "local", "dst": format_ip(destination), "dev": "lo"}
        return entry | {"prefsrc": format_ip(destination), "flags": []}
    route = host.ip.route_to(destination)
    entry = {"dst": format_ip(destination)}
    if route.gateway is not None:
        entry["gateway"] = format_ip(route.gateway)
    return entry | {"dev": route.interface.name, "prefsrc": format_ip(route.source), "flags": []}


def route_lines(entry: Entry) -> list[str]:
    """The line of one route."""
    words = [entry["type"]] if "type" in entry else []
    words.append(entry["dst"])
    for key, word in (
        ("gateway", "via"),
        ("dev", "dev"),
        ("protocol", "proto"),
        ("scope", "scope"),
        ("prefsrc", "src"),
    ):
        if key in entry:
            words += [word, entry[key]]
    lines = [" ".join(words + entry["flags"])]
    for hop in entry.get("nexthops", ()):
        words = ["nexthop", "via", hop["gateway"], "dev", hop["dev"], "weight", str(hop["weight"])]
        lines.append("\t" + " ".join(words + hop["flags"]))
    return lines


def neighbours(host: Host, now: int) -> list[Entry]:
    """The neighbours of all interfaces at `now`."""
    return [
        _neighbour(interface, entry, now)
        for interface, cache in zip(host.interfaces, host.neighbours, strict=True)
        for entry in cache.entries()
    ]


def neighbour_lines(entry: Entry) -> list[str]:
    """The line of one neighbour."""
    words = [entry["dst"], "dev", entry["dev"]]
    if "lladdr" in entry:
        words += ["lladdr", entry["lladdr"]]
    return [" ".join(words + entry["state"])]


def _interface(interface: Interface) -> Entry:
    flags = ["BROADCAST", "MULTICAST", "UP"]
    return {
        # lo has index 1.
        "ifindex": interface.index + 2,
        "ifname": interface.name,
        "flags": [*flags, "LOWER_UP"] if interface.up else ["NO-CARRIER", *flags],
        "mtu": interface.mtu,
        "qdisc": "noqueue",
        "operstate": "UP" if interface.up else "DOWN",
        "group": "default",
        "link_type": "ether",
        "address": format_mac(interface.mac),
        "broadcast": "ff:ff:ff:ff:ff:ff",
        "addr_info": [
            {
                "family": "inet",
                "local": format_ip(entry.address),
                "prefixlen": entry.prefix_length,
                **({"broadcast": format_ip(entry.broadcast)} if entry.broadcast else {}),
                "scope": "global",
                "label": interface.name,
                "valid_life_time": _FOREVER,
                "preferred_life_time": _FOREVER,
            }
            for entry in interface.addresses
        ],
    }


def _route(routes: list[Route]) -> Entry:
    route = routes[0]
    if not route.prefix_length:
        destination = "default"
    elif route.prefix_length == len(route.prefix) * 8:
        destination = format_ip(route.prefix)
    else:
        destination = f"{format_ip(route.prefix)}/{route.prefix_length}"
    entry: Entry = {"dst": destination}
    if len(routes) > 1:
        hops = [
            {
                "gateway": format_ip(each.gateway or b""),
                "dev": each.interface.name,
                "weight": 1,
                "flags": _flags(each),
            }
            for each in routes
        ]
        return entry | {"protocol": _PROTOCOLS[route.origin], "flags": [], "nexthops": hops}
    if route.gateway is not None:
        entry["gateway"] = format_ip(route.gateway)
    entry |= {"dev": route.interface.name, "protocol": _PROTOCOLS[route.origin]}
    if route.gateway is None:
        entry |= {"scope": "link", "prefsrc": format_ip(route.source)}
    return entry | {"flags": _flags(route)}


def _flags(route: Route) -> list[str]:
    return [] if route.interface.up else ["linkdown"]


def _neighbour(interface: Interface, entry: Neighbour, now: int) -> Entry:
    state = entry.state
    if state is State.REACHABLE and now >= entry.fresh_until:
        # The cache notices when the entry is used next (RFC 4861 7.3.2).
        state = State.STALE
    document: Entry = {"dst": format_ip(entry.address), "dev": interface.name}
    if entry.mac is not None:
        document["lladdr"] = format_mac(entry.mac)
    return document | {"state": [state.value]}
