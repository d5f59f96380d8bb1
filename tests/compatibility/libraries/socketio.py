"""python-socketio with aiohttp."""

from __future__ import annotations

import socketio
from aiohttp import web
from partners import ALL, check, text_of

KIND = "WebSocket"
PACKAGES = ("python-socketio", "aiohttp")
ROLES = "both"
PORT = 80


async def serve() -> None:
    server = socketio.AsyncServer(max_http_buffer_size=1 << 24)
    server.on("echo", lambda sid, message: message)
    app = web.Application()
    server.attach(app)
    await web._run_app(app, host=ALL, port=PORT, print=None)


async def exchange(host: str, size: int) -> None:
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(f"http://{host}:{PORT}", transports=["websocket"])
    try:
        check(text_of(size), await client.call("echo", text_of(size), timeout=10))
    finally:
        await client.disconnect()
