"""Addresses that were written for another interface of their node.

Interfaces are numbered in the order of `links`, which a person may have had in mind otherwise, or
one link was forgotten. Told where it happened, or each neighbour would be blamed for it.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from netsim.topology.checked_topology import LOOPBACK, End, Layout
from netsim.topology.findings import Findings

_Address = tuple[bytes, int]


def put_right(
    segments: Iterable[Sequence[End]],
    given: dict[End, _Address],
    layout: Layout,
    findings: Findings,
) -> None:
    """Report addresses that fit where another of their node stands, and exchange them in `given`.

    So whatever else is amiss is seen as it is. `segments` are the interfaces of each.
    """
    peers = {end: peer for link in layout.links for end, peer in _both(link.a, link.b)}
    said: dict[End, Counter[ipaddress.IPv4Network]] = {}
    for members in segments:
        subnets = Counter(_subnet(given[each]) for each in members if each in given)
        said |= dict.fromkeys(members, subnets)

    def fits(address: _Address, end: End) -> bool | None:
        """Whether it is in the subnet of the others there; None where none of them says."""
        others = said[end] - Counter([_subnet(given[end])] if end in given else [])
        return _subnet(address) in others if others else None

    def give(end: End, address: _Address) -> None:
        said[end][_subnet(given[end])] -= 1
        said[end][_subnet(address)] += 1
        given[end] = address

    for end, address in list(given.items()):
        written = _written_elsewhere(end, layout)
        if not written or fits(given[end], end) is not False:
            continue
        where = next((each for each in written if fits(written[each], end)), None)
        if where is None:
            continue
        other = End(end.node, where)
        if other in given and fits(address, other) is not False:
            give(other, address)
            hint = "exchange the two"
        else:
            hint = "write the link that is missing before it"
        give(end, written[where])
        findings.report(
            (*layout.nodes[end.node].path, "address", end.interface),
            f"`{end.node}:{end.interface}` is the link to `{peers[end].node}` (interfaces are "
            f"numbered in the order of `links`), and the address of `{where}` fits there; {hint}",
        )


def _subnet(address: _Address) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(address, strict=False)


def _written_elsewhere(end: End, layout: Layout) -> dict[str, _Address]:
    """The addresses of the node's other interfaces, and of those that it has not."""
    written = layout.nodes[end.node].given_addresses
    named = {each: own[0] for each, own in written.items() if each not in (LOOPBACK, "")}
    return {each: named[each] for each in named if each != end.interface}


def _both(a: End, b: End) -> Iterator[tuple[End, End]]:
    yield a, b
    yield b, a
