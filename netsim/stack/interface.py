"""A host's network interface: its addresses, and whether its cable carries."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.wire.address import IpAddress, MacAddress, broadcast_of, network_of


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address with its prefix, as in `10.0.3.10/24`."""

    address: IpAddress
    prefix_length: int

    @property
    def network(self) -> IpAddress:
        """The network address of the subnet."""
        return network_of(self.address, self.prefix_length)

    @property
    def broadcast(self) -> IpAddress | None:
        """The directed broadcast address; None where there is none (/31, /32, IPv6)."""
        if len(self.address) != 4 or self.prefix_length >= 31:
            return None
        return broadcast_of(self.address, self.prefix_length)

    def contains(self, address: IpAddress) -> bool:
        """Whether `address` is in the same subnet."""
        return (
            len(address) == len(self.address)
            and network_of(address, self.prefix_length) == self.network
        )


class Interface:
    """One interface of one host; `index` is its position and the number of its port."""

    __slots__ = ("addresses", "index", "mac", "mtu", "name", "up")

    def __init__(
        self,
        index: int,
        name: str,
        mac: MacAddress,
        addresses: tuple[InterfaceAddress, ...] = (),
        mtu: int = 1500,
    ) -> None:
        self.index = index
        self.name = name
        self.mac = mac
        self.addresses = addresses
        self.mtu = mtu
        self.up = True
        """Whether the cable has a carrier; without one nothing is sent or routed here."""

    def broadcasts(self) -> list[IpAddress]:
        """The directed broadcast addresses of its subnets."""
        return [broadcast for entry in self.addresses if (broadcast := entry.broadcast) is not None]
