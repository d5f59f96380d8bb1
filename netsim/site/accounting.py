"""The books of all links: what living nodes count, and what those that are gone had counted."""

from __future__ import annotations

from typing import Any, Final

from netsim.observe.link_account import LinkAccount
from netsim.topology.plan import NetworkPlan

Books = dict[str, dict[str, Any]]
"""Of one node: `"egress"` and `"ingress"`, each by the name of the interface.

    egress   {sent, duplicated, dropped{}, lost{}, queued, handed_over, messages}
    ingress  {received, delivered, dropped{}, in_flight, messages}

`dropped` and `lost` (by the wire between processes) are by reason. A direction's frames obey

    sent + duplicated = sum(dropped) + queued + handed_over
    handed_over = sum(lost) + received + those on the wire
    received = delivered + sum(dropped) + in_flight

Frames travel on wires in messages of at most `FRAMES_IN_A_MESSAGE`. `messages` were written to
wires and read from wires; they may be left out where nothing is ever on a wire.
"""

FRAMES_IN_A_MESSAGE: Final = 40
"""About 60 KiB: larger ones fill a socket and move in lock-step."""

LOST_WITH_NODE = "lost_with_node"
"""Why frames are lost that a node held when it went down, or a wire to or from it."""


class Ledger:
    """Keeps the sums of nodes that are gone, and makes accounts of them and the living."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._closed: dict[str, Books] = {}

    def close(self, node: str, books: Books) -> None:
        """A node is gone; these were its books. What it held is lost with it."""
        total = self._closed.setdefault(node, {"egress": {}, "ingress": {}})
        for name, egress in books["egress"].items():
            dropped = merge(egress["dropped"], {LOST_WITH_NODE: egress["queued"]})
            _add(total["egress"], name, {**egress, "dropped": dropped, "queued": 0})
        for name, ingress in books["ingress"].items():
            dropped = merge(ingress["dropped"], {LOST_WITH_NODE: ingress["in_flight"]})
            _add(total["ingress"], name, {**ingress, "dropped": dropped, "in_flight": 0})

    def accounts(self, living: dict[str, Books]) -> list[LinkAccount]:
        """Of every direction, in the order of links and from `a` first, at one consistent cut.

        Where a cut is consistent nothing is on a wire that works: what was handed over and not
        received was on wires that ended with one of their nodes. It is lost with the node, but no
        more of it than the messages that were written and not read can have held: beyond that the
        account does not come out, and `LinkAccount.check` says so.
        """
        accounts = []
        for link in self._plan.links:
            for near, far in ((link.a, link.b), (link.b, link.a)):
                egress = self._total(living, near, "egress", _NO_EGRESS)
                ingress = self._total(living, far, "ingress", _NO_INGRESS)
                on_wires = egress["handed_over"] - sum(egress["lost"].values())
                on_wires -= ingress["received"]
                messages = egress["messages"] - ingress["messages"]
                lost_on_wires = max(0, min(on_wires, messages * FRAMES_IN_A_MESSAGE))
                dropped = merge(
                    egress["dropped"],
                    egress["lost"],
                    ingress["dropped"],
                    {LOST_WITH_NODE: lost_on_wires},
                )
                accounts.append(
                    LinkAccount(
                        name="/".join(near),
                        sent=egress["sent"],
                        duplicated=egress["duplicated"],
                        delivered=ingress["delivered"],
                        dropped={reason: count for reason, count in dropped.items() if count},
                        in_flight=egress["queued"] + ingress["in_flight"],
                    )
                )
        return accounts

    def _total(
        self, living: dict[str, Books], end: tuple[str, str], side: str, none: dict[str, Any]
    ) -> dict[str, Any]:
        node, interface = end
        total: dict[str, dict[str, Any]] = {interface: none}
        for books in (self._closed.get(node), living.get(node)):
            if books is not None and interface in books[side]:
                _add(total, interface, none | books[side][interface])
        return total[interface]


_NO_EGRESS: dict[str, Any] = {
    "sent": 0,
    "duplicated": 0,
    "dropped": {},
    "lost": {},
    "queued": 0,
    "handed_over": 0,
    "messages": 0,
}
_NO_INGRESS: dict[str, Any] = {
    "received": 0,
    "delivered": 0,
    "dropped": {},
    "in_flight": 0,
    "messages": 0,
}


def merge(*counts: dict[str, int]) -> dict[str, int]:
    """Counters by reason, added up."""
    total: dict[str, int] = {}
    for each in counts:
        for reason, count in each.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _add(total: dict[str, dict[str, Any]], interface: str, more: dict[str, Any]) -> None:
    so_far = total.get(interface)
    if so_far is None:
        total[interface] = dict(more)
        return
    total[interface] = {
        key: merge(value, more[key]) if isinstance(value, dict) else value + more[key]
        for key, value in so_far.items()
    }
