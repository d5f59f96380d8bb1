"""The hosts table of a computer: names to addresses and back, without a question to anybody.

What `getaddrinfo` and `getnameinfo` answer on the computer's loop comes from here, in the form
and with the errors of the system's functions of that name (RFC 3493 6).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

from netsim.wire.address import UNSPECIFIED, IpAddress, format_ip, parse_ip

AddressInfo = tuple[int, int, int, str, tuple[str, int]]
"""Family, type, protocol, canonical name, and (address, port)."""

_LOCALHOST: Final = b"\x7f\x00\x00\x01"
_KINDS: Final = (
    (socket.SOCK_STREAM, socket.IPPROTO_TCP, "tcp"),
    (socket.SOCK_DGRAM, socket.IPPROTO_UDP, "udp"),
)


class HostsTable:
    """Every name of the network, as `/etc/hosts` would list it; case does not matter.

    Nothing is made of `names` until it is asked for: most computers of a large network never do,
    and their processes share the memory of the names as long as nobody touches them. Of a node
    with several addresses `names` has the first; `nearest` knows which of them is best asked from
    here, and `owner` whose the others are.
    """

    def __init__(
        self,
        names: Mapping[str, IpAddress],
        *,
        nearest: Callable[[IpAddress], IpAddress] = lambda address: address,
        owner: Callable[[IpAddress], str | None] = lambda address: None,
    ) -> None:
        self._given = names
        self._nearest = nearest
        self._owner = owner

    @cached_property
    def _addresses(self) -> dict[str, IpAddress]:
        return {name.lower(): address for name, address in self._given.items()}

    @cached_property
    def _names(self) -> dict[IpAddress, str]:
        first: dict[IpAddress, str] = {}
        for name, address in self._given.items():
            first.setdefault(address, name)
        return first

    def resolve(self, name: str | bytes | None, *, passive: bool = False) -> IpAddress:
        """The address of a name or of an address in text; `socket.gaierror` when unknown.

        Nothing at all is "any address" for servers (`passive`), else this computer itself.
        """
        if not name:
            return UNSPECIFIED if passive else _LOCALHOST
        text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
        if passive and text == "::":
            # Servers that listen on everything often say so in IPv6, which takes IPv4 along.
            return UNSPECIFIED
        address = _numeric(text)
        if address is not None and len(address) == 4:
            return address
        if ":" in text:
            raise _error(socket.EAI_ADDRFAMILY)
        lowered = text.lower().removesuffix(".")
        if lowered == "localhost":
            return _LOCALHOST
        if lowered not in self._addresses:
            raise _error(socket.EAI_NONAME)
        return self._nearest(self._addresses[lowered])

    def name_of(self, address: IpAddress) -> str | None:
        """The first name of an address."""
        if address == _LOCALHOST:
            return "localhost"
        return self._names.get(address) or self._owner(address)

    def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        kind: int = 0,
        protocol: int = 0,
        flags: int = 0,
    ) -> list[AddressInfo]:
        if host is None and port is None:
            raise _error(socket.EAI_NONAME)
        if family not in (socket.AF_UNSPEC, socket.AF_INET):
            raise _error(socket.EAI_ADDRFAMILY if family == socket.AF_INET6 else socket.EAI_FAMILY)
        kinds = [
            (own_kind, own_protocol, name)
            for own_kind, own_protocol, name in _KINDS
            if kind in (0, own_kind) and protocol in (0, own_protocol)
        ]
        if not kinds:
            raise _error(socket.EAI_SOCKTYPE)
        text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if flags & socket.AI_NUMERICHOST and text and _numeric(text) is None:
            raise _error(socket.EAI_NONAME)
        address = format_ip(self.resolve(text, passive=bool(flags & socket.AI_PASSIVE)))
        found: list[AddressInfo] = []
        for own_kind, own_protocol, name in kinds:
            number = _port_number(port, name, numeric=bool(flags & socket.AI_NUMERICSERV))
            if number is not None:
                canonical = str(text) if flags & socket.AI_CANONNAME and not found else ""
                place = (address, number)
                found.append((socket.AF_INET, own_kind, own_protocol, canonical, place))
        if not found:
            raise _error(socket.EAI_SERVICE)
        return found

    def getnameinfo(self, place: tuple[str, int], flags: int = 0) -> tuple[str, str]:
        text, port = place[0], place[1]
        address = _numeric(text)
        if address is None:
            raise _error(socket.EAI_NONAME)
        name = None if flags & socket.NI_NUMERICHOST else self.name_of(address)
        if name is None and flags & socket.NI_NAMEREQD:
            raise _error(socket.EAI_NONAME)
        return name or text, _service_name(port, flags)


def socket_address(endpoint: tuple[IpAddress | None, int]) -> tuple[str, int]:
    """How Python's socket functions spell an endpoint."""
    address, port = endpoint
    return format_ip(UNSPECIFIED if address is None else address), port


def _numeric(text: str) -> IpAddress | None:
    try:
        address = parse_ip(text)
    except ValueError:
        return None
    return address if len(address) == 4 else None


def _port_number(port: str | bytes | int | None, protocol: str, *, numeric: bool) -> int | None:
    """The number of a port or service; None when that protocol has no such service."""
    text = port.decode("ascii", "replace") if isinstance(port, bytes) else str(port or 0)
    if text.isdecimal() or not text:
        number = int(text or 0)
        if number > 0xFFFF:
            raise _error(socket.EAI_SERVICE)
        return number
    if numeric:
        raise _error(socket.EAI_NONAME)
    try:
        return socket.getservbyname(text, protocol)
    except OSError:
        return None


def _service_name(port: int, flags: int) -> str:
    if not flags & socket.NI_NUMERICSERV:
        try:
            return socket.getservbyport(port, "udp" if flags & socket.NI_DGRAM else "tcp")
        except OSError:
            pass
    return str(port)


_TEXTS: Final = {
    socket.EAI_NONAME: "Name or service not known",
    socket.EAI_ADDRFAMILY: "Address family for hostname not supported",
    socket.EAI_FAMILY: "ai_family not supported",
    socket.EAI_SOCKTYPE: "ai_socktype not supported",
    socket.EAI_SERVICE: "Servname not supported for ai_socktype",
}


def _error(code: int) -> socket.gaierror:
    return socket.gaierror(code, _TEXTS[code])
