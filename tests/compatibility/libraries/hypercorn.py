"""Quart under Hypercorn."""

from __future__ import annotations

from hypercorn.asyncio import serve as hypercorn
from hypercorn.config import Config
from quart import Quart, request

KIND = "Servers and frameworks"
PACKAGES = ("quart", "hypercorn")
ROLES = "server"
PORT = 80
app = Quart(__name__)
app.config["MAX_CONTENT_LENGTH"] = None


@app.post("/echo")
async def echo() -> bytes:
    return await request.get_data()


async def serve() -> None:
    config = Config()
    config.bind = [f"0.0.0.0:{PORT}"]
    await hypercorn(app, config)
