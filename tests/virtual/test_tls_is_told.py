"""TLS in virtual time works, and is told once for each computer: on the network, and in memory."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import networkx
import pytest
from certificates import make_contexts
from tls_programs import Contexts, Program, starttls

from netsim import Network, run


def through_memory(contexts: Contexts) -> tuple[Program, Program]:
    """As libraries do that bring their own records (trio's, anyio's, pyOpenSSL's way)."""
    server_context, client_context = contexts

    async def shake_hands(
        tls: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(1 << 16))
        writer.write(outgoing.read())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bios = ssl.MemoryBIO(), ssl.MemoryBIO()
        await shake_hands(server_context.wrap_bio(*bios, server_side=True), *bios, reader, writer)
        writer.close()

    async def serve() -> None:
        await asyncio.start_server(answer, port=587)

    async def talk() -> None:
        reader, writer = await asyncio.open_connection("web", 587)
        bios = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context.wrap_bio(*bios, server_hostname="web")
        await shake_hands(tls, *bios, reader, writer)
        assert tls.cipher() is not None
        await reader.read()
        writer.close()

    return serve, talk


@pytest.mark.parametrize(
    ("way", "file"), [(starttls, "tls_programs.py"), (through_memory, "test_tls_is_told.py")]
)
def test_it_works_and_is_told_with_the_programs_line(
    tmp_path: Path, way: Callable[[Contexts], tuple[Program, Program]], file: str
) -> None:
    contexts = make_contexts(tmp_path)
    graph: networkx.Graph[str] = networkx.Graph(name="tls")
    graph.add_edge("alice", "web", delay="1ms")

    async def main() -> list[str]:
        serve, talk = way(contexts)
        async with Network(graph, time="virtual") as network:
            await network["web"].run(serve)
            await network["alice"].run(talk)
            await network["alice"].run(talk)
            return network.unrepeatable

    told = [line for line in run(main()) if "TLS" in line]
    assert sorted(line.partition(" (")[0] for line in told) == [
        "alice: used TLS, whose bytes are random",
        "web: used TLS, whose bytes are random",
    ]
    assert all(f"{file}:" in line for line in told)
