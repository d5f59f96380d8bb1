"""aio-pika (AMQP), with amqp-mock's broker."""

from __future__ import annotations

import asyncio
import json
import uuid

import aio_pika
from amqp_mock import AmqpServer, Storage
from partners import ALL, check, text_of

KIND = "Brokers"
PACKAGES = ("aio-pika", "amqp-mock")
ROLES = "both"
PORT = 5672


async def serve() -> None:
    broker = AmqpServer(Storage())
    async with await asyncio.start_server(broker, ALL, PORT) as server:
        await server.serve_forever()


async def exchange(host: str, size: int) -> None:
    """A twentieth, as JSON: that broker knows messages of one frame, and looks at each octet."""
    sent = json.dumps(text_of(max(1000, size // 20)).decode()).encode()
    connection = await aio_pika.connect(f"amqp://{host}:{PORT}/")
    async with connection, connection.channel() as channel:
        name = uuid.uuid4().hex
        queue = await channel.declare_queue(name)
        await channel.default_exchange.publish(aio_pika.Message(sent), routing_key=name)
        async with queue.iterator() as messages:
            async for message in messages:
                check(sent, message.body)
                await message.ack()
                break
