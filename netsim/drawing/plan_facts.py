"""What a picture is drawn from, as a document for programs (`netsim graph --json`)."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict
from typing import Any

from netsim.core.bandwidth_trace import BandwidthTrace
from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import QueueLimit, discipline_of
from netsim.topology.plan import InterfacePlan, NetworkPlan


def facts_of(plan: NetworkPlan) -> dict[str, Any]:
    """`{name, domain, nodes, links, subnets}`; units are in the names (`delay_ns`)."""
    ends = {
        (node.name, interface.name): interface
        for node in plan.nodes
        for interface in node.interfaces
    }
    members: dict[str, dict[str, None]] = {}
    for (node, _), interface in ends.items():
        if interface.address is not None:
            members.setdefault(_subnet(interface), {})[node] = None
    return {
        "name": plan.name,
        "domain": plan.domain,
        "nodes": [
            {
                "name": node.name,
                "kind": node.kind,
                **({} if node.tap is None else {"attach": f"tap:{node.tap}"}),
                "interfaces": [
                    {
                        "name": interface.name,
                        "mac": interface.mac.hex(":"),
                        "addresses": _addresses(interface),
                        "peer": interface.peer,
                        "peer_interface": interface.peer_interface,
                    }
                    for interface in node.interfaces
                ],
                "loopback": [
                    f"{ipaddress.ip_address(own)}/{8 * len(own)}" for own in node.loopback
                ],
                "services": [
                    {
                        "port": service.port,
                        "app": service.app,
                        "asgi": service.asgi,
                        "wsgi": service.wsgi,
                        "files": service.files,
                        "upstream": service.upstream and str(service.upstream),
                        "tls": service.tls,
                    }
                    for service in node.services
                ],
                "ports": [
                    {
                        "listen": f"{port.listen_host}:{port.listen_port}",
                        "to": f"{port.host}:{port.port}",
                    }
                    for port in node.ports
                ],
            }
            for node in plan.nodes
        ],
        "links": [
            {
                "index": index,
                "a": {"node": link.a[0], "interface": link.a[1]},
                "b": {"node": link.b[0], "interface": link.b[1]},
                "a_to_b": _numbers(ends[link.a].egress),
                "b_to_a": _numbers(ends[link.b].egress),
            }
            for index, link in enumerate(plan.links)
        ],
        "subnets": [{"prefix": prefix, "nodes": list(nodes)} for prefix, nodes in members.items()],
    }


def _numbers(attributes: LinkAttributes) -> dict[str, Any]:
    numbers = asdict(attributes)
    if isinstance(attributes.bandwidth_bps, BandwidthTrace):
        numbers["bandwidth_bps"] = {"file": attributes.bandwidth_bps.file}
    del numbers["queue"]
    queue = attributes.queue
    limit = queue if isinstance(queue, QueueLimit) else queue.limit
    return numbers | {
        "queue_packets": limit.packets,
        "queue_bytes": limit.bytes,
        "queue_discipline": discipline_of(queue),
    }


def _addresses(interface: InterfacePlan) -> list[str]:
    return [f"{ipaddress.ip_address(address)}/{length}" for address, length in interface.addresses]


def _subnet(interface: InterfacePlan) -> str:
    assert interface.address is not None
    network = (interface.address, interface.prefix_length)
    return str(ipaddress.ip_network(network, strict=False))
