"""FastAPI with `def` and an upload, in threads of anyio."""

from __future__ import annotations

import aiohttp
from fastapi import FastAPI, Response, UploadFile
from partners import check, serve_asgi, text_of

KIND = "Servers and frameworks"
PACKAGES = ("fastapi", "uvicorn")
ROLES = "server"
PORT = 80
app = FastAPI()


@app.post("/echo")
def echo(file: UploadFile) -> Response:
    return Response(file.file.read())


async def serve() -> None:
    await serve_asgi(app, PORT)


async def exchange(host: str, size: int) -> None:
    form = aiohttp.FormData()
    form.add_field("file", text_of(size), filename="sent")
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{host}/echo", data=form) as response,
    ):
        check(text_of(size), await response.read())
