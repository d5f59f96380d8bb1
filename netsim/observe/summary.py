"""A frame in one line, much as tcpdump words it."""

from __future__ import annotations

from typing import Final

from netsim.wire import arp, ethernet, icmp, ipv4, tcp, udp
from netsim.wire.address import format_ip, format_mac
from netsim.wire.checksum import pseudo_header_sum
from netsim.wire.error import WireError

_LONGEST_LINE: Final = 80
_ICMP_KINDS: Final = {
    icmp.ECHO_REQUEST: "echo request",
    icmp.ECHO_REPLY: "echo reply",
    icmp.TIME_EXCEEDED: "time exceeded",
    icmp.REDIRECT: "redirect",
    icmp.PARAMETER_PROBLEM: "parameter problem",
}
_UNREACHABLE: Final = {
    icmp.NETWORK_UNREACHABLE: "net unreachable",
    icmp.HOST_UNREACHABLE: "host unreachable",
    icmp.PROTOCOL_UNREACHABLE: "protocol unreachable",
    icmp.PORT_UNREACHABLE: "port unreachable",
    icmp.FRAGMENTATION_NEEDED: "need to frag",
    icmp.ADMINISTRATIVELY_PROHIBITED: "admin prohibited",
}


def summarise(frame: bytes) -> str:
    """`10.0.1.10.49152 > 10.0.3.10.80: TCP [S] seq 1 ack 0 win 65535 len 0`.

    What is malformed is said, whatever it is; nothing is raised.
    """
    try:
        destination, source, ethertype = ethernet.parse_header(frame)
        if ethertype == ethernet.ETHERTYPE_ARP:
            return _arp(arp.parse(frame, ethernet.HEADER_LENGTH))
        if ethertype == ethernet.ETHERTYPE_IPV4:
            return _ip(frame)
    except WireError as error:
        return f"malformed ({error}), {len(frame)} bytes"
    ends = f"{format_mac(source)} > {format_mac(destination)}"
    return f"{ends}: ethertype 0x{ethertype:04x}, length {len(frame)}"


def _arp(packet: arp.ArpPacket) -> str:
    sender, target = format_ip(packet.sender), format_ip(packet.target)
    if packet.operation == arp.REQUEST:
        return f"ARP who-has {target} tell {sender}"
    return f"ARP reply {sender} is-at {format_mac(packet.sender_mac)}"


def _ip(frame: bytes) -> str:
    start = ethernet.HEADER_LENGTH
    header = ipv4.parse(frame, start)
    payload = frame[start + header.header_length : start + header.total_length]
    source, destination = format_ip(header.source), format_ip(header.destination)
    ends = f"{source} > {destination}"
    if header.is_fragment:
        return f"{ends}: IP fragment, proto {header.protocol}, length {len(payload)}"
    pseudo_sum = pseudo_header_sum(header.source, header.destination, header.protocol)
    match header.protocol:
        case ipv4.PROTOCOL_ICMP:
            return f"{ends}: ICMP {_icmp(icmp.parse(payload))}, length {len(payload)}"
        case ipv4.PROTOCOL_TCP:
            segment = tcp.parse(payload, pseudo_sum)
            ports = f"{source}.{segment.source_port} > {destination}.{segment.destination_port}"
            return f"{ports}: TCP {segment}{_first_line(segment.payload)}"
        case ipv4.PROTOCOL_UDP:
            datagram = udp.parse(payload, pseudo_sum)
            ports = f"{source}.{datagram.source_port} > {destination}.{datagram.destination_port}"
            return f"{ports}: UDP, length {len(datagram.payload)}"
    return f"{ends}: proto {header.protocol}, length {len(payload)}"


def _icmp(message: icmp.IcmpMessage) -> str:
    if message.type in (icmp.ECHO_REQUEST, icmp.ECHO_REPLY):
        kind = _ICMP_KINDS[message.type]
        return f"{kind}, id {message.identifier}, seq {message.sequence}"
    if message.type == icmp.DESTINATION_UNREACHABLE:
        return _UNREACHABLE.get(message.code, f"unreachable, code {message.code}")
    return _ICMP_KINDS.get(message.type, f"type {message.type}, code {message.code}")


def _first_line(payload: bytes) -> str:
    """Of an HTTP message that starts here."""
    line = payload[:_LONGEST_LINE].split(b"\r\n")[0]
    if not (line.startswith(b"HTTP/1") or line.endswith((b" HTTP/1.1", b" HTTP/1.0"))):
        return ""
    text = line.decode("ascii", "replace")
    return f": {text}" if text.isprintable() else ""
