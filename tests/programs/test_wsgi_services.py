"""Applications of Flask, Django and bare WSGI as services, in threads: the same in both times."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from hash_seeds import traces
from lossy_path import lossy_path
from networks import play, two_computers
from test_asgi_services import DJANGO

from netsim import Network
from netsim.core.time import Time

both_times = pytest.mark.parametrize("time", ["real", "virtual"])

SHOP = """
import threading
import time
from flask import Flask, Response, request

app = Flask("shop")

@app.get("/")
def index():
    return {"hello": "world", "scheme": request.scheme}

@app.post("/size")
def size():
    return str(len(request.get_data()))

@app.get("/large")
def large():
    return Response(bytes(65_536) for _ in range(16))

@app.get("/slow")
def slow():
    time.sleep(1)
    return threading.current_thread().name

@app.get("/broken")
def broken():
    raise LookupError("no stock")

def create_app(name):
    def answer(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [name.encode(), b" ", environ["REMOTE_ADDR"].encode()]
    return answer
"""
SERVICES = """services: {
  80: "shop:app", 81: {wsgi: "shop:app"}, 82: {wsgi: "shop:create_app", args: {name: ada}},
  83: "site_of_django:wsgi", 84: {wsgi: "site_of_django:wsgi"},
  443: {wsgi: "shop:app", tls: true}}"""


async def talk() -> list[object]:
    found: list[object] = []
    async with httpx.AsyncClient(timeout=30) as client:
        for port in (80, 81):
            place = f"http://server:{port}"
            found.append((await client.get(f"{place}/")).json()["hello"])
            size = await client.post(f"{place}/size", content=bytes(1_000_000))
            found.append(size.text)
            found.append(len((await client.get(f"{place}/large")).content))
            found.append((await client.get(f"{place}/broken")).status_code)
        for port in (82, 83, 84):
            found.append((await client.get(f"http://server:{port}/")).text)
        found.append((await client.get("https://server/")).json()["scheme"])
    return found


@both_times
def test_what_is_served_over_a_lossy_path(time: Time, tmp_path: Path) -> None:
    file = lossy_path(tmp_path, SERVICES, shop=SHOP, site_of_django=DJANGO)

    async def test(network: Network) -> None:
        assert await network["client"].run(talk) == [
            *["world", "1000000", 1_048_576, 500] * 2,
            *("ada 10.0.1.10", "GET from 10.0.1.10", "GET from 10.0.1.10", "https"),
        ]

    network = play(time, file, test)
    lines = [line["text"] for line in network.logs("server")["lines"]]
    assert sum("LookupError: no stock" in line for line in lines) == 2
    assert sum('"POST /size HTTP/1.1" 200' in line for line in lines) == 2


async def several_at_once() -> tuple[float, set[str]]:
    """How long it takes in all, and by which threads."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with httpx.AsyncClient(timeout=30) as client:
        answers = await asyncio.gather(*(client.get("http://web/slow") for _ in range(5)))
    return loop.time() - begun, {answer.text for answer in answers}


@both_times
def test_requests_that_block_do_not_wait_for_each_other(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="services: {80: 'shop:app'}", shop=SHOP)

    async def test(network: Network) -> None:
        seconds, threads = await network["alice"].run(several_at_once)
        assert 1 < seconds < 4
        assert len(threads) == 5
        if time == "virtual":
            assert seconds < 1.1

    play(time, file, test)


PLAY = """
import sys
from netsim import Network, run
from test_wsgi_services import several_at_once

async def main():
    async with Network(sys.argv[1], time="virtual") as network:
        network.trace_frames(sys.argv[2])
        await network["alice"].run(several_at_once)
        causes = [each for each in network.unrepeatable if not each.startswith("the order of")]
        assert causes == [], causes

run(main())
"""


def test_it_repeats_under_other_hash_seeds(tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="services: {80: 'shop:app'}", shop=SHOP)
    first, second = traces(PLAY, file, "12")
    assert first == second
    assert len(first) > 10_000
