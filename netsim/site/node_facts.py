"""What `inspect` tells of a node: plain data, ready for JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from netsim.node.base_node import Node
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.stack.host import Host
from netsim.wire.address import format_ip, format_mac


def node_facts(node: Node, now: int) -> dict[str, Any]:
    """Interfaces, tables and counters of a node at `now`."""
    facts: dict[str, Any] = {
        "interfaces": [_interface_facts(node, port) for port in node.ports],
        "drops": dict(node.drops),
    }
    if isinstance(node, HostNode):
        facts |= _host_facts(node.host, now)
    if isinstance(node, Switch):
        facts["mac_table"] = [
            {
                "mac": format_mac(station.mac),
                "interface": node.ports[station.port].name,
                "age_ms": station.age_ns // 1_000_000,
            }
            for station in node.table.entries(now)
        ]
        facts["counters"] = {
            "flooded": node.flooded,
            "stations_moved": node.table.moved,
            "stations_refused": node.table.refused,
        }
    return facts


def _interface_facts(node: Node, port: Port) -> dict[str, Any]:
    addresses = []
    if isinstance(node, HostNode):
        addresses = [
            f"{format_ip(entry.address)}/{entry.prefix_length}"
            for entry in node.host.interfaces[port.index].addresses
        ]
    counters = port.egress.counters
    return {
        "name": port.name,
        "mac": format_mac(port.mac),
        "addresses": addresses,
        "mtu": port.mtu,
        "peer": port.peer,
        "peer_interface": port.peer_port,
        "up": port.up,
        "tx": {
            "frames": counters.sent,
            "bytes": counters.sent_bytes,
            "duplicated": counters.duplicated,
            "corrupted": counters.corrupted,
            "marked": counters.marked,
            "reordered": counters.reordered,
            "dropped": dict(counters.dropped),
            "queued": port.egress.queued(),
        },
        "rx": {
            "frames": port.delivered,
            "dropped": dict(port.ingress_dropped),
            "in_flight": port.in_flight,
        },
    }


def _host_facts(host: Host, now: int) -> dict[str, Any]:
    return {
        "loopback": [f"{format_ip(address)}/{8 * len(address)}" for address in host.loopback],
        "routes": [
            {
                "prefix": f"{format_ip(route.prefix)}/{route.prefix_length}",
                "gateway": format_ip(route.gateway) if route.gateway else None,
                "interface": route.interface.name,
                "source": format_ip(route.source),
                "origin": route.origin.value,
            }
            for route in host.fib
        ],
        "neighbours": [
            {
                "address": format_ip(entry.address),
                "mac": format_mac(entry.mac) if entry.mac else None,
                "interface": interface.name,
                "state": entry.state_at(now).value,
            }
            for interface, cache in zip(host.interfaces, host.neighbours, strict=True)
            for entry in cache.entries()
        ],
        "counters": {
            "forwarded": host.forwarded,
            "fragmented": host.ip.fragmented,
            "reassembled": host.ip_input.reassembly.reassembled,
            "tcp": dataclasses.asdict(host.tcp.counters),
            "connection_faults": {
                str(number): hits for number, hits in host.tcp.fault_hits().items()
            },
        },
    }
