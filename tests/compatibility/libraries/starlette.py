"""Starlette under uvicorn."""

from __future__ import annotations

from partners import serve_asgi
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

KIND = "Servers and frameworks"
PACKAGES = ("starlette", "uvicorn")
ROLES = "server"
PORT = 80


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def serve() -> None:
    await serve_asgi(Starlette(routes=[Route("/echo", echo, methods=["POST"])]), PORT)
