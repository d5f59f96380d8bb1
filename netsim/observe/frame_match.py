"""Whether a frame is one that a capture filter asks for, by its bytes, as libpcap decides it.

A frame that is too short for what is asked of it is none, whatever the filter says, and so is one
where something is divided by 0, as in the machine that runs a compiled filter (McCanne, Jacobson:
The BSD Packet Filter, 1993).
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from typing import Final, TypeAlias

from netsim.observe.filter_expression import (
    Both,
    Calculation,
    Comparison,
    Either,
    Expression,
    FrameLength,
    Group,
    Length,
    Network,
    Not,
    Number,
    Octets,
    Ports,
    Protocol,
    Station,
    Value,
    Way,
)
from netsim.wire.address import BROADCAST_MAC, prefix_mask

Matches: TypeAlias = Callable[[bytes], bool]
_Calculate: TypeAlias = Callable[[bytes], int]

_IP, _ARP, _RARP, _IP6 = b"\x08\x00", b"\x08\x06", b"\x80\x35", b"\x86\xdd"
_ETHERTYPES: Final = {"ip": _IP, "arp": _ARP, "rarp": _RARP, "ip6": _IP6}
_TRANSPORTS: Final = {"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58, "sctp": 132}
_WITH_PORTS: Final = frozenset((6, 17, 132))
_FRAGMENT6: Final = 44
"""The next header of a fragment (RFC 8200 4.5)."""
_IP_ADDRESSES: Final = (26, 30)
"""Where an IPv4 packet has its source and its destination, counted from the frame's start."""
_ARP_ADDRESSES: Final = (28, 38)
_IP6_ADDRESSES: Final = (22, 38)
_MACS: Final = (6, 0)
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CALCULATE: Final[dict[str, Callable[[int, int], int]]] = {
    "|": operator.or_,
    "&": operator.and_,
    # Bits that are shifted by 32 or more are gone (bpf_filter.c).
    "<<": lambda number, by: number << min(by, 32),
    ">>": lambda number, by: number >> min(by, 32),
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
}
_U16 = struct.Struct("!H")


def matcher(expression: Expression | None) -> Matches:
    """A function that tells of a frame whether it is asked for."""
    if expression is None:
        return lambda frame: True
    matches = _matcher(expression)

    def whole(frame: bytes) -> bool:
        try:
            return matches(frame)
        except (IndexError, struct.error, ZeroDivisionError):
            return False

    return whole


def _matcher(expression: Expression) -> Matches:
    match expression:
        case Not(operand):
            inner = _matcher(operand)
            return lambda frame: not inner(frame)
        case Both(one, other):
            left, right = _matcher(one), _matcher(other)
            return lambda frame: left(frame) and right(frame)
        case Either(one, other):
            left, right = _matcher(one), _matcher(other)
            return lambda frame: left(frame) or right(frame)
        case Protocol(name):
            return _protocol(name)
        case Network():
            return _network(expression)
        case Station(way, mac):
            return _one_of(way, lambda at: lambda frame: frame[at : at + 6] == mac, _MACS)
        case Ports():
            return _ports(expression)
        case Group():
            return _group(expression)
        case Length(least, most):
            return lambda frame: least <= len(frame) <= most
        case Comparison():
            return _comparison(expression)
    raise AssertionError(f"{expression} is no expression")


def _protocol(name: str) -> Matches:
    if (ethertype := _ETHERTYPES.get(name)) is not None:
        return lambda frame: frame[12:14] == ethertype
    number = _TRANSPORTS[name]
    if name == "icmp":
        return lambda frame: frame[12:14] == _IP and frame[23] == number

    def over_ip6(frame: bytes) -> bool:
        if frame[12:14] != _IP6:
            return False
        return frame[20] == number or (frame[20] == _FRAGMENT6 and frame[54] == number)

    if name == "icmp6":
        return over_ip6
    return lambda frame: frame[23] == number if frame[12:14] == _IP else over_ip6(frame)


def _network(network: Network) -> Matches:
    octets = len(network.address)
    mask = prefix_mask(network.prefix, octets)
    wanted = int.from_bytes(network.address, "big") & mask

    def is_there(at: int) -> Matches:
        end = at + octets

        def matches(frame: bytes) -> bool:
            if len(frame) < end:
                raise IndexError
            return int.from_bytes(frame[at:end], "big") & mask == wanted

        return matches

    if octets == 16:
        in_ip6 = _one_of(network.way, is_there, _IP6_ADDRESSES)
        return lambda frame: frame[12:14] == _IP6 and in_ip6(frame)
    in_ip = _one_of(network.way, is_there, _IP_ADDRESSES)
    in_arp = _one_of(network.way, is_there, _ARP_ADDRESSES)
    if network.protocol == "ip":
        return lambda frame: frame[12:14] == _IP and in_ip(frame)
    if network.protocol:
        ethertype = _ETHERTYPES[network.protocol]
        return lambda frame: frame[12:14] == ethertype and in_arp(frame)

    def in_any(frame: bytes) -> bool:
        ethertype = frame[12:14]
        if ethertype == _IP:
            return in_ip(frame)
        return ethertype in (_ARP, _RARP) and in_arp(frame)

    return in_any


def _ports(ports: Ports) -> Matches:
    """Of fragments only the first has ports (RFC 791 3.2)."""
    protocols = frozenset((_TRANSPORTS[ports.protocol],)) if ports.protocol else _WITH_PORTS
    first, last, way = ports.first, ports.last, ports.way

    def at(frame: bytes, start: int) -> bool:
        # One port is looked at only where the other does not decide.
        read = _U16.unpack_from
        if way != "dst":
            is_source: bool = first <= read(frame, start)[0] <= last
            if way == "src" or is_source == (way == "any"):
                return is_source
        destination: int = read(frame, start + 2)[0]
        return first <= destination <= last

    def matches(frame: bytes) -> bool:
        ethertype = frame[12:14]
        if ethertype == _IP:
            if frame[23] not in protocols or _U16.unpack_from(frame, 20)[0] & 0x1FFF:
                return False
            return at(frame, 14 + (frame[14] & 0xF) * 4)
        return ethertype == _IP6 and frame[20] in protocols and at(frame, 54)

    return matches


def _group(group: Group) -> Matches:
    if group.protocol == "ip":
        return lambda frame: frame[12:14] == _IP and frame[30] >= 224
    if group.broadcast:
        return lambda frame: frame[:6] == BROADCAST_MAC
    return lambda frame: frame[0] & 1 == 1


def _comparison(comparison: Comparison) -> Matches:
    """Where a header that is asked for is not there, the comparison does not hold."""
    protocols = {*_protocols(comparison.left), *_protocols(comparison.right)}
    headers = [_has_header(protocol) for protocol in sorted(protocols)]
    compare = _COMPARE[comparison.operator]
    left, right = _value(comparison.left), _value(comparison.right)

    def matches(frame: bytes) -> bool:
        return all(is_there(frame) for is_there in headers) and compare(left(frame), right(frame))

    return matches


def _protocols(value: Value) -> set[str]:
    match value:
        case Octets(protocol, at, _):
            return {protocol} | _protocols(at)
        case Calculation(_, left, right):
            return _protocols(left) | _protocols(right)
    return set()


def _has_header(protocol: str) -> Matches:
    """Of IPv6 only ICMP's is found."""
    if protocol == "ether":
        return lambda frame: True
    if (ethertype := _ETHERTYPES.get(protocol)) is not None:
        return lambda frame: frame[12:14] == ethertype
    number = _TRANSPORTS[protocol]
    if protocol == "icmp6":
        return lambda frame: frame[12:14] == _IP6 and frame[20] == number
    return lambda frame: (
        frame[12:14] == _IP and frame[23] == number and not _U16.unpack_from(frame, 20)[0] & 0x1FFF
    )


def _value(value: Value) -> _Calculate:
    match value:
        case Number(number):
            return lambda frame: number
        case FrameLength():
            return len
        case Octets(protocol, at, size):
            return _octets(protocol, _value(at), size)
        case Calculation(sign, left, right):
            calculate, one, other = _CALCULATE[sign], _value(left), _value(right)
            return lambda frame: calculate(one(frame), other(frame)) & 0xFFFFFFFF
    raise AssertionError(f"{value} is no value")


def _octets(protocol: str, at: _Calculate, size: int) -> _Calculate:
    fixed = {"ether": 0, "icmp6": 54, **dict.fromkeys(_ETHERTYPES, 14)}.get(protocol)

    def read(frame: bytes) -> int:
        start = 14 + (frame[14] & 0xF) * 4 if fixed is None else fixed
        start += at(frame)
        if start + size > len(frame):
            raise IndexError
        return int.from_bytes(frame[start : start + size], "big")

    return read


def _one_of(way: Way, is_there: Callable[[int], Matches], places: tuple[int, int]) -> Matches:
    source, destination = is_there(places[0]), is_there(places[1])
    match way:
        case "src":
            return source
        case "dst":
            return destination
        case "both":
            return lambda frame: source(frame) and destination(frame)
    return lambda frame: source(frame) or destination(frame)
