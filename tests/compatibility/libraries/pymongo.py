"""PyMongo's asyncio client."""

from __future__ import annotations

from functools import partial

from partners import check, text_of
from pymongo import AsyncMongoClient
from small_servers import serve_mongo

KIND = "Databases"
PACKAGES = ("pymongo",)
ROLES = "client"
PORT = 27017
serve = partial(serve_mongo, PORT)


async def exchange(host: str, size: int) -> None:
    async with AsyncMongoClient(host, PORT, directConnection=True) as client:
        said = await client.admin.command({"ping": 1, "echo": text_of(size)})
        check(text_of(size), said["echo"])
