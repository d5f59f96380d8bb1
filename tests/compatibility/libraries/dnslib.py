"""dnslib's server, in threads."""

from __future__ import annotations

from typing import Any

import dns.asyncquery
import dns.message
import dnslib
from dnslib.server import BaseResolver, DNSServer
from partners import ALL, address_of

KIND = "DNS"
PACKAGES = ("dnslib",)
ROLES = "server"
PORT = 53
TEXT = "x" * 200


class Texts(BaseResolver):  # type: ignore[misc]
    def resolve(self, request: Any, handler: Any) -> Any:
        reply = request.reply()
        for number in range(250):
            text = [f"{number}{TEXT}".encode()]
            reply.add_answer(dnslib.RR(request.q.qname, 16, ttl=60, rdata=dnslib.TXT(text)))
        return reply


def serve() -> None:
    server = DNSServer(Texts(), address=ALL, port=PORT, tcp=True)
    server.start()


async def exchange(host: str, size: int) -> None:
    for _ in range(-(-size // 50_000)):
        query = dns.message.make_query("texts.", "TXT")
        reply = await dns.asyncquery.tcp(query, await address_of(host), timeout=20)
        assert len(reply.answer[0]) == 250
