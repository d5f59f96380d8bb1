"""aiofiles, in an executor, behind aiohttp."""

from __future__ import annotations

import aiofiles.tempfile
from partners import serve_web

KIND = "Files"
PACKAGES = ("aiofiles",)
ROLES = "server"
PORT = 80


async def keep(body: bytes) -> bytes:
    async with aiofiles.tempfile.TemporaryFile() as file:
        await file.write(body)
        await file.seek(0)
        return await file.read()


async def serve() -> None:
    await serve_web(PORT, keep)
