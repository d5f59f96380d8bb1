"""Services with `tls`: whom their clients trust, and whom they do not, in both times."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import ssl
import stat
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests
from certificates import make_contexts
from hash_seeds import traces
from lossy_path import lossy_path
from networks import HTTPBIN, Curl, curl, play, two_computers  # noqa: F401

from netsim import Network, StartError, run
from netsim.core.time import Time
from netsim.site import certificates
from netsim.topology.plan import NodePlan

both_times = pytest.mark.parametrize("time", ["real", "virtual"])

SHOP = """
from fastapi import FastAPI, Request

app = FastAPI()

@app.get("/")
async def index(request: Request):
    return f"{request.url.scheme} asgi"
"""
SERVICES = """services: {
  443: {app: "netsim.services.httpbin:create_app", tls: true}, 444: {asgi: "shop:app", tls: true},
  445: {app: "shop:app", tls: true}, 446: {files: ., tls: true}}"""


async def by_httpx(url: str) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).status_code


async def by_aiohttp(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        await response.read()
        return response.status


async def by_streams(url: str, *, context: ssl.SSLContext | None = None, name: str = "") -> int:
    parts = httpx.URL(url)
    reader, writer = await asyncio.open_connection(
        parts.host, parts.port or 443, ssl=context or True, server_hostname=name or None
    )
    writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def by_default_context(url: str) -> int:
    return await by_streams(url, context=ssl.create_default_context())


async def by_loaded_certificates(url: str) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return await by_streams(url, context=context)


async def by_requests(url: str) -> int:
    def ask() -> int:
        return requests.get(url, timeout=30).status_code

    return await asyncio.to_thread(ask)


async def by_urllib(url: str) -> int:
    def ask() -> int:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)

    return await asyncio.to_thread(ask)


CLIENTS: list[Callable[[str], Awaitable[int]]] = [
    *(by_httpx, by_aiohttp, by_streams, by_default_context, by_loaded_certificates),
    *(by_requests, by_urllib),
]


@both_times
def test_every_client_trusts_every_service(time: Time, tmp_path: Path) -> None:
    file = lossy_path(tmp_path, SERVICES, shop=SHOP)

    async def test(network: Network) -> None:
        client = network["client"]
        for ask in CLIENTS:
            assert await client.run(ask, "https://server/get") == 200
        for host in ("server", "SERVER", "server.path.test", "10.0.2.10"):
            assert await client.run(by_streams, f"https://{host}:443/get") == 200
        for port, text in ((444, '"https asgi"'), (445, '"https asgi"')):
            assert (await client.get(f"https://server:{port}/")).text == text
        assert b"shop.py" in (await client.get("https://server:446/")).body
        tool = await client.exec("curl", "-sS", "https://server:444/")
        assert (tool.code, tool.stdout) == (0, '"https asgi"')
        assert (await network["server"].get("https://localhost/get")).status == 200

    play(time, file, test)


def test_urllib_keeps_no_trust_from_an_earlier_network(tmp_path: Path) -> None:
    async def test(network: Network) -> None:
        for client in ("client", "server"):
            assert await network[client].run(by_urllib, "https://server/get") == 200

    file = lossy_path(tmp_path, SERVICES, shop=SHOP)
    before = urllib.request._opener  # type: ignore[attr-defined]
    for time in ("virtual", "virtual", "real"):
        play(time, file, test)
    assert urllib.request._opener is before  # type: ignore[attr-defined]


async def refused(ask: Callable[[str], Awaitable[int]], url: str) -> str:
    try:
        await ask(url)
    except (ssl.SSLError, aiohttp.ClientSSLError, httpx.ConnectError, OSError) as error:
        return str(error)
    return "it was trusted"


async def refused_by_all(url: str) -> list[str]:
    return [await refused(ask, url) for ask in CLIENTS]


async def by_another_name(url: str) -> str:
    async def ask(url: str) -> int:
        return await by_streams(url, name="bank")

    return await refused(ask, url)


async def by_nobody_else(url: str) -> str:
    """By who trusts an authority of his own, and no default."""

    async def ask(url: str) -> int:
        return await by_streams(url, context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    return await refused(ask, url)


SELF_SIGNED = """
import ssl
from aiohttp import web

async def serve(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 1443, ssl_context=context).start()
"""


@both_times
def test_who_is_not_trusted(time: Time, tmp_path: Path) -> None:
    make_contexts(tmp_path)
    web = f"{SERVICES}, run: {{call: 'impostor:serve', args: {{folder: {tmp_path}}}}}, ready: 1443"
    file = two_computers(tmp_path, web=web, shop=SHOP, impostor=SELF_SIGNED)

    async def test(network: Network) -> None:
        alice = network["alice"]
        for reason in await alice.run(refused_by_all, "https://web:1443/"):
            assert "self-signed certificate" in reason
        assert "Hostname mismatch" in await alice.run(by_another_name, "https://web:443/get")
        assert "unable to get local issuer" in await alice.run(by_nobody_else, "https://web:443/")
        assert (await alice.exec("curl", "-sS", "https://web:1443/")).code == 60

    play(time, file, test)


@both_times
def test_one_that_has_expired_is_not_trusted(
    time: Time, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    certificate_of = certificates.Authority.certificate_of

    def expired(authority: certificates.Authority, node: NodePlan, domain: str) -> bytes:
        authority._valid = (long_ago, long_ago + datetime.timedelta(days=1))
        return certificate_of(authority, node, domain)

    monkeypatch.setattr(certificates.Authority, "certificate_of", expired)
    file = two_computers(tmp_path, web=SERVICES, shop=SHOP)

    async def test(network: Network) -> None:
        for reason in await network["alice"].run(refused_by_all, "https://web:443/get"):
            assert "certificate has expired" in reason

    play(time, file, test)


def ca_of_a_network(folder: Path) -> bytes:
    async def main() -> bytes:
        async with Network(folder / "two.yaml", time="virtual") as network:
            assert network.ca_file is not None
            return network.ca_file.read_bytes()

    return run(main())


def test_in_virtual_time_the_seed_makes_the_certificates(tmp_path: Path) -> None:
    file = two_computers(tmp_path, web=SERVICES, shop=SHOP)
    first = ca_of_a_network(tmp_path)
    assert first == ca_of_a_network(tmp_path)
    file.write_text(file.read_text() + "seed: 7\n")
    assert ca_of_a_network(tmp_path) != first


def test_whom_the_process_trusts_stays_as_it_was(tmp_path: Path) -> None:
    file = two_computers(tmp_path, web=SERVICES, shop=SHOP)
    before = ssl.create_default_context().cert_store_stats()
    trusted = os.environ.get("SSL_CERT_FILE")
    of_aiohttp = aiohttp.connector._SSL_CONTEXT_VERIFIED

    async def test(network: Network) -> None:
        assert (await network["alice"].get("https://web/get")).status == 200
        assert ssl.create_default_context().cert_store_stats() == before
        assert aiohttp.connector._SSL_CONTEXT_VERIFIED is of_aiohttp
        assert os.environ.get("SSL_CERT_FILE") == trusted

    known = of_aiohttp.cert_store_stats()
    choose = aiohttp.TCPConnector._get_ssl_context
    play("virtual", file, test)
    assert of_aiohttp.cert_store_stats() == known
    assert aiohttp.TCPConnector._get_ssl_context is choose


@both_times
def test_the_files_are_private_and_go_with_the_network(time: Time, tmp_path: Path) -> None:
    found: list[Path] = []
    file = two_computers(tmp_path, web=SERVICES, shop=SHOP)

    async def test(network: Network) -> None:
        assert network.ca_file is not None
        folder = network.ca_file.parent
        found.append(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {each.name for each in folder.iterdir()} == {"ca.pem", "trusted.pem", "web.pem"}
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
        assert b"PRIVATE KEY" not in network.ca_file.read_bytes()

    network = play(time, file, test)
    assert not found[0].exists()
    assert network.ca_file is None


@both_times
def test_without_tls_there_is_no_authority(time: Time, tmp_path: Path) -> None:
    async def test(network: Network) -> None:
        assert network.ca_file is None
        assert (await network.inspect())["ca"] is None

    play(time, two_computers(tmp_path, web=HTTPBIN), test)


@both_times
def test_without_the_package_that_is_told(
    time: Time, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "can_be_made", lambda: False)
    file = two_computers(tmp_path, web=SERVICES, shop=SHOP)

    async def main() -> None:
        with pytest.raises(StartError, match="needs cryptography, which is missing; pip install"):
            await Network(file, time=time).start()

    (run if time == "virtual" else asyncio.run)(main())


@asynccontextmanager
async def published(folder: Path) -> AsyncIterator[Network]:
    file = two_computers(folder, alice="ports: ['0:web:444']", web=SERVICES, shop=SHOP)
    async with Network(file) as network:
        yield network


def test_a_real_curl_on_a_published_port(tmp_path: Path, curl: Curl) -> None:  # noqa: F811
    async def main() -> None:
        async with published(tmp_path) as network:
            (port,) = network.ports()
            assert port["tls"] is True
            place = port["listen"]
            ca = str(network.ca_file)
            for host in (place, place.replace("127.0.0.1", "localhost")):
                assert await curl("--cacert", ca, f"https://{host}/") == b'"https asgi"'
            strangers = await asyncio.create_subprocess_exec(
                *("curl", "-sS", f"https://{place}/"), stderr=subprocess.DEVNULL
            )
            assert await strangers.wait() == 60
            context = ssl.create_default_context(cafile=ca)
            opened = await asyncio.to_thread(
                urllib.request.urlopen, f"https://{place}/", context=context
            )
            assert opened.read() == b'"https asgi"'

    asyncio.run(main())


PLAY = """
import json, sys
from netsim import Network, run
from test_tls_services import CLIENTS

async def main():
    async with Network(sys.argv[1], time="virtual") as network:
        network.trace_frames(sys.argv[2])
        for ask in CLIENTS:
            assert await network["client"].run(ask, "https://server/get") == 200

run(main())
"""


def test_lengths_repeat_though_bytes_do_not(tmp_path: Path) -> None:
    """Of every frame: when it came, where, and how long it is."""
    file = lossy_path(tmp_path, SERVICES, shop=SHOP)

    def shapes(trace: bytes) -> list[object]:
        lines = [json.loads(line) for line in trace.splitlines()]
        return [line | {"frame": len(line["frame"])} for line in lines]

    first, second = map(shapes, traces(PLAY, file, "12"))
    assert first == second
    assert len(first) > 100
