"""A frame in one line, as tcpdump words it.

What is malformed is said, whatever it is; nothing is raised. A checksum that is wrong is said at
the end of the line: `[bad tcp cksum]`.
"""

from __future__ import annotations

import struct
from typing import Final

from netsim.observe.byte_dump import dump_of
from netsim.observe.dns_words import dns_words
from netsim.observe.icmp_words import icmp_words
from netsim.observe.tcp_words import TcpWords
from netsim.wire import ethernet, ipv4
from netsim.wire.address import format_ip, format_mac
from netsim.wire.checksum import is_valid, pseudo_header_sum

_DNS_PORTS: Final = frozenset((53, 5353))
_ETHERTYPES: Final = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x8100: "802.1Q"}
_PROTOCOLS: Final = {1: "ICMP", 6: "TCP", 17: "UDP"}
_IP = struct.Struct("!BBHHHBBH4s4s")
_IP6 = struct.Struct("!IHBB16s16s")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_UDP = struct.Struct("!HHHH")


class FrameLines:
    """Words the frames of one capture, in order of time.

    Sequence numbers count from the beginning of a connection, or from the first that was seen,
    unless they are `absolute`. `link` says the MAC addresses, too; `verbose` more of the IP header,
    and the heads of HTTP messages whole, in several lines. `brief` leaves TCP's options out,
    `quick` all that is inside TCP and UDP. `dump` says how `bytes_of` prints them.
    """

    def __init__(
        self,
        *,
        link: bool = False,
        verbose: bool = False,
        absolute: bool = False,
        brief: bool = False,
        quick: bool = False,
        dump: str = "",
    ) -> None:
        self._link = link
        self._quick = quick
        self._dump = dump
        self._verbose = verbose
        self._tcp = TcpWords(verbose=verbose, absolute=absolute, brief=brief)

    def words(self, frame: bytes) -> str:
        """`IP 10.0.1.10.49152 > 10.0.3.10.80: Flags [S], seq 1, win 65535, length 0`."""
        try:
            return self._frame(frame)
        except (IndexError, struct.error, ValueError):
            return f"malformed, {len(frame)} bytes: {frame[:64].hex()}"

    def bytes_of(self, frame: bytes) -> str:
        """Its bytes, in lines that are each ended; empty where they are not asked for."""
        return dump_of(frame, self._dump)

    def _frame(self, frame: bytes) -> str:
        destination, source = frame[:6], frame[6:12]
        ethertype = int.from_bytes(frame[12:14], "big")
        if len(frame) < ethernet.HEADER_LENGTH:
            raise IndexError
        match ethertype:
            case ethernet.ETHERTYPE_ARP:
                lead, words = "ARP, ", self._arp(frame)
            case ethernet.ETHERTYPE_IPV4:
                lead, words = "IP ", self._ip(frame[14:])
            case ethernet.ETHERTYPE_IPV6:
                lead, words = "IP6 ", self._ip6(frame[14:])
            case _:
                lead, words = "", ""
        name = _ETHERTYPES.get(ethertype, "Unknown")
        kind = name if self._quick else f"ethertype {name} (0x{ethertype:04x})"
        ends = f"{format_mac(source)} > {format_mac(destination)}, {kind}, length {len(frame)}"
        if not words:
            return ends
        return f"{ends}: {words}" if self._link else lead + words

    def _arp(self, frame: bytes) -> str:
        hardware, protocol, _, _, operation, sender_mac, sender, target_mac, target = (
            _ARP.unpack_from(frame, 14)
        )
        if (hardware, protocol) != (1, ethernet.ETHERTYPE_IPV4):
            return f"of other networks, length {len(frame) - 14}"
        detail = "Ethernet (len 6), IPv4 (len 4), " if self._verbose else ""
        if operation == 1:
            asked = f" ({format_mac(target_mac)})" if any(target_mac) else ""
            told = f"who-has {format_ip(target)}{asked} tell {format_ip(sender)}"
            return f"{detail}Request {told}, length {len(frame) - 14}"
        if operation == 2:
            told = f"Reply {format_ip(sender)} is-at {format_mac(sender_mac)}"
            return f"{detail}{told}, length {len(frame) - 14}"
        return f"{detail}operation {operation}, length {len(frame) - 14}"

    def _ip(self, packet: bytes) -> str:
        version, tos, total, identification, fragment, ttl, protocol, _, source, destination = (
            _IP.unpack_from(packet)
        )
        header = (version & 0xF) * 4
        if version >> 4 != 4 or not 20 <= header <= total:
            raise ValueError
        offset, more = (fragment & 0x1FFF) * 8, bool(fragment & 0x2000)
        body = packet[header:total]
        lead = ""
        if self._verbose:
            flags = [name for bit, name in ((0x2000, "+"), (0x4000, "DF")) if fragment & bit]
            name = _PROTOCOLS.get(protocol, "unknown")
            lead = (
                f"(tos 0x{tos:x}, ttl {ttl}, id {identification}, offset {offset}, "
                f"flags [{', '.join(flags) or 'none'}], proto {name} ({protocol}), "
                f"length {total})\n    "
            )
        ends = format_ip(source), format_ip(destination)
        bad = "" if is_valid(packet[:header]) else " [bad ip cksum]"
        if offset:
            return f"{lead}{ends[0]} > {ends[1]}: ip-proto-{protocol}{bad}"
        pseudo_sum = None if more else pseudo_header_sum(source, destination, protocol)
        if total > len(packet):
            pseudo_sum, bad = None, f"{bad} [cut short: {total - len(packet)} bytes are missing]"
        if protocol == ipv4.PROTOCOL_ICMP:
            if pseudo_sum is not None and not is_valid(body):
                bad += " [bad icmp cksum]"
            return f"{lead}{ends[0]} > {ends[1]}: ICMP {icmp_words(body)}, length {len(body)}{bad}"
        return lead + self._transport(ends, (source, destination), protocol, body, pseudo_sum) + bad

    def _ip6(self, packet: bytes) -> str:
        _, length, following, _, source, destination = _IP6.unpack_from(packet)
        ends = format_ip(source), format_ip(destination)
        body = packet[40 : 40 + length]
        # The checksum of a packet that is cut short cannot be told.
        return self._transport(ends, (source, destination), following, body, None)

    def _transport(
        self,
        ends: tuple[str, str],
        addresses: tuple[bytes, bytes],
        protocol: int,
        body: bytes,
        pseudo_sum: int | None,
    ) -> str:
        if protocol not in (ipv4.PROTOCOL_TCP, ipv4.PROTOCOL_UDP):
            return f"{ends[0]} > {ends[1]}: ip-proto-{protocol} {len(body)}"
        source, destination = struct.unpack_from("!HH", body)
        lead = f"{ends[0]}.{source} > {ends[1]}.{destination}: "
        if protocol == ipv4.PROTOCOL_UDP:
            return lead + self._udp(source, destination, body, pseudo_sum)
        if self._quick:
            return f"{lead}tcp {len(body) - (body[12] >> 4) * 4}"
        return lead + self._tcp.words(addresses, body, pseudo_sum)

    def _udp(self, source: int, destination: int, datagram: bytes, pseudo_sum: int | None) -> str:
        _, _, length, checksum = _UDP.unpack_from(datagram)
        bad = ""
        is_whole = 8 <= length <= len(datagram)
        if pseudo_sum is not None and is_whole and checksum:
            right = is_valid(datagram[:length], pseudo_sum + length)
            bad = "" if right else " [bad udp cksum]"
        if not self._quick and (source in _DNS_PORTS or destination in _DNS_PORTS):
            return f"{dns_words(datagram[8:length])} ({length - 8}){bad}"
        return f"UDP, length {length - 8}{bad}"


def summarise(frame: bytes) -> str:
    """The line of a frame alone, which knows of no other, without TCP's options."""
    return FrameLines(absolute=True, brief=True).words(frame)
