"""Two stores that keep a value in memory: lost when both have lost their power, not before."""

from __future__ import annotations

from pathlib import Path

NETWORK = """\
name: stores
nodes:
  client: {kind: computer}
  a: {kind: computer, services: {80: "store_app:create_app"}}
  b: {kind: computer, services: {80: "store_app:create_app"}}
  s1: {kind: switch}
links:
  - [client, s1]
  - [a, s1]
  - [b, s1]
"""
PROGRAM = """\
import logging

import aiohttp
from aiohttp import web

TIMEOUT = aiohttp.ClientTimeout(total=1)
acknowledged = ""


def create_app():
    value = ""

    async def write(request):
        nonlocal value
        value = await request.text()
        return web.Response()

    async def read(request):
        return web.Response(text=value)

    app = web.Application()
    app.add_routes([web.put("/", write), web.get("/", read)])
    return app


async def write_both(value):
    global acknowledged
    async with aiohttp.ClientSession(timeout=TIMEOUT, raise_for_status=True) as session:
        for store in ("a", "b"):
            async with session.put(f"http://{store}/", data=value):
                pass
    acknowledged = value


async def read_any():
    for store in ("a", "b"):
        try:
            async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
                async with session.get(f"http://{store}/") as response:
                    if await response.text() == acknowledged:
                        return True
        except (aiohttp.ClientError, TimeoutError) as error:
            logging.error("%s: %s", store, error)  # beside faults this may be
    return False
"""
SCENARIO = """\
# Two stores.
name: what was written is not lost
topology: net.yaml   # all on one switch

# The load.
steps:
  - wait: 1s
  - run: {host: client, call: "store_app:write_both", args: {value: hello}, expect: {within: 2s}}
  - repeat: {times: 4, steps: [{wait: 1s}]}

invariants:
  - eventually:
      within: 10s
      every: 1s
      run: {host: client, call: "store_app:read_any", expect: {returns: true}}

# What may break.
explore:
  faults: {links: [[a, s1]], nodes: [a, b], kinds: [down, crash], at_most: 3, lasting: 3s}
"""


def write_stores(folder: Path, *, at_most: int = 3) -> Path:
    """The files; a single fault does no harm."""
    (folder / "net.yaml").write_text(NETWORK)
    (folder / "store_app.py").write_text(PROGRAM)
    file = folder / "stores.yaml"
    file.write_text(SCENARIO.replace("at_most: 3", f"at_most: {at_most}"))
    return file
