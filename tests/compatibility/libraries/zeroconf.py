"""zeroconf: multicast."""

from __future__ import annotations

import asyncio
import socket

from partners import address_of
from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

KIND = "IoT"
PACKAGES = ("zeroconf",)
ROLES = "both"
PORT = 5353
UDP = True
TYPE = "_echo._tcp.local."


async def serve() -> None:
    zeroconf = AsyncZeroconf()
    info = ServiceInfo(TYPE, f"server.{TYPE}", 80, addresses=[socket.inet_aton("10.0.1.2")])
    await zeroconf.async_register_service(info)
    await asyncio.Event().wait()


async def exchange(host: str, size: int) -> None:
    assert await address_of(host)
    async with AsyncZeroconf() as zeroconf:
        assert await zeroconf.async_get_service_info(TYPE, f"server.{TYPE}", 3000)
