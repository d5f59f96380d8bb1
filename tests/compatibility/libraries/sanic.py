"""Sanic under uvicorn."""

from __future__ import annotations

from partners import serve_asgi
from sanic import HTTPResponse, Request, Sanic, raw

KIND = "Servers and frameworks"
PACKAGES = ("sanic", "uvicorn")
ROLES = "server"
PORT = 80


async def echo(request: Request) -> HTTPResponse:
    await request.receive_body()
    return raw(request.body)


async def serve() -> None:
    app = Sanic("echo")
    app.add_route(echo, "/echo", methods=["POST"])
    await serve_asgi(app, PORT)
