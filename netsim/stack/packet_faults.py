"""Which packets vanish on arrival, because a fault says so."""

from __future__ import annotations

from typing import Final

from netsim.core.host_faults import PacketFault
from netsim.wire import ipv4

_PORTS: Final = (ipv4.PROTOCOL_TCP, ipv4.PROTOCOL_UDP)
_FIN: Final = 0x01


def vanishes(faults: tuple[PacketFault, ...], header: ipv4.Ipv4Header, payload: bytes) -> bool:
    """Whether one of the faults takes a packet, which is whole again if it was cut."""
    return any(_takes(fault, header, payload) for fault in faults)


def _takes(fault: PacketFault, header: ipv4.Ipv4Header, payload: bytes) -> bool:
    if header.source not in fault.sources:
        return False
    if fault.protocol is not None and header.protocol != fault.protocol:
        return False
    if fault.port is not None:
        if header.protocol not in _PORTS or len(payload) < 4:
            return False
        ports = int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big")
        if fault.port not in ports:
            return False
    return not fault.only_data or _carries_something(header, payload)


def _carries_something(header: ipv4.Ipv4Header, payload: bytes) -> bool:
    """A TCP segment with data or a FIN."""
    if header.protocol != ipv4.PROTOCOL_TCP or len(payload) < 14:
        return False
    return len(payload) > 4 * (payload[12] >> 4) or bool(payload[13] & _FIN)
