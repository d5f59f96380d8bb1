"""aiomysql and mysql-mimic."""

from __future__ import annotations

from typing import Any

import aiomysql
from mysql_mimic import MysqlServer, Session
from partners import ALL, check, text_of

KIND = "Databases"
PACKAGES = ("aiomysql", "mysql-mimic")
ROLES = "both"
PORT = 3306


class Echo(Session):  # type: ignore[misc]
    async def query(self, expression: Any, sql: str, attrs: dict[str, str]) -> Any:
        return [(sql.split("'")[1],)], ["echo"]


async def serve() -> None:
    server = MysqlServer(session_factory=Echo)
    await server.start_server(host=ALL, port=PORT)
    await server.serve_forever()


async def exchange(host: str, size: int) -> None:
    connection = await aiomysql.connect(host=host, user="me", connect_timeout=30)
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT %s AS echo FROM dual", [text_of(size).decode()])
        (row,) = await cursor.fetchone()
        check(text_of(size), row.encode())
    connection.close()
