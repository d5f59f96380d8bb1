"""aiosqlite, in a thread of its own, behind aiohttp."""

from __future__ import annotations

import aiosqlite
from partners import serve_web

KIND = "Databases"
PACKAGES = ("aiosqlite",)
ROLES = "server"
PORT = 80


async def keep(body: bytes) -> bytes:
    async with aiosqlite.connect(":memory:") as database:
        await database.execute("CREATE TABLE kept (it BLOB)")
        await database.execute("INSERT INTO kept VALUES (?)", [body])
        (row,) = await database.execute_fetchall("SELECT it FROM kept")
        return bytes(row[0])


async def serve() -> None:
    await serve_web(PORT, keep)
