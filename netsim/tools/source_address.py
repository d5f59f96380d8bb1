"""Where a tool sends from, as the user says it: an address of the node, or an interface."""

from __future__ import annotations

from netsim.stack.host import Host
from netsim.stack.interface import Interface
from netsim.stack.socket_errors import AddressNotAvailableError
from netsim.tools.context import is_numeric
from netsim.wire.address import IpAddress, parse_ip


class NoSuchInterfaceError(Exception):
    """The node has no interface of that name."""


def source_of(host: Host, text: str) -> tuple[IpAddress, Interface | None]:
    """The address, and the interface where one was named.

    AddressNotAvailableError for an address of somebody else; NoSuchInterfaceError.
    """
    if is_numeric(text):
        address = parse_ip(text)
        if not host.ip.is_local(address):
            raise AddressNotAvailableError(f"{text} is no address of this node")
        return address, None
    return interface_named(host, text)


def interface_named(host: Host, name: str) -> tuple[IpAddress, Interface | None]:
    """The first address of the interface, and itself, but for `lo`; NoSuchInterfaceError."""
    if name == "lo":
        return next(iter(host.loopback), parse_ip("127.0.0.1")), None
    for interface in host.interfaces:
        if interface.name == name:
            return interface.addresses[0].address, interface
    raise NoSuchInterfaceError(name)
