"""What runs on the two computers of the zoo: `alice` tells `web` what a program yields."""

from __future__ import annotations

import asyncio
import os
import secrets
import weakref
from pathlib import Path

import animals_of_chance
import animals_of_order
from aiohttp import web

_PORT = 9


async def show() -> None:
    """Run the program that the environment names; every value it yields is a datagram."""
    name = os.environ["PROGRAM"]
    program = getattr(animals_of_order, name, None) or getattr(animals_of_chance, name)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("web", _PORT)
    )
    async for told in program():
        transport.sendto(repr(told).encode())
        await asyncio.sleep(0.001)
    transport.sendto(b"the end")


def create_app() -> web.Application:
    members: weakref.WeakSet[web.WebSocketResponse] = weakref.WeakSet()

    async def room(request: web.Request) -> web.WebSocketResponse:
        member = web.WebSocketResponse()
        await member.prepare(request)
        members.add(member)
        async for message in member:
            for each in members:
                await each.send_str(message.data)
        return member

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        answer = web.Response(text=f"{len(body)} {secrets.token_hex(4)}")
        answer.set_cookie("session", request.cookies.get("session") or secrets.token_hex(8))
        return answer

    async def written(request: web.Request) -> web.FileResponse:
        path = Path(os.environ["FOLDER"], "written.txt")
        path.write_text("hello")
        return web.FileResponse(path)

    async def found(request: web.Request) -> web.FileResponse:
        return web.FileResponse(Path(os.environ["FOLDER"], "found.txt"))

    app = web.Application()
    app.router.add_get("/room", room)
    app.router.add_get("/written", written)
    app.router.add_get("/found", found)
    app.router.add_post("/", take)
    return app
