"""pg8000, in a thread."""

from __future__ import annotations

from functools import partial

import pg8000.native
from partners import check, text_of
from small_servers import serve_postgres

KIND = "Databases"
PACKAGES = ("pg8000",)
ROLES = "client"
PORT = 5432
serve = partial(serve_postgres, PORT)


def exchange(host: str, size: int) -> None:
    connection = pg8000.native.Connection("me", host=host, ssl_context=False, timeout=30)
    rows = connection.run("SELECT CAST(:it AS text)", it=text_of(size).decode())
    check(text_of(size), rows[0][0].encode())
    connection.close()
