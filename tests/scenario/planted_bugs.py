"""Three services with a mistake each, which only a fault at the right time brings to light."""

from __future__ import annotations

from pathlib import Path

NETWORK = """\
name: orders
nodes:
  client: {kind: computer, run: "orders:RUN"}
  r1: {kind: router}
  api: {kind: computer, services: {80: "orders:create_api"}}
  store: {kind: computer, services: {80: "orders:create_store"}}
links:
  - {endpoints: [client, r1], delay: 10ms}
  - {endpoints: [r1, api], delay: 1ms}
  - {endpoints: [r1, store], delay: 1ms}
"""
PROGRAM = """\
import asyncio
import time

import aiohttp
from aiohttp import web

PATIENCE = 2
last_beat = None


def create_store():
    orders = []

    async def add(request):
        orders.append(await request.text())
        return web.Response()

    async def show(request):
        return web.json_response(orders)

    app = web.Application()
    app.add_routes([web.post("/orders", add), web.get("/orders", show)])
    return app


def create_api():
    async def add(request):
        async with aiohttp.ClientSession() as session:
            async with session.post("http://store/orders", data=await request.read()) as response:
                await asyncio.sleep(0.05)
                return web.Response(status=response.status)

    async def health(request):
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/orders", add), web.get("/health", health)])
    return app


async def order(item):
    timeout = aiohttp.ClientTimeout(PATIENCE)
    for attempt in range(3):
        try:
            async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
                async with session.post("http://api/orders", data=item):
                    return
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.2 * 2**attempt)


async def nothing_twice():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(1)) as session:
        async with session.get("http://store/orders") as response:
            orders = await response.json()
    return len(orders) == len(set(orders))


async def beat():
    global last_beat
    while True:
        last_beat = time.monotonic()
        await asyncio.sleep(0.5)
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE)) as session:
                async with session.get("http://api/health"):
                    pass
        except (aiohttp.ClientError, TimeoutError):
            pass


async def idle():
    await asyncio.Event().wait()


async def is_alive():
    return time.monotonic() - last_beat < 4
"""
ORDERS = """\
name: nothing is ordered twice
topology: net.yaml
steps:
  - run: {host: client, call: "orders:order", args: {item: hat}}
  - wait: 1s
  - run: {host: client, call: "orders:order", args: {item: coat}}
invariants:
  - eventually:
      within: 10s
      every: 1s
      run: {host: client, call: "orders:nothing_twice", expect: {returns: true}}
explore:
  faults: {FAULTS, at_most: 2, lasting: 10s}
"""
BEATS = """\
name: the client never sleeps
topology: net.yaml
steps:
  - repeat: {times: 8, steps: [{wait: 1s}]}
invariants:
  - run: {host: client, call: "orders:is_alive", expect: {returns: true}}
explore:
  faults: {FAULTS, at_most: 2, lasting: 10s}
"""
LINKS = "links: [[client, r1], [r1, api]], nodes: [api]"


def retry_after_a_timeout(folder: Path) -> Path:
    """A POST is sent again when its answer is late."""
    return _write(folder, ORDERS, LINKS, "idle", 2)


def retry_across_a_crash(folder: Path) -> Path:
    """A POST is sent again when what answers has died, after it did the work."""
    return _write(folder, ORDERS, "nodes: [api], kinds: [crash, kill_program]", "idle", 2)


def client_without_a_timeout(folder: Path) -> Path:
    """It waits for as long as it takes."""
    return _write(folder, BEATS, f"{LINKS}, kinds: [hold, drop]", "beat", None)


def mended_client(folder: Path) -> Path:
    """The same with a time-out."""
    return _write(folder, BEATS, f"{LINKS}, kinds: [hold, drop]", "beat", 2)


def _write(folder: Path, scenario: str, faults: str, run: str, patience: int | None) -> Path:
    (folder / "net.yaml").write_text(NETWORK.replace("RUN", run))
    (folder / "orders.py").write_text(PROGRAM.replace("PATIENCE = 2", f"PATIENCE = {patience}"))
    file = folder / "orders.yaml"
    file.write_text(scenario.replace("FAULTS", faults))
    return file
