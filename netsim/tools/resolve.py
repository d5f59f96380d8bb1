"""Names to addresses, as programs on the computer see them. Runs on the computer."""

from __future__ import annotations

import asyncio
import socket

from netsim.aio.loop import HostLoopMixin
from netsim.core.errors import UnknownNameError
from netsim.wire.address import IpAddress, parse_ip


async def resolve(name: str) -> str | None:
    """The IPv4 address of a name or of an address in text; None when nobody has the name."""
    if not name:
        return None
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            name, None, family=socket.AF_INET, type=socket.SOCK_STREAM
        )
    except socket.gaierror:
        return None
    return str(found[0][4][0])


async def address_of(name: str) -> IpAddress:
    """The packed address of a name; UnknownNameError when there is none."""
    address = await resolve(name)
    if address is None:
        raise UnknownNameError(f"nobody in this network has the name {name!r}")
    return parse_ip(address)


def computer_loop() -> HostLoopMixin:
    """The loop that this runs on; TypeError when it is on no computer."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, HostLoopMixin):
        raise TypeError("this runs on a computer of a network: await network['alice'].run(…)")
    return loop
