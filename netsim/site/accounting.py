"""The counters of all links: of nodes that are up, and of those that are gone.

A direction's frames obey

    sent + duplicated = sum(dropped) + queued + handed_over
    handed_over = sum(lost) + received + those on the wire
    received = delivered + sum(dropped) + in_flight

Frames travel between sites in messages of at most `FRAMES_IN_A_MESSAGE`. On a cable inside a site
nothing is ever on a wire: there are no messages, and none is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netsim.observe.link_account import LinkAccount
from netsim.topology.plan import NetworkPlan

if TYPE_CHECKING:
    from netsim.node.port import Port

FRAMES_IN_A_MESSAGE: Final = 40
"""About 60 KiB: larger ones fill a socket and move in lock-step."""

LOST_WITH_NODE: Final = "lost_with_node"
"""Why frames are lost that a node held when it went down, or a wire to or from it."""


@dataclass(frozen=True, slots=True)
class EgressCounters:
    """Frames of the direction that leaves an interface."""

    sent: int = 0
    duplicated: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    queued: int = 0
    handed_over: int = 0
    """Given to the cable."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """Handed over, and not taken by the wire, by reason."""
    messages: int = 0
    """Messages written to wires."""


@dataclass(frozen=True, slots=True)
class IngressCounters:
    """Frames of the direction that arrives at an interface."""

    received: int = 0
    delivered: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    in_flight: int = 0
    """Received and not yet due."""
    messages: int = 0
    """Messages read from wires."""


@dataclass(frozen=True, slots=True)
class NodeCounters:
    """Of every direction that begins or ends at a node, by the interface there."""

    egress: dict[str, EgressCounters] = field(default_factory=dict)
    ingress: dict[str, IngressCounters] = field(default_factory=dict)


def egress_counters(port: Port) -> EgressCounters:
    """Of the direction that leaves a port."""
    counters = port.egress.counters
    return EgressCounters(
        sent=counters.sent,
        duplicated=counters.duplicated,
        dropped=dict(counters.dropped),
        queued=port.egress.queued(),
        handed_over=counters.handed_over,
    )


def ingress_counters(port: Port) -> IngressCounters:
    """Of the direction that arrives at a port."""
    return IngressCounters(
        received=port.received,
        delivered=port.delivered,
        dropped=dict(port.ingress_dropped),
        in_flight=port.in_flight,
    )


def node_counters(ports: Iterable[Port]) -> NodeCounters:
    """What a node has counted whose cables all lie inside of its site."""
    ports = list(ports)
    return NodeCounters(
        {port.name: egress_counters(port) for port in ports},
        {port.name: ingress_counters(port) for port in ports},
    )


class Accounting:
    """Keeps the sums of nodes that are gone; makes accounts of them and of those that are up."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._gone: dict[str, NodeCounters] = {}

    def close(self, node: str, counters: NodeCounters) -> None:
        """A node is gone; this is what it had counted. What it held is lost with it."""
        total = self._gone.setdefault(node, NodeCounters())
        for name, egress in counters.egress.items():
            dropped = merge(egress.dropped, {LOST_WITH_NODE: egress.queued})
            closed = replace(egress, dropped=dropped, queued=0)
            total.egress[name] = _sum(total.egress.get(name, EgressCounters()), closed)
        for name, ingress in counters.ingress.items():
            dropped = merge(ingress.dropped, {LOST_WITH_NODE: ingress.in_flight})
            arrived = replace(ingress, dropped=dropped, in_flight=0)
            total.ingress[name] = _sum(total.ingress.get(name, IngressCounters()), arrived)

    def accounts(self, up: Mapping[str, NodeCounters]) -> list[LinkAccount]:
        """Of every direction, in the order of links and from `a` first, at one consistent cut.

        `up` are the counters of the nodes that are up. Where a cut is consistent nothing is on a
        wire that works: what was handed over and not received was on wires that ended with one of
        their nodes. It is lost with the node, but no more of it than the messages that were written
        and not read can have held: beyond that the account does not come out, and
        `LinkAccount.check` says so.
        """
        accounts = []
        for link in self._plan.links:
            for near, far in ((link.a, link.b), (link.b, link.a)):
                egress, ingress = self._egress(up, near), self._ingress(up, far)
                on_wires = egress.handed_over - sum(egress.lost.values()) - ingress.received
                messages = egress.messages - ingress.messages
                lost_on_wires = max(0, min(on_wires, messages * FRAMES_IN_A_MESSAGE))
                dropped = merge(
                    egress.dropped,
                    egress.lost,
                    ingress.dropped,
                    {LOST_WITH_NODE: lost_on_wires},
                )
                accounts.append(
                    LinkAccount(
                        name="/".join(near),
                        sent=egress.sent,
                        duplicated=egress.duplicated,
                        delivered=ingress.delivered,
                        dropped={reason: count for reason, count in dropped.items() if count},
                        in_flight=egress.queued + ingress.in_flight,
                    )
                )
        return accounts

    def _egress(self, up: Mapping[str, NodeCounters], end: tuple[str, str]) -> EgressCounters:
        node, interface = end
        total = EgressCounters()
        for counters in (self._gone.get(node), up.get(node)):
            if counters is not None and interface in counters.egress:
                total = _sum(total, counters.egress[interface])
        return total

    def _ingress(self, up: Mapping[str, NodeCounters], end: tuple[str, str]) -> IngressCounters:
        node, interface = end
        total = IngressCounters()
        for counters in (self._gone.get(node), up.get(node)):
            if counters is not None and interface in counters.ingress:
                total = _sum(total, counters.ingress[interface])
        return total


def merge(*counts: Mapping[str, int]) -> dict[str, int]:
    """Counters by reason, added up."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


_Counters = TypeVar("_Counters", EgressCounters, IngressCounters)


def _sum(one: _Counters, other: _Counters) -> _Counters:
    added: dict[str, Any] = {}
    for each in fields(one):
        left, right = getattr(one, each.name), getattr(other, each.name)
        added[each.name] = merge(left, right) if isinstance(left, Mapping) else left + right
    return type(one)(**added)
