"""An ICMP message as tcpdump words it (RFC 792, RFC 1812 5.2.7)."""

from __future__ import annotations

import struct
from typing import Final

from netsim.wire import icmp, ipv4
from netsim.wire.address import format_ip
from netsim.wire.wire_error import WireError

_UNREACHABLE: Final = {
    icmp.NETWORK_UNREACHABLE: "net {} unreachable",
    icmp.HOST_UNREACHABLE: "host {} unreachable",
    5: "{} unreachable - source route failed",
    6: "net {} unreachable - unknown",
    7: "host {} unreachable - unknown",
    9: "net {} unreachable - admin prohibited",
    10: "host {} unreachable - admin prohibited",
    icmp.ADMINISTRATIVELY_PROHIBITED: "host {} unreachable - admin prohibited filter",
}
_TIMES: Final = {
    icmp.TTL_EXCEEDED: "time exceeded in-transit",
    icmp.REASSEMBLY_TIME_EXCEEDED: "ip reassembly time exceeded",
}
_REDIRECTS: Final = ("net", "host", "net-tos", "host-tos")


def icmp_words(message: bytes) -> str:
    """`echo request, id 1, seq 1`; struct.error where it is too short."""
    kind, code, _, rest = struct.unpack_from("!BBHI", message)
    identifier, sequence = rest >> 16, rest & 0xFFFF
    match kind:
        case icmp.ECHO_REQUEST | icmp.ECHO_REPLY:
            which = "request" if kind == icmp.ECHO_REQUEST else "reply"
            return f"echo {which}, id {identifier}, seq {sequence}"
        case icmp.DESTINATION_UNREACHABLE:
            return _unreachable(code, sequence, message[icmp.HEADER_LENGTH :])
        case icmp.REDIRECT:
            target = _REDIRECTS[code] if code < len(_REDIRECTS) else f"{code}"
            gateway = format_ip(rest.to_bytes(4, "big"))
            return f"redirect {_quoted(message)} to {target} {gateway}"
        case icmp.TIME_EXCEEDED:
            return _TIMES.get(code, f"time exceeded-#{code}")
        case icmp.PARAMETER_PROBLEM:
            return f"parameter problem - {f'code {code}' if code else f'octet {rest >> 24}'}"
        case icmp.TIMESTAMP_REQUEST:
            return f"time stamp query id {identifier} seq {sequence}"
        case icmp.TIMESTAMP_REPLY:
            return f"time stamp reply id {identifier} seq {sequence}"
    return f"type-#{kind}, code {code}"


def _unreachable(code: int, mtu: int, quote: bytes) -> str:
    try:
        header = ipv4.parse_quoted(quote)
    except WireError:
        return f"unreachable, code {code}"
    destination = format_ip(header.destination)
    if code == icmp.PROTOCOL_UNREACHABLE:
        return f"{destination} protocol {header.protocol} unreachable"
    if code == icmp.PORT_UNREACHABLE:
        port = int.from_bytes(quote[header.header_length + 2 : header.header_length + 4], "big")
        names = {ipv4.PROTOCOL_TCP: "tcp ", ipv4.PROTOCOL_UDP: "udp "}
        name = names.get(header.protocol, f"protocol {header.protocol} ")
        return f"{destination} {name}port {port} unreachable"
    if code == icmp.FRAGMENTATION_NEEDED:
        limit = f" (mtu {mtu})" if mtu else ""
        return f"{destination} unreachable - need to frag{limit}"
    return _UNREACHABLE.get(code, f"{{}} unreachable - #{code}").format(destination)


def _quoted(message: bytes) -> str:
    try:
        return format_ip(ipv4.parse_quoted(message[icmp.HEADER_LENGTH :]).destination)
    except WireError:
        return "?"
