"""What IP expects of the protocols above it."""

from __future__ import annotations

from typing import Protocol

from netsim.wire import icmp, ipv4
from netsim.wire.address import IpAddress


class Upper(Protocol):
    """A protocol above IP."""

    def receive(self, header: ipv4.Ipv4Header, payload: bytes, now: int) -> None:
        """Take a packet for this host; WireError when it is malformed."""

    def receive_error(
        self,
        quoted: ipv4.Ipv4Header,
        head: bytes,
        error: icmp.IcmpMessage,
        reporter: IpAddress | None,
        now: int,
    ) -> bool:
        """An ICMP error about a packet this host sent; whether it did send such a one.

        `head` is what it quotes of the payload, at least eight octets; `reporter` is None when
        this host found out by itself. Strangers who guess are not believed (RFC 5927).
        """
