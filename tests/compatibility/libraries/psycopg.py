"""psycopg: libpq has sockets of its own, in C."""

from __future__ import annotations

from functools import partial

import psycopg
from partners import check, text_of
from small_servers import serve_postgres

KIND = "Databases"
PACKAGES = ("psycopg",)
ROLES = "client"
PORT = 5432
serve = partial(serve_postgres, PORT)


async def exchange(host: str, size: int) -> None:
    where = f"host={host} user=me dbname=db sslmode=disable connect_timeout=10"
    async with await psycopg.AsyncConnection.connect(where) as connection:
        cursor = await connection.execute("SELECT %s::text", [text_of(size).decode()])
        row = await cursor.fetchone()
        check(text_of(size), row[0].encode() if row else b"")
