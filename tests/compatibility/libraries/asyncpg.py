"""asyncpg."""

from __future__ import annotations

from functools import partial

import asyncpg
from partners import check, text_of
from small_servers import serve_postgres

KIND = "Databases"
PACKAGES = ("asyncpg",)
ROLES = "client"
PORT = 5432
serve = partial(serve_postgres, PORT)


async def exchange(host: str, size: int) -> None:
    connection = await asyncpg.connect(host=host, user="me", database="db", ssl=False, timeout=30)
    try:
        said = await connection.fetchval("SELECT $1::text", text_of(size).decode(), timeout=30)
        check(text_of(size), said.encode())
    finally:
        connection.terminate()
