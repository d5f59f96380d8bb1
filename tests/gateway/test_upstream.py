"""What an upstream does where a whole network would be in the way."""

from __future__ import annotations

import asyncio
import socket

import pytest
from real_clients import Alice, Client, alice  # noqa: F401

from netsim.gateway import upstream as upstream_module
from netsim.gateway.upstream import Upstream
from netsim.topology.plan import UpstreamPlan


class Silent(asyncio.Protocol):
    """A real server that says nothing."""


async def real_port(alice: Alice) -> tuple[asyncio.Server, int]:  # noqa: F811
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return await alice.loop.outside.create_server(Silent, sock), sock.getsockname()[1]


async def client_of(alice: Alice) -> Client:  # noqa: F811
    """In the network."""
    _, client = await alice.loop.create_connection(Client, "127.0.0.1", 5432)
    assert isinstance(client, Client)
    return client


def test_connections_have_a_limit(alice: Alice, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(upstream_module, "MOST", 2)

    async def main() -> None:
        server, port = await real_port(alice)
        upstream = Upstream(alice.loop, 5432, UpstreamPlan("localhost", port))
        await upstream.start()
        clients = [await client_of(alice) for _ in range(3)]
        assert isinstance(await clients[2].lost, ConnectionResetError)
        facts = upstream.facts()
        assert (facts["connections"], facts["refused"], facts["active"]) == (3, 1, 2)
        await upstream.stop()
        assert [await client.read_to_the_end() for client in clients[:2]] == [b"", b""]
        assert upstream.facts()["active"] == 0
        server.close()

    alice.run(main())


def test_a_server_that_does_not_accept_has_a_time(
    alice: Alice,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream_module, "_CONNECT", 0.05)

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(alice.loop.outside, "connect", never)

    async def main() -> None:
        upstream = Upstream(alice.loop, 5432, UpstreamPlan("127.0.0.1", 1))
        await upstream.start()
        client = await client_of(alice)
        assert isinstance(await client.lost, ConnectionResetError)
        assert upstream.facts()["failures"] == 1
        await upstream.stop()

    alice.run(main())
