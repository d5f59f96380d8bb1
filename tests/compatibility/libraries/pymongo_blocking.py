"""PyMongo's blocking client, in threads."""

from __future__ import annotations

from functools import partial

from partners import check, text_of
from pymongo import MongoClient
from small_servers import serve_mongo

KIND = "Databases"
PACKAGES = ("pymongo",)
ROLES = "client"
PORT = 27017
serve = partial(serve_mongo, PORT)


def exchange(host: str, size: int) -> None:
    with MongoClient(host, PORT, directConnection=True) as client:
        said = client.admin.command({"ping": 1, "echo": text_of(size)})
        check(text_of(size), said["echo"])
