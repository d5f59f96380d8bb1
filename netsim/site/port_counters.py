"""The books of one node, as `ledger.Books` has them."""

from __future__ import annotations

from typing import Any

from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.site.accounting import Books


def node_books(node: Node) -> Books:
    """What the node has counted of every direction that begins or ends at it."""
    return {
        "egress": {port.name: egress_books(port) for port in node.ports},
        "ingress": {port.name: ingress_books(port) for port in node.ports},
    }


def egress_books(port: Port) -> dict[str, Any]:
    """Of the direction that leaves a port."""
    counters = port.egress.counters
    return {
        "sent": counters.sent,
        "duplicated": counters.duplicated,
        "dropped": dict(counters.dropped),
        "lost": {},
        "queued": port.egress.queued(),
        "handed_over": counters.handed_over,
    }


def ingress_books(port: Port) -> dict[str, Any]:
    """Of the direction that arrives at a port."""
    return {
        "received": port.received,
        "delivered": port.delivered,
        "dropped": dict(port.ingress_dropped),
        "in_flight": port.in_flight,
    }
