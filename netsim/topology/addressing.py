"""An address for every interface that needs one.

A segment is what hears each other's broadcasts: connected switches with all that hangs on them, or
a link between two nodes that are not switches. Each is one subnet. Where a person gave an address,
its subnet is the segment's; every other segment gets the subnet of the pool whose number is its own
place among all segments (10.0.1.0/24 for the first), so that one more at the end moves none. Where
that one is given away or too small, the segment moves to the upper half of the pool.

Inside a subnet routers count up from .1 and computers from .10, in file order. Where computers run
out of numbers they count down from .9.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeAlias

from netsim.topology.checked_topology import LOOPBACK, End, Layout, Node
from netsim.topology.findings import Findings
from netsim.topology.misplaced_addresses import put_right

_FIRST_COMPUTER: Final = 10
_Address: TypeAlias = tuple[bytes, int]


def assign_addresses(
    layout: Layout, pool: tuple[bytes, int], subnet_length: int, findings: Findings
) -> tuple[dict[End, _Address], dict[End, tuple[_Address, ...]]]:
    """Packed address and prefix length of every end that is not at a switch, and further ones.

    Addresses that were given and cannot be kept are reported.
    """
    all_given = _given_addresses(layout, findings)
    given = {end: addresses[0] for end, addresses in all_given.items() if addresses}
    secondary = {end: addresses[1:] for end, addresses in all_given.items() if addresses[1:]}
    segments = _find_segments(layout)
    put_right([segment.ends for segment in segments], given, layout, findings)
    subnets = _given_subnets(segments, given, layout, findings)
    _refuse_overlaps(segments, subnets, given, layout, findings)
    others = _other_subnets(segments, subnets, secondary, layout, findings)
    pool_network = ipaddress.IPv4Network(pool)
    _assign_subnets(segments, subnets, others, pool_network, subnet_length, findings)
    addresses = {}
    for index, segment in enumerate(segments):
        if index in subnets:
            taken = {each for end in segment.ends for each, _ in all_given.get(end, ())}
            addresses.update(_assign_hosts(segment, subnets[index], given, taken, layout, findings))
    return addresses, secondary


def addressed_ends(layout: Layout) -> int:
    """How many ends of links need an address."""
    ends = [end for link in layout.links for end in (link.a, link.b)]
    return sum(layout.nodes[end.node].traits.has_stack for end in ends)


# Segments -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Segment:
    """One broadcast domain."""

    switches: list[str] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    """Interfaces with addresses, ordered by node, then by link."""

    def title(self) -> str:
        """What a person calls it."""
        if self.switches:
            return f"the network at {', '.join(self.switches[:4])}"
        return f"the link {self.ends[0].node}–{self.ends[1].node}"


def _find_segments(layout: Layout) -> list[_Segment]:
    """All segments, in an order that nodes added at the end of the file do not disturb.

    A segment stands where its first switch, or the later node of its link, stands among the
    nodes. What a new node brings with it so comes after everything there was.
    """
    order = {name: index for index, name in enumerate(layout.nodes)}
    leader = {name: name for name, node in layout.nodes.items() if node.traits.bridges}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for link in layout.links:
        if link.a.node in leader and link.b.node in leader:
            first, second = sorted((find(link.a.node), find(link.b.node)), key=order.__getitem__)
            leader[second] = first

    switched = {name: _Segment() for name in leader if find(name) == name}
    keyed = [((order[name], -1, -1), segment) for name, segment in switched.items()]
    for name in leader:
        switched[find(name)].switches.append(name)
    for index, link in enumerate(layout.links):
        ends = [end for end in (link.a, link.b) if end.node not in leader]
        if len(ends) == 2:
            near, far = sorted(order[end.node] for end in ends)
            keyed.append(((far, near, index), _Segment(ends=ends)))
        elif len(ends) == 1:
            at_switch = link.a if link.a.node in leader else link.b
            switched[find(at_switch.node)].ends.append(ends[0])
    for _, segment in keyed:
        segment.ends.sort(key=lambda end: order[end.node])
    return [segment for _, segment in sorted(keyed, key=lambda entry: entry[0])]


# Given ----------------------------------------------------------------------------------------


def _given_addresses(layout: Layout, findings: Findings) -> dict[End, tuple[_Address, ...]]:
    interfaces = layout.interfaces()
    given: dict[End, tuple[_Address, ...]] = {}
    for name, node in layout.nodes.items():
        own = interfaces[name]
        for interface, addresses in node.given_addresses.items():
            path = _path(node, interface)
            if interface == LOOPBACK:
                if any(length != 32 for _, length in addresses):
                    message = "an address of `lo` stands alone; write for example `10.255.0.1/32`"
                    findings.report(path, message)
                elif not node.traits.forwards:
                    message = f"nobody has a route to the `lo` of a {node.kind}; remove it"
                    findings.report(path, message, at_key=True)
                continue
            if interface.lower() in _LOOPBACKS and interface not in own:
                message = f"`{interface}` is another tool's loopback; write `{LOOPBACK}`"
                findings.report(path, message, at_key=True)
                continue
            if any(length == 32 for _, length in addresses):
                message = "`/32` cannot be a subnet; write a length up to 31, only `lo` has 32"
                findings.report(path, message)
                continue
            if interface == "" and len(own) > 1:
                form = ", ".join(f"{each}: …" for each in own)
                message = f"`{name}` has {len(own)} interfaces; write `address: {{{form}}}`"
                findings.report(path, message)
            elif interface == "" and own:
                given[End(name, own[0])] = addresses
            elif interface in own:
                given[End(name, interface)] = addresses
            elif not own:
                findings.report(path, f"`{name}` has no interface; write a link to it")
            else:
                links = "1 link leads" if len(own) == 1 else f"{len(own)} links lead"
                message = (
                    f"`{name}` has no interface `{interface}`, as {links} to it; "
                    f"{findings.suggest(interface, own)}, or a further link"
                )
                findings.report(path, message, at_key=True)
    return given


_LOOPBACKS: Final = ("lo0", "loopback", "loopback0", "system0")


def _path(node: Node, interface: str) -> Sequence[object]:
    written = interface if interface in node.given_addresses else ""
    return (*node.path, "address", written)


def _given_subnets(
    segments: Sequence[_Segment],
    given: dict[End, _Address],
    layout: Layout,
    findings: Findings,
) -> dict[int, ipaddress.IPv4Network]:
    """Subnets by the segment's index, where an address in it was given."""
    subnets: dict[int, ipaddress.IPv4Network] = {}
    for index, segment in enumerate(segments):
        first = None
        for end in segment.ends:
            if end not in given:
                continue
            subnet = ipaddress.IPv4Network(given[end], strict=False)
            if first is None:
                first, subnets[index] = end, subnet
            elif subnet != subnets[index]:
                shared = subnets[index]
                first_host, last_host = _hosts_of(shared)
                findings.report(
                    _path(layout.nodes[end.node], end.interface),
                    f"{ipaddress.IPv4Address(given[end][0])}/{given[end][1]} is outside "
                    f"{shared}, the subnet that `{first.node}` gives to {segment.title()}; write "
                    f"an address from {first_host}/{shared.prefixlen} to {last_host}",
                )
    return subnets


def _hosts_of(subnet: ipaddress.IPv4Network) -> tuple[ipaddress.IPv4Address, ...]:
    """The first and the last address that a host can have; in a /31 both are (RFC 3021)."""
    return (subnet[0], subnet[1]) if subnet.prefixlen == 31 else (subnet[1], subnet[-2])


def _refuse_overlaps(
    segments: Sequence[_Segment],
    subnets: dict[int, ipaddress.IPv4Network],
    given: dict[End, _Address],
    layout: Layout,
    findings: Findings,
) -> None:
    order = {name: place for place, name in enumerate(layout.nodes)}

    def giver(index: int) -> End:
        return next(end for end in segments[index].ends if end in given)

    widest: int | None = None
    # By start, and the wider first: a subnet overlaps one before it exactly when it starts
    # before the furthest end so far.
    for index in sorted(subnets, key=lambda each: (subnets[each].network_address, each)):
        if widest is not None and subnets[index].overlaps(subnets[widest]):
            one, other = sorted((index, widest), key=lambda each: order[giver(each).node])
            end, first = giver(other), giver(one)
            findings.report(
                _path(layout.nodes[end.node], end.interface),
                f"{subnets[other]} of {segments[other].title()} overlaps {subnets[one]} that "
                f"`{first.node}` gives to {segments[one].title()}; write an address from another "
                "subnet",
            )
        if widest is None or subnets[index].broadcast_address > subnets[widest].broadcast_address:
            widest = index


def _other_subnets(
    segments: Sequence[_Segment],
    subnets: dict[int, ipaddress.IPv4Network],
    secondary: dict[End, tuple[_Address, ...]],
    layout: Layout,
    findings: Findings,
) -> list[ipaddress.IPv4Network]:
    """Subnets and addresses besides those of the segments, which overlap none of them."""
    space = _Space(subnets.values())
    owner: dict[ipaddress.IPv4Network, int] = {subnet: at for at, subnet in subnets.items()}
    found: list[ipaddress.IPv4Network] = []

    def take(network: ipaddress.IPv4Network, at: int, path: Sequence[object]) -> None:
        if owner.get(network) == at:
            return
        if space.conflict(int(network[0]), int(network[-1])) is not None:
            message = f"{network} overlaps a subnet elsewhere; write an address from another subnet"
            findings.report(path, message)
            return
        owner[network] = at
        space.take(network)
        found.append(network)

    for at, segment in enumerate(segments):
        for end in segment.ends:
            for address in secondary.get(end, ()):
                path = _path(layout.nodes[end.node], end.interface)
                take(ipaddress.IPv4Network(address, strict=False), at, path)
    for number, node in enumerate(layout.nodes.values()):
        for own, _ in node.given_addresses.get(LOOPBACK, ()):
            take(ipaddress.IPv4Network((own, 32)), -1 - number, _path(node, LOOPBACK))
    return found


# Assigned -------------------------------------------------------------------------------------


class _Space:
    """Which parts of the address space are in use: disjoint ranges of numbers, sorted."""

    def __init__(self, used: Iterable[ipaddress.IPv4Network]) -> None:
        self._ranges: list[tuple[int, int]] = []
        for network in used:
            self.take(network)

    def take(self, network: ipaddress.IPv4Network) -> None:
        insort(self._ranges, (int(network[0]), int(network[-1])))

    def conflict(self, first: int, last: int) -> int | None:
        """The last number of a used range that overlaps `first`..`last`."""
        place = bisect_right(self._ranges, (last, 1 << 32))
        if place and self._ranges[place - 1][1] >= first:
            return self._ranges[place - 1][1]
        return None


def _assign_subnets(
    segments: Sequence[_Segment],
    subnets: dict[int, ipaddress.IPv4Network],
    others: Iterable[ipaddress.IPv4Network],
    pool: ipaddress.IPv4Network,
    length: int,
    findings: Findings,
) -> None:
    space = _Space([*subnets.values(), *others])
    waiting = []
    step = 1 << (32 - length)
    for index, segment in enumerate(segments):
        if index in subnets:
            continue
        first = int(pool[0]) + (index + 1) * step
        last = first + step - 1
        roomy = len(segment.ends) <= step - 2 and last <= int(pool[-1])
        if roomy and space.conflict(first, last) is None:
            subnets[index] = ipaddress.IPv4Network((first, length))
            space.take(subnets[index])
        else:
            waiting.append(index)
    for index in waiting:
        smallest = 32 - (len(segments[index].ends) + 1).bit_length()
        found = _free_subnet(space, pool, min(length, smallest))
        if found is None:
            findings.report(
                ("addressing",),
                f"{pool} has no room left for the subnet of {segments[index].title()}; write a "
                "larger pool, for example `addressing: 10.0.0.0/8`",
            )
            return
        subnets[index] = found
        space.take(found)


def _free_subnet(
    space: _Space, pool: ipaddress.IPv4Network, length: int
) -> ipaddress.IPv4Network | None:
    step = 1 << (32 - length)
    start, end = int(pool[0]), int(pool[-1]) + 1
    middle = start + (end - start) // 2
    for low, high in ((middle, end), (start, end)):
        first = -(-low // step) * step
        while first + step <= high:
            last_used = space.conflict(first, first + step - 1)
            if last_used is None:
                return ipaddress.IPv4Network((first, length))
            first = -(-(last_used + 1) // step) * step
    return None


def _assign_hosts(
    segment: _Segment,
    subnet: ipaddress.IPv4Network,
    given: dict[End, _Address],
    all_taken: Iterable[bytes],
    layout: Layout,
    findings: Findings,
) -> dict[End, _Address]:
    base = int(subnet[0])
    first, last = (int(address) - base for address in _hosts_of(subnet))
    taken = {int.from_bytes(address, "big") - base for address in all_taken}
    low = range(first, min(_FIRST_COMPUTER, last + 1))
    routers, computers = iter(low), chain(range(_FIRST_COMPUTER, last + 1), reversed(low))
    addresses = {}
    for end in segment.ends:
        if end in given:
            addresses[end] = given[end]
            continue
        host = None
        if layout.nodes[end.node].traits.forwards:
            host = next((number for number in routers if number not in taken), None)
        if host is None:
            host = next((number for number in computers if number not in taken), None)
        if host is None:
            findings.report(
                layout.nodes[end.node].path,
                f"{subnet} has no address left for `{end.node}`; give {segment.title()} a larger "
                "subnet",
                at_key=True,
            )
            break
        taken.add(host)
        addresses[end] = ((base + host).to_bytes(4, "big"), subnet.prefixlen)
    return addresses
