"""SQLAlchemy with pg8000, in a thread."""

from __future__ import annotations

from functools import partial

import sqlalchemy
from partners import check, text_of
from small_servers import serve_postgres

KIND = "Databases"
PACKAGES = ("sqlalchemy", "pg8000")
ROLES = "client"
PORT = 5432
serve = partial(serve_postgres, PORT)


def exchange(host: str, size: int) -> None:
    engine = sqlalchemy.create_engine(
        f"postgresql+pg8000://me@{host}/db", connect_args={"ssl_context": False}
    )
    text = sqlalchemy.text("SELECT CAST(:it AS text)")
    with engine.connect() as connection:
        row = connection.execute(text, {"it": text_of(size).decode()}).scalar_one()
        check(text_of(size), row.encode())
    engine.dispose()
