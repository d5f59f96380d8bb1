"""aiodns: c-ares has sockets of its own, in C."""

from __future__ import annotations

import aiodns
from partners import address_of

from libraries.dnspython import serve as serve

KIND = "DNS"
PACKAGES = ("aiodns",)
ROLES = "client"
PORT = 53
UDP = True


async def exchange(host: str, size: int) -> None:
    resolver = aiodns.DNSResolver(nameservers=[await address_of(host)], timeout=5)
    for _ in range(-(-size // 60_000)):
        await resolver.query(f"{min(size, 60_000)}.texts", "TXT")
