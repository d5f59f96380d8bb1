"""PyMySQL, in a thread."""

from __future__ import annotations

import pymysql
from partners import check, text_of

from libraries.aiomysql import serve as serve

KIND = "Databases"
PACKAGES = ("pymysql",)
ROLES = "client"
PORT = 3306


def exchange(host: str, size: int) -> None:
    connection = pymysql.connect(host=host, user="me", connect_timeout=30, read_timeout=30)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s AS echo FROM dual", [text_of(size).decode()])
        (row,) = cursor.fetchone() or ("",)
        check(text_of(size), row.encode())
    connection.close()
