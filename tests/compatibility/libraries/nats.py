"""nats-py."""

from __future__ import annotations

import asyncio
import uuid
from functools import partial

import nats
from partners import check, text_of
from small_servers import serve_nats

KIND = "Brokers"
PACKAGES = ("nats-py",)
ROLES = "client"
PORT = 4222
serve = partial(serve_nats, PORT)


async def exchange(host: str, size: int) -> None:
    client = await nats.connect(f"nats://{host}:{PORT}", allow_reconnect=False)
    try:
        name = uuid.uuid4().hex
        subscription = await client.subscribe(name)
        await client.publish(name, text_of(size))
        message = await subscription.next_msg(timeout=30)
        check(text_of(size), message.data)
    finally:
        await asyncio.wait_for(client.close(), 5)
