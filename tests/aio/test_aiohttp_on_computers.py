"""Unmodified aiohttp, server and client, on two computers."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from certificates import make_contexts
from networks import play
from plans import plan_of
from resets import reset
from virtual_computers import World, world

from netsim import Network
from netsim.core.time import Time
from netsim.wire.address import format_ip

__all__ = ["world"]

Client = Callable[[aiohttp.ClientSession], Awaitable[None]]
RAISED: web.AppKey[list[BaseException]] = web.AppKey("RAISED")


async def hello(request: web.Request) -> web.Response:
    path = request.transport.get_extra_info("netsim.path") if request.transport else None
    return web.json_response({"remote": request.remote, "host": request.host, "path": path})


async def digest(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response({"size": len(body), "sha256": hashlib.sha256(body).hexdigest()})


async def count(request: web.Request) -> web.StreamResponse:
    """Ten lines, one each 100 ms, in chunks."""
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(10):
        await response.write(b"%d\n" % number)
        await asyncio.sleep(0.1)
    return response


async def echo_socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
        else:
            await socket.send_bytes(message.data)
    return socket


async def wait(request: web.Request) -> web.Response:
    """A minute, unless the client goes away."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        request.app[RAISED].append(error)
        raise
    return web.Response(text="at last")


def application(folder: Path) -> web.Application:
    app = web.Application(client_max_size=1 << 30)
    app[RAISED] = []
    app.router.add_get("/", hello)
    app.router.add_post("/digest", digest)
    app.router.add_get("/count", count)
    app.router.add_get("/ws", echo_socket)
    app.router.add_get("/wait", wait)
    app.router.add_static("/files", folder)
    return app


class Web:
    """The application on `web`, and a way to talk to it from `alice`."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.app = application(folder)
        world.run("web", self._serve(80))

    async def _serve(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._runner = web.AppRunner(self.app, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, None, port, ssl_context=tls).start()

    def serve_tls(self, context: ssl.SSLContext) -> None:
        self.app = application(self.folder)
        self.world.run("web", self._serve(443, context))

    @property
    def accepted(self) -> int:
        """Connections so far."""
        return self.world.loop("web").host.tcp.counters.passive_opens

    def call(self, client: Client, **options: Any) -> None:
        async def run() -> None:
            async with aiohttp.ClientSession(**options) as session:
                await client(session)

        self.world.run("alice", run())
        self.world.run_for(1)


@pytest.fixture
def server(world: World, tmp_path: Path) -> Web:
    return Web(world, tmp_path)


def test_get(server: Web) -> None:
    async def client(session: aiohttp.ClientSession) -> None:
        async with session.get("http://web/") as response:
            assert response.status == 200
            assert await response.json() == {
                "remote": format_ip(server.world.plan.hosts["alice"]),
                "host": "web",
                "path": ["alice", "r1", "web"],
            }
        async with session.get("http://web.test.test/none") as response:
            assert response.status == 404

    server.call(client)


def test_keep_alive_uses_one_connection(server: Web) -> None:
    async def client(session: aiohttp.ClientSession) -> None:
        for _ in range(20):
            async with session.get("http://web/") as response:
                await response.read()
            await asyncio.sleep(1)

    server.call(client)
    assert server.accepted == 1


def test_many_clients_at_once(server: Web) -> None:
    async def client(session: aiohttp.ClientSession) -> None:
        async def get() -> int:
            async with session.get("http://web/") as response:
                await response.read()
                return response.status

        assert set(await asyncio.gather(*(get() for _ in range(300)))) == {200}

    server.call(client)
    assert server.accepted <= 100, "the limit of aiohttp's connector"


def test_large_bodies(server: Web) -> None:
    body = bytes(range(256)) * 20_000

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 70_001):
            yield body[start : start + 70_001]

    async def client(session: aiohttp.ClientSession) -> None:
        for data in (io.BytesIO(body), pieces()):
            async with session.post("http://web/digest", data=data) as response:
                answer = await response.json()
                assert answer == {
                    "size": len(body),
                    "sha256": hashlib.sha256(body).hexdigest(),
                }

    server.call(client)


def test_files_by_sendfile(server: Web) -> None:
    body = bytes(range(256)) * 8_000
    (server.folder / "large.bin").write_bytes(body)

    async def client(session: aiohttp.ClientSession) -> None:
        async with session.get("http://web/files/large.bin") as response:
            assert await response.read() == body
        ranges = {"Range": "bytes=1000-1999"}
        async with session.get("http://web/files/large.bin", headers=ranges) as response:
            assert response.status == 206
            assert await response.read() == body[1000:2000]

    server.call(client)


def test_chunks_come_as_they_are_sent(server: Web) -> None:
    times = []

    async def client(session: aiohttp.ClientSession) -> None:
        async with session.get("http://web/count") as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            async for line in response.content:
                times.append(server.world.now // 1_000_000)
                assert line == b"%d\n" % (len(times) - 1)

    server.call(client)
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [100] * 9


def test_websocket(server: Web) -> None:
    async def client(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect("http://web/ws", heartbeat=30) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "HELLO"
            large = bytes(range(256)) * 2000
            await socket.send_bytes(large)
            assert await socket.receive_bytes() == large
            await asyncio.sleep(600)
            await socket.send_str("still there")
            assert (await socket.receive_str(timeout=1)) == "STILL THERE"

    server.call(client)


def test_time_limits(server: Web) -> None:
    async def client(session: aiohttp.ClientSession) -> None:
        began = server.world.now
        with pytest.raises(TimeoutError):
            await session.get("http://web/wait", timeout=aiohttp.ClientTimeout(total=2))
        assert (server.world.now - began) / 1e9 == pytest.approx(2, abs=0.01)
        with pytest.raises(aiohttp.ServerTimeoutError):
            await session.get("http://web/wait", timeout=aiohttp.ClientTimeout(sock_read=3))

    server.call(client)
    assert len(server.app[RAISED]) == 2, "the server learns that its client is gone"


def test_a_cancelled_request_is_cancelled_at_the_server(server: Web) -> None:
    async def client(session: aiohttp.ClientSession) -> None:
        task = asyncio.create_task(session.get("http://web/wait").__aenter__())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(1)
        assert len(server.app[RAISED]) == 1
        async with session.get("http://web/") as response:
            assert response.status == 200

    server.call(client)


def test_connections_that_fail(server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    async def client(session: aiohttp.ClientSession) -> None:
        with pytest.raises(aiohttp.ClientConnectorError, match="Connect call failed") as caught:
            await session.get("http://web:81/")
        assert caught.value.errno == errno.ECONNREFUSED
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get("http://wbe/")
        server.world.network.set_link("web", "eth0", False)
        monkeypatch.setattr(server.world.loop("r1").host.icmp, "send_error", lambda *_, **__: None)
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await session.get("http://web/", timeout=aiohttp.ClientTimeout(sock_connect=5))

    server.call(client)


def test_a_server_that_dies_in_the_middle(server: Web) -> None:
    async def client(session: aiohttp.ClientSession) -> None:
        async with session.get("http://web/count") as response:
            await response.content.readline()
            for transport in list(server.world.loop("web")._owners.values()):
                if isinstance(transport, asyncio.Transport):
                    reset(transport)
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()

    server.call(client)


def test_https(server: Web, tmp_path: Path) -> None:
    server_context, client_context = make_contexts(tmp_path)
    server.serve_tls(server_context)

    async def client(session: aiohttp.ClientSession) -> None:
        body = b"x" * 300_000
        for _ in range(3):
            async with session.post("https://web/digest", data=body, ssl=client_context) as answer:
                assert (await answer.json())["size"] == 300_000
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get("https://web/")

    server.call(client)
    assert server.accepted == 2, "one is kept alive, one was refused by the client"


class AsksRealServers(aiohttp.abc.AbstractResolver):
    """aiohttp's default, where aiodns is installed."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise AssertionError("asked past the simulated network")

    async def resolve(self, *_: Any) -> Any:
        """Never."""

    async def close(self) -> None:
        """Never."""


NAMES_OF_THE_DEFAULT = (aiohttp, aiohttp.connector, aiohttp.resolver)


def defaults() -> set[Any]:
    return {vars(module)["DefaultResolver"] for module in NAMES_OF_THE_DEFAULT}


@pytest.fixture
def aiodns(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in NAMES_OF_THE_DEFAULT:
        monkeypatch.setattr(module, "DefaultResolver", AsksRealServers)


@pytest.mark.usefixtures("aiodns")
def test_names_are_asked_of_the_loop_even_with_aiodns(tmp_path: Path) -> None:
    """A connector made by code that knows nothing of us takes the default resolver."""
    world = World(plan_of("alice r1 delay=1ms", "r1 web delay=1ms"))

    async def client(session: aiohttp.ClientSession) -> None:
        async with session.get("http://web/") as response:
            assert response.status == 200

    Web(world, tmp_path).call(client)

    async def elsewhere() -> None:
        with pytest.raises(AssertionError, match="past the simulated network"):
            aiohttp.TCPConnector()

    asyncio.run(elsewhere())
    assert AsksRealServers not in defaults()
    world.close()
    assert defaults() == {AsksRealServers}


@pytest.mark.usefixtures("aiodns")
@pytest.mark.parametrize("time", ["virtual", "real"])
def test_aiohttp_is_what_it_was_when_no_network_lives(time: Time) -> None:
    async def test(network: Network) -> None:
        await network["web"].crash()
        await network["web"].start()
        assert (await network["alice"].get("http://web/ip")).status == 200
        assert (AsksRealServers in defaults()) == (time == "real"), "nodes have processes"

    web = {"services": {80: "netsim.services.httpbin:create_app"}}
    play(time, plan_of("alice web", nodes={"web": web}), test)
    assert defaults() == {AsksRealServers}


def test_a_world_that_ends_leaves_another_its_names(world: World) -> None:
    during = defaults()
    World(world.plan).close()
    assert defaults() == during
