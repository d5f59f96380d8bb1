"""redis-py's asyncio client."""

from __future__ import annotations

import uuid
from functools import partial

import redis.asyncio
from partners import check, text_of
from small_servers import serve_redis

KIND = "Databases"
PACKAGES = ("redis",)
ROLES = "client"
PORT = 6379
serve = partial(serve_redis, PORT)


async def exchange(host: str, size: int) -> None:
    name = uuid.uuid4().hex
    async with redis.asyncio.Redis(host=host, port=PORT, protocol=2, socket_timeout=30) as client:
        await client.set(name, text_of(size))
        check(text_of(size), await client.get(name))
