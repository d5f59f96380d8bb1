"""dnspython, which asks over UDP, and again over TCP for what is long."""

from __future__ import annotations

import asyncio
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.rrset
from partners import ALL, address_of, serve_streams

KIND = "DNS"
PACKAGES = ("dnspython",)
ROLES = "both"
PORT = 53
UDP = True
LARGEST = 60_000


def answer(question: bytes) -> dns.message.Message:
    message = dns.message.from_wire(question)
    reply = dns.message.make_response(message)
    name = message.question[0].name
    size = int(name.labels[0])
    texts = [f'"{index:05d}{"x" * 200}"' for index in range(size // 217)] or ['"short"']
    reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *texts))
    return reply


class OverUdp(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        reply = answer(data)
        try:
            wire = reply.to_wire(max_size=1232)
        except dns.exception.TooBig:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            wire = reply.to_wire()
        self.transport.sendto(wire, address)


async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    length = int.from_bytes(await reader.readexactly(2), "big")
    wire = answer(await reader.readexactly(length)).to_wire(max_size=65_535)
    writer.write(len(wire).to_bytes(2, "big") + wire)
    await writer.drain()


async def serve() -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(OverUdp, (ALL, PORT))
    await serve_streams(over_tcp, PORT)


async def exchange(host: str, size: int) -> None:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [await address_of(host)]
    for _ in range(-(-size // LARGEST)):
        name = f"{min(size, LARGEST)}.texts."
        answer = await resolver.resolve(name, "TXT", lifetime=20)
        assert len(answer) == max(1, min(size, LARGEST) // 217)
