"""TLS over simulated connections: from the start, and in the middle (STARTTLS)."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from certificates import make_contexts
from protocols import Recorder
from tls_programs import Contexts, starttls
from virtual_computers import World, world

__all__ = ["world"]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return make_contexts(tmp_path_factory.mktemp("certificate"))


async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data.upper())
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_streams_over_tls(world: World, contexts: Contexts) -> None:
    server_context, client_context = contexts

    async def serve() -> None:
        await asyncio.start_server(upper, port=443, ssl=server_context)

    async def talk() -> None:
        reader, writer = await asyncio.open_connection("web", 443, ssl=client_context)
        assert writer.get_extra_info("cipher") is not None
        assert writer.get_extra_info("peername")[1] == 443
        assert writer.get_extra_info("netsim.path") == ["web", "r1", "alice"]
        text = b"abcdefgh" * 100_000
        writer.write(text)
        await writer.drain()
        assert await reader.readexactly(len(text)) == text.upper()
        writer.close()
        await writer.wait_closed()

    world.run("web", serve())
    world.run("alice", talk())
    world.run_for(1)
    sent = world.network.port("alice", "eth0").egress.counters.sent
    assert sent > 800_000 / 1460


def test_nothing_is_readable_on_the_way(world: World, contexts: Contexts) -> None:
    server_context, client_context = contexts
    seen = bytearray()
    receive = world.network.nodes["r1"].receive_frame

    def listen_in(port: object, frame: bytes, now: int) -> None:
        seen.extend(frame)
        receive(port, frame, now)  # type: ignore[arg-type]

    async def serve() -> None:
        await asyncio.start_server(upper, port=443, ssl=server_context)

    async def talk() -> None:
        reader, writer = await asyncio.open_connection("web", 443, ssl=client_context)
        writer.write(b"a secret word")
        assert await reader.readexactly(13) == b"A SECRET WORD"
        writer.close()
        await writer.wait_closed()

    world.run("web", serve())
    world.network.nodes["r1"].receive_frame = listen_in  # type: ignore[method-assign]
    world.run("alice", talk())
    world.run_for(1)
    assert len(seen) > 1000
    assert b"secret" not in seen


def test_starttls(world: World, contexts: Contexts) -> None:
    serve, talk = starttls(contexts)
    world.run("web", serve())
    world.run("alice", talk())
    world.run_for(1)


def test_a_certificate_that_nobody_vouches_for(world: World, contexts: Contexts) -> None:
    async def serve() -> None:
        await asyncio.start_server(upper, port=443, ssl=contexts[0])

    async def talk() -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("web", 443, ssl=ssl.create_default_context())
        # A name that the certificate does not have.
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("web.test.test", 443, ssl=contexts[1])
        reader, writer = await asyncio.open_connection(
            "web.test.test", 443, ssl=contexts[1], server_hostname="web"
        )
        writer.write(b"fine")
        assert await reader.readexactly(4) == b"FINE"
        writer.close()
        await writer.wait_closed()

    world.run("web", serve())
    world.run("alice", talk())
    world.run_for(1)


def test_a_server_that_does_not_speak_tls(world: World, contexts: Contexts) -> None:
    async def serve() -> None:
        await world.loop("web").create_server(Recorder, port=443)

    async def talk() -> None:
        began = world.now
        with pytest.raises(ConnectionAbortedError, match="SSL handshake is taking longer"):
            await world.loop("alice").create_connection(
                Recorder, "web", 443, ssl=contexts[1], ssl_handshake_timeout=5.0
            )
        assert world.now - began == pytest.approx(5e9, abs=1e8)

    world.run("web", serve())
    world.run("alice", talk())
    world.run_for(1)
