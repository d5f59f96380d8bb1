"""Beside a datagram: where it was sent to, and where one is to be sent from (ip(7), RFC 3542).

A server that listens on all addresses answers so from the one that it was asked at.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from netsim.sockets.os_errors import system_error
from netsim.stack.host import Host
from netsim.stack.interface import Interface
from netsim.stack.socket_errors import NoRouteError
from netsim.wire.address import LIMITED_BROADCAST, UNSPECIFIED, IpAddress

Ancillary = tuple[int, int, bytes]
"""Level, type and data, as of `recvmsg`."""

IPV4: Final = (socket.IPPROTO_IP, 8)
"""IP_PKTINFO, an option and a type."""
IPV6_OPTION: Final = (socket.IPPROTO_IPV6, 49)
"""IPV6_RECVPKTINFO."""
IPV6: Final = (socket.IPPROTO_IPV6, 50)
"""IPV6_PKTINFO."""
_IPV4: Final = struct.Struct("=i4s4s")
"""struct in_pktinfo: index, our own address, the address in the packet."""
_IPV6: Final = struct.Struct("=16si")
"""struct in6_pktinfo: the address in the packet, index."""
_MAPPED: Final = bytes(10) + b"\xff\xff"
LOOPBACK_INDEX: Final = 1


def index_of(interface: Interface) -> int:
    """As a kernel counts them: loopback is the first."""
    return interface.index + LOOPBACK_INDEX + 1


class Sending(NamedTuple):
    """From where a datagram is to be sent, as far as the program says so."""

    source: IpAddress | None = None
    through: Interface | None = None


def of_received(
    kind: tuple[int, int], host: Host, source: IpAddress, destination: IpAddress
) -> Ancillary:
    """What is said of a datagram that was sent to `destination`, an address of this host or a
    broadcast."""
    index, own = LOOPBACK_INDEX, destination
    if destination == LIMITED_BROADCAST:
        own = _beside(host, source)
    for interface in host.interfaces:
        for entry in interface.addresses:
            if own in (entry.address, entry.broadcast):
                index, own = index_of(interface), entry.address
    if kind == IPV6:
        return (*IPV6, _IPV6.pack(_MAPPED + destination, index))
    return (*IPV4, _IPV4.pack(index, own, destination))


def _beside(host: Host, source: IpAddress) -> IpAddress:
    """Our address on the link of a sender that no router stands before."""
    try:
        return host.ip.source_for(source)
    except NoRouteError:  # it has no address yet
        return host.ip.source_for(LIMITED_BROADCAST)


def of_sent(ancillary: Iterable[Any], host: Host) -> Sending:
    """OSError ENETUNREACH for an address that is not of this host, ENODEV for an interface that is
    not there, EINVAL for what is no such message, EOPNOTSUPP for anything else that is said."""
    source: IpAddress = UNSPECIFIED
    index = 0
    for level, kind, data in ancillary:
        try:
            if (level, kind) == IPV4:
                index, source, _ = _IPV4.unpack(data)
            elif (level, kind) == IPV6:
                address, index = _IPV6.unpack(data)
                source = address[12:]
                if address[:12] not in (_MAPPED, bytes(12)):
                    raise system_error(errno.EINVAL)
            else:
                raise refusal()
        except struct.error:
            raise system_error(errno.EINVAL) from None
    if source != UNSPECIFIED and not host.ip.is_local(source):
        raise system_error(errno.ENETUNREACH)
    return Sending(None if source == UNSPECIFIED else source, _interface(host, index))


def _interface(host: Host, index: int) -> Interface | None:
    if index in (0, LOOPBACK_INDEX):
        return None  # any; or what stays on this host, which leaves by none
    for interface in host.interfaces:
        if index_of(interface) == index:
            return interface
    raise system_error(errno.ENODEV)


def refusal() -> OSError:
    """For what nothing here would mind."""
    return OSError(
        errno.EOPNOTSUPP,
        "the simulated network has no ancillary data but IP_PKTINFO and IPV6_PKTINFO of datagrams: "
        "call sendmsg() without",
    )
