"""UDP through a socket of IPv6 that takes IPv4 along (RFC 3493 3.7).

A computer has no IPv6 yet, and a socket for it is refused; but for datagrams some libraries
(aioquic) have this one kind of socket, and write IPv4 addresses as `::ffff:10.0.1.10`.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

from netsim.sockets import packet_info
from netsim.sockets.datagram_endpoint import DatagramEndpoint
from netsim.sockets.hosts_table import socket_address
from netsim.sockets.os_errors import system_error
from netsim.wire.address import UNSPECIFIED, IpAddress, parse_ip

_PREFIX: Final = "::ffff:"
_JOIN_GROUP: Final = (socket.IPV6_JOIN_GROUP, 27, 42, 46)
"""IPV6_JOIN_ANYCAST, MCAST_JOIN_GROUP and MCAST_JOIN_SOURCE_GROUP are the others."""


class MappedDatagrams(DatagramEndpoint):
    """Knows addresses of IPv4 only."""

    _only_ipv6 = False

    def place(self, address: Any, *, is_local: bool = False) -> tuple[IpAddress, int]:
        """As of any; OSError EADDRNOTAVAIL or ENETUNREACH for an address of IPv6 itself."""
        if not isinstance(address, tuple):
            raise TypeError(f"address must be a tuple, not {type(address).__name__}")
        if not 2 <= len(address) <= 4:
            raise TypeError("AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])")
        host, port = address[:2]
        if host in ("", "::") and is_local:
            return super().place(("", port), is_local=True)
        if isinstance(host, str) and host.lower().startswith(_PREFIX) and not self._only_ipv6:
            return super().place((host[len(_PREFIX) :], port), is_local=is_local)
        if isinstance(host, str) and ":" in host:
            raise system_error(errno.EADDRNOTAVAIL if is_local else errno.ENETUNREACH)
        self.machine.hosts_table.getaddrinfo(host, port, socket.AF_INET6)  # no name has one
        raise system_error(errno.ENETUNREACH)

    def spell(self, place: tuple[IpAddress | None, int]) -> tuple[Any, ...]:
        text, port = socket_address(place)
        is_any = parse_ip(text) == UNSPECIFIED
        return ("::" if is_any else _PREFIX + text), port, 0, 0

    def setsockopt(self, level: int, option: int, value: Any, *rest: Any) -> None:
        """OSError EAFNOSUPPORT for joining a group; IPV6_V6ONLY and IPV6_RECVPKTINFO are minded,
        others are nothing."""
        if level != socket.IPPROTO_IPV6:
            super().setsockopt(level, option, value, *rest)
        elif option in _JOIN_GROUP:
            raise OSError(errno.EAFNOSUPPORT, "the simulated network has no multicast groups")
        elif option == socket.IPV6_V6ONLY:
            self._only_ipv6 = bool(value)
        elif (level, option) == packet_info.IPV6_OPTION:
            self._tells_destination = packet_info.IPV6 if value else None

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        if level != socket.IPPROTO_IPV6:
            return super().getsockopt(level, option, size)
        value = int(
            (self._only_ipv6 and option == socket.IPV6_V6ONLY)
            or (
                self._tells_destination == packet_info.IPV6
                and (level, option) == packet_info.IPV6_OPTION
            )
        )
        return value.to_bytes(4, "little")[:size] if size else value
