"""The hosts table of a computer: names to addresses and back, without a question to anybody."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from netsim.wire.address import IpAddress, format_ip, parse_ip

_LOCALHOST = b"\x7f\x00\x00\x01"
_ANY = b"\x00\x00\x00\x00"


class HostsTable:
    """Every name of the network, as `/etc/hosts` would list it; case does not matter."""

    def __init__(self, names: Mapping[str, IpAddress]) -> None:
        self._addresses = {name.lower(): address for name, address in names.items()}
        self._names: dict[IpAddress, str] = {}
        for name, address in names.items():
            self._names.setdefault(address, name)

    def resolve(self, name: str | bytes | None, *, passive: bool = False) -> IpAddress:
        """The address of a name or of an address in text; `socket.gaierror` when unknown.

        Nothing at all is "any address" for servers (`passive`), else this computer itself.
        """
        text = name.decode("idna") if isinstance(name, bytes) else name
        if not text:
            return _ANY if passive else _LOCALHOST
        try:
            return parse_ip(text)
        except ValueError:
            pass
        lowered = text.lower().removesuffix(".")
        if lowered == "localhost":
            return _LOCALHOST
        address = self._addresses.get(lowered)
        if address is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return address

    def name_of(self, address: IpAddress) -> str | None:
        """The first name of an address."""
        return "localhost" if address == _LOCALHOST else self._names.get(address)


def socket_address(endpoint: tuple[IpAddress | None, int]) -> tuple[str, int]:
    """How Python's socket functions spell an endpoint."""
    address, port = endpoint
    return format_ip(address if address is not None else _ANY), port
