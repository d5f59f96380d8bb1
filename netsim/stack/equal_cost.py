"""Which of several next hops of equal cost a flow takes.

By highest random weight (RFC 2991 section 4; Thaler and Ravishankar 1998): every next hop draws a
number from the flow, and the highest wins. All packets of a flow so take one way and stay in
order, and when a next hop goes or comes back, only flows that it had or gets change theirs. A flow
is source, destination, protocol and, of whole TCP and UDP packets, the ports; of a fragment only
the first three are known.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from netsim.wire.address import IpAddress

_WITH_PORTS: Final = frozenset((6, 17))
_MASK: Final = 0xFFFFFFFF


def flow_key(
    source: IpAddress, destination: IpAddress, protocol: int, payload: bytes = b""
) -> bytes:
    """What tells a flow from others. `payload` begins with the ports; of a fragment it is empty."""
    ports = payload[:4] if protocol in _WITH_PORTS else b""
    return b"%b%b%c%b" % (source, destination, protocol, ports)


def salt_of(node: str, interface: str, gateway: IpAddress | None) -> int:
    """What tells a next hop of one node from others, and from those of other nodes.

    Were it the same everywhere, a second choice on the way would always fall as the first did.
    """
    return crc32(b"%b/%b/%b" % (node.encode(), interface.encode(), gateway or b""))


def weight(flow: int, salt: int) -> int:
    """Of a flow, by the CRC-32 of its key, for a next hop: the finalizer of MurmurHash3."""
    mixed = flow ^ salt
    mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & _MASK
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & _MASK
    return mixed ^ mixed >> 16
