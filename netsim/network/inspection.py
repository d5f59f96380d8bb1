"""What `inspect` shows of a network: plain data, ready for JSON."""

from __future__ import annotations

import asyncio
from typing import Any

from netsim.core.link_attributes import differing_words
from netsim.network.link_conditions import LinkConditions
from netsim.network.outages import Outages
from netsim.observe.link_account import LinkAccount
from netsim.site.backend import Backend
from netsim.topology.plan import LinkPlan, NetworkPlan, PublishedPortPlan
from netsim.wire.address import format_ip, format_mac


class Inspection:
    """Looks at a network that has been started. Nodes that are named exist."""

    def __init__(
        self,
        plan: NetworkPlan,
        backend: Backend,
        conditions: LinkConditions,
        outages: Outages,
        now: int,
    ) -> None:
        self._plan = plan
        self._backend = backend
        self._conditions = conditions
        self._outages = outages
        self._now = now

    async def everything(self) -> dict[str, Any]:
        """`{nodes, links, ports}`; nodes that do not answer say so."""
        *nodes, frames = await asyncio.gather(
            *(self.node(node.name) for node in self._plan.nodes), self._frames()
        )
        links = [{**link, "frames": each} for link, each in zip(self.links(), frames, strict=True)]
        return {"nodes": nodes, "links": links, "ports": self.ports()}

    async def node(self, name: str) -> dict[str, Any]:
        """Everything about one node, asked for, or what the plan says if it does not answer."""
        facts: dict[str, Any] = {"name": name, **self.describe(name)}
        try:
            facts |= await self._backend.facts(name)
            if "attach" in facts:
                self._add_addresses(name, facts["interfaces"])
            return facts
        except TimeoutError:
            facts["state"] = "not responding"
            if line := await self._backend.line_of(name):
                facts["stands_at"] = line
        except ConnectionError:
            if facts["state"] != "stopped":
                facts["state"] = "dead"
        loopback = [f"{format_ip(own)}/{8 * len(own)}" for own in self._plan.node(name).loopback]
        return facts | {"interfaces": self._planned_interfaces(name), "loopback": loopback}

    def describe(self, name: str) -> dict[str, Any]:
        """`{kind, pid, state}` of a node, without asking it; without a process `pid` is None."""
        state = self._outages.state(name)
        is_gone = state in ("dead", "stopped")
        planned = self._plan.node(name)
        return {
            "kind": planned.kind,
            **({} if planned.tap is None else {"attach": f"tap:{planned.tap}"}),
            "pid": None if is_gone else self._backend.pid(name),
            "state": state,
        }

    def links(self) -> list[dict[str, Any]]:
        """Both ends of every link, whether it is up, and what is not as in the topology."""
        return [
            {
                "index": index,
                "a": {"node": link.a[0], "interface": link.a[1]},
                "b": {"node": link.b[0], "interface": link.b[1]},
                "up": self._conditions.is_up(index),
                "changes": self._changes(index, link),
            }
            for index, link in enumerate(self._plan.links)
        ]

    def _changes(self, index: int, link: LinkPlan) -> list[dict[str, Any]]:
        """Of each direction that somebody has changed: the words that differ, and since when."""
        changes = []
        for sender, receiver in ((link.a[0], link.b[0]), (link.b[0], link.a[0])):
            since = self._conditions.changed_since(index, sender)
            if since is None:
                continue
            planned = self._conditions.planned(index, sender)
            differing = differing_words(planned, self._conditions.meant(index, sender))
            changes.append(
                {
                    "from": sender,
                    "to": receiver,
                    "since_ns": since,
                    "lasts_ns": self._now - since,
                    "before": {word: before for word, (before, _) in differing.items()},
                    "after": {word: after for word, (_, after) in differing.items()},
                }
            )
        return changes

    def ports(self) -> list[dict[str, Any]]:
        """Where the network can be entered from outside: `{listen, node, to, tls}`."""
        return [
            {
                "listen": f"{host}:{port}",
                "node": node.name,
                "to": f"{planned.host}:{planned.port}",
                "tls": self._speaks_tls(planned),
            }
            for node in self._plan.nodes
            for (host, port), planned in zip(
                self._backend.ports(node.name), node.ports, strict=False
            )
        ]

    def _speaks_tls(self, port: PublishedPortPlan) -> bool:
        """Whether a service with `tls` answers where a port leads."""
        address = self._plan.hosts.get(port.host)
        named = port.host if address is None else format_ip(address)
        return any(
            service.tls and service.port == port.port
            for node in self._plan.nodes
            if any(format_ip(own) == named for each in node.interfaces for own, _ in each.addresses)
            for service in node.services
        )

    async def _frames(self) -> list[list[dict[str, Any]] | None]:
        """Of each link the frames of both directions, from `a` and from `b`.

        None where that cannot be known, because a node does not answer.
        """
        try:
            accounts = await self._backend.accounts()
        except (TimeoutError, ConnectionError):
            return [None] * len(self._plan.links)
        documents = [_account_facts(account) for account in accounts]
        return [[a, b] for a, b in zip(documents[::2], documents[1::2], strict=True)]

    def _add_addresses(self, name: str, interfaces: list[dict[str, Any]]) -> None:
        """Those that whoever holds a TAP device is to have: the node itself knows none."""
        for interface, planned in zip(interfaces, self._planned_interfaces(name), strict=True):
            interface["addresses"] = planned["addresses"]

    def _planned_interfaces(self, name: str) -> list[dict[str, Any]]:
        return [
            {
                "name": interface.name,
                "mac": format_mac(interface.mac),
                "addresses": [
                    f"{format_ip(address)}/{length}" for address, length in interface.addresses
                ],
                "peer": interface.peer,
                "up": False,
            }
            for interface in self._plan.node(name).interfaces
        ]


def _account_facts(account: LinkAccount) -> dict[str, Any]:
    return {
        "from": account.name.partition("/")[0],
        "sent": account.sent,
        "duplicated": account.duplicated,
        "delivered": account.delivered,
        "dropped": account.dropped,
        "in_flight": account.in_flight,
    }
