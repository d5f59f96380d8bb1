"""A host's addresses, routes and neighbours as iproute2 shows them.

Each table is a list of the objects that `ip -json` prints; the lines are made from those.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from netsim.node.port import Port
from netsim.stack.fib import Origin, Route
from netsim.stack.host import Host
from netsim.stack.interface import Interface
from netsim.stack.ip_layer import LOOPBACK_MTU
from netsim.stack.neighbour import Neighbour, State
from netsim.wire import ethernet
from netsim.wire.address import IpAddress, format_ip, format_mac

Entry = dict[str, Any]

_FOREVER: Final = 2**32 - 1
"""What iproute2's JSON has for an address that stays."""
_PROTOCOLS: Final = {
    Origin.CONNECTED: "kernel",
    Origin.STATIC: "static",
    Origin.COMPUTED: "netsim",
}
"""As a routing daemon's routes have its name in Linux."""
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


def with_statistics(table: list[Entry], host: Host, ports: Sequence[Port]) -> list[Entry]:
    """Interfaces with their counters; the names are iproute2's.

    Sent is what was given to the queue of the cable, with what the queue dropped. What a cable
    loses no interface sees. `lo` counts octets with the header that Linux gives frames there.
    """
    packets = host.ip_input.looped_packets
    octets = host.ip_input.looped_bytes + packets * ethernet.HEADER_LENGTH
    by_name = {port.name: _statistics(port) for port in ports}
    by_name["lo"] = _stats64(octets, packets, 0, octets, packets, 0, 0, 0)
    return [entry | {"stats64": by_name[entry["ifname"]]} for entry in table]


def _statistics(port: Port) -> Entry:
    sent, dropped = port.egress.counters, port.egress.counters.dropped
    return _stats64(
        port.delivered_bytes,
        port.delivered,
        sum(port.ingress_dropped.values()),
        sent.sent_bytes,
        sent.sent,
        dropped.get("mtu", 0),
        dropped.get("queue", 0) + dropped.get("aqm", 0),
        dropped.get("carrier", 0),
    )


def _stats64(
    rx_bytes: int,
    rx_packets: int,
    rx_dropped: int,
    tx_bytes: int,
    tx_packets: int,
    tx_errors: int,
    tx_dropped: int,
    carrier_errors: int,
) -> Entry:
    return {
        "rx": {
            "bytes": rx_bytes,
            "packets": rx_packets,
            "errors": 0,
            "dropped": rx_dropped,
            "over_errors": 0,
            "multicast": 0,
        },
        "tx": {
            "bytes": tx_bytes,
            "packets": tx_packets,
            "errors": tx_errors,
            "dropped": tx_dropped,
            "carrier_errors": carrier_errors,
            "collisions": 0,
        },
    }


def statistics_lines(stats: Entry) -> list[str]:
    """The lines of `ip -statistics` below an interface, with the blanks at their ends."""
    columns = [list(stats["rx"].values()), list(stats["tx"].values())]
    least = (len("*X errors:"), *map(len, ("packets", "errors", "dropped", "heartbt", "overrun")))
    widths = [
        max(width, *(len(str(value)) for value in values))
        for width, *values in zip(least, *columns, strict=True)
    ]
    lines = []
    for way, heads, values in zip(
        ("RX", "TX"),
        (
            ("bytes", "packets", "errors", "dropped", "missed", "mcast"),
            ("bytes", "packets", "errors", "dropped", "carrier", "collsns"),
        ),
        columns,
        strict=True,
    ):
        first, *rest = zip(heads, widths, strict=True)
        words = [f"{first[0]:>{first[1] - 4}}", *(f"{head:>{width}}" for head, width in rest)]
        lines.append(f"    {way}: {' '.join(words)} {'':{len('compressed')}}")
        numbers = zip(values, widths, strict=True)
        lines.append("    " + "".join(f"{value:{width}} " for value, width in numbers))
    return lines


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
