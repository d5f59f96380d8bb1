"""redis-py's blocking client, in a thread."""

from __future__ import annotations

import uuid
from functools import partial

import redis
from partners import check, text_of
from small_servers import serve_redis

KIND = "Databases"
PACKAGES = ("redis",)
ROLES = "client"
PORT = 6379
serve = partial(serve_redis, PORT)


def exchange(host: str, size: int) -> None:
    name = uuid.uuid4().hex
    with redis.Redis(host=host, port=PORT, protocol=2, socket_timeout=30) as client:
        client.set(name, text_of(size))
        check(text_of(size), client.get(name))
