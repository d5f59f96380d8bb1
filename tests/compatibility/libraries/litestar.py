"""Litestar under uvicorn."""

from __future__ import annotations

from litestar import Litestar, Request, Response, post
from partners import serve_asgi

KIND = "Servers and frameworks"
PACKAGES = ("litestar", "uvicorn")
ROLES = "server"
PORT = 80


@post("/echo", media_type="application/octet-stream")
async def echo(request: Request) -> Response[bytes]:
    return Response(await request.body())


async def serve() -> None:
    await serve_asgi(Litestar([echo], request_max_body_size=None), PORT)
