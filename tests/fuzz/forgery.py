"""Frames as an attacker makes them: bent, cut, in fragments, with lengths and checksums right."""

from __future__ import annotations

from netsim.wire import ethernet, ipv4, tcp
from netsim.wire.checksum import internet_checksum, pseudo_header_sum

ATTACKER_MAC = bytes.fromhex("02bad0000001")
_ETHERNET = ethernet.HEADER_LENGTH
_MAX_OPTIONS = 40
_CHECKSUM_AT = {ipv4.PROTOCOL_ICMP: 2, ipv4.PROTOCOL_TCP: 16, ipv4.PROTOCOL_UDP: 6}
"""Where the checksum is in each protocol's header."""


def mutated(frame: bytes, bits: tuple[int, ...], cut: int | None, tail: bytes) -> bytes:
    """With bits flipped, the end cut off, and another put on."""
    bent = bytearray(frame)
    for bit in bits if bent else ():
        bent[(bit >> 3) % len(bent)] ^= 1 << (bit & 7)
    return bytes(bent[:cut]) + tail


def mended(frame: bytes, *, lengths: bool) -> bytes:
    """With right checksums, so that the layers above get to see it; with `lengths` the total
    length of the packet is made right before. What is not IPv4 stays as it is."""
    packet = bytearray(frame[_ETHERNET:])
    if frame[12:14] != b"\x08\x00" or len(packet) < ipv4.HEADER_LENGTH:
        return frame
    header_length = (packet[0] & 15) * 4
    if not ipv4.HEADER_LENGTH <= header_length <= len(packet):
        return frame
    if lengths:
        packet[2:4] = min(len(packet), ipv4.MAX_PACKET).to_bytes(2, "big")
    packet[10:12] = bytes(2)
    packet[10:12] = internet_checksum(bytes(packet[:header_length])).to_bytes(2, "big")
    total = int.from_bytes(packet[2:4], "big")
    at = _CHECKSUM_AT.get(packet[9])
    is_whole = not int.from_bytes(packet[6:8], "big") & 0x3FFF
    if at is not None and is_whole and header_length + at + 2 <= total <= len(packet):
        payload = packet[header_length:total]
        payload[at : at + 2] = bytes(2)
        initial = 0
        if packet[9] != ipv4.PROTOCOL_ICMP:
            addresses = bytes(packet[12:16]), bytes(packet[16:20])
            initial = pseudo_header_sum(*addresses, packet[9]) + len(payload)
        payload[at : at + 2] = internet_checksum(bytes(payload), initial).to_bytes(2, "big")
        packet[header_length:total] = payload
    return frame[:_ETHERNET] + bytes(packet)


def fragment_of(frame: bytes, start: int, size: int, more: bool, identification: int) -> bytes:
    """One fragment of the packet in `frame`: `size` octets of its payload from octet
    8 * `start` on, which need not be there. What is not plain IPv4 stays as it is."""
    if frame[12:15] != b"\x08\x00\x45":
        return frame
    first = _ETHERNET + ipv4.HEADER_LENGTH
    piece = frame[first + 8 * start : first + 8 * start + size].ljust(size, b"\0")
    header = bytearray(frame[:first])
    header[18:20] = (identification & 0xFFFF).to_bytes(2, "big")
    field = start & ipv4.OFFSET_MASK | (ipv4.MORE_FRAGMENTS if more else 0)
    header[20:22] = field.to_bytes(2, "big")
    return mended(bytes(header) + piece, lengths=True)


def with_options(frame: bytes, options: bytes) -> bytes:
    """The packet with these IP options, padded. What is not plain IPv4 stays as it is."""
    if frame[12:15] != b"\x08\x00\x45":
        return frame
    words = (options + bytes(-len(options) % 4))[:_MAX_OPTIONS]
    first = _ETHERNET + ipv4.HEADER_LENGTH
    header = bytearray(frame[:first])
    header[_ETHERNET] += len(words) // 4
    return mended(bytes(header) + words + frame[first:], lengths=True)


def readdressed(frame: bytes, mac: bytes, source: bytes, destination: bytes) -> bytes:
    """The packet from somebody else to somebody else. What is not IPv4 goes to that MAC alone."""
    frame = mac + frame[6:]
    if frame[12:14] != b"\x08\x00":
        return frame
    at = _ETHERNET + 12
    return mended(frame[:at] + source + destination + frame[at + 8 :], lengths=False)


def segment_frame(
    mac: bytes,
    source: tuple[bytes, int],
    destination: tuple[bytes, int],
    segment: tcp.TcpSegment,
    options: bytes = b"",
) -> bytes:
    """A segment in a frame; `options` go before those that the segment has."""
    pseudo_sum = pseudo_header_sum(source[0], destination[0], ipv4.PROTOCOL_TCP)
    words = (options + bytes(-len(options) % 4))[: tcp.MAX_OPTIONS - len(segment.pack_options())]
    built = tcp.build(
        source[1],
        destination[1],
        segment.sequence & 0xFFFFFFFF,
        segment.acknowledgement & 0xFFFFFFFF,
        segment.flags,
        segment.window,
        words + segment.pack_options(),
        segment.payload,
        pseudo_sum,
    )
    total = ipv4.HEADER_LENGTH + len(built)
    header = ipv4.pack_plain(0, total, 1, 64, ipv4.PROTOCOL_TCP, source[0], destination[0])
    link_header = ethernet.pack_header(mac, ATTACKER_MAC, ethernet.ETHERTYPE_IPV4)
    return link_header + header + built
