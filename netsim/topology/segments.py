"""Segments: the sets of interfaces that hear each other's broadcasts.

A segment is a group of connected switches with all that hangs on them, or a link between two
nodes that are not switches. Each is one subnet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netsim.topology.checked_topology import End, Layout


@dataclass(slots=True)
class Segment:
    """One broadcast domain."""

    switches: list[str] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    """Interfaces with addresses, ordered by node, then by link."""

    def title(self) -> str:
        """What a person calls it."""
        if self.switches:
            return f"the network at {', '.join(self.switches[:4])}"
        return f"the link {self.ends[0].node}–{self.ends[1].node}"


def find_segments(layout: Layout) -> list[Segment]:
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

    switched = {name: Segment() for name in leader if find(name) == name}
    keyed = [((order[name], -1, -1), segment) for name, segment in switched.items()]
    for name in leader:
        switched[find(name)].switches.append(name)
    for index, link in enumerate(layout.links):
        ends = [end for end in (link.a, link.b) if end.node not in leader]
        if len(ends) == 2:
            near, far = sorted(order[end.node] for end in ends)
            keyed.append(((far, near, index), Segment(ends=ends)))
        elif len(ends) == 1:
            at_switch = link.a if link.a.node in leader else link.b
            switched[find(at_switch.node)].ends.append(ends[0])
    for _, segment in keyed:
        segment.ends.sort(key=lambda end: order[end.node])
    return [segment for _, segment in sorted(keyed, key=lambda entry: entry[0])]
