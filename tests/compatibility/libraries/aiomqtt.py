"""aiomqtt: paho-mqtt on a loop."""

from __future__ import annotations

import uuid

import aiomqtt
from partners import check, text_of

from libraries.amqtt import serve as serve

KIND = "Brokers"
PACKAGES = ("aiomqtt",)
ROLES = "client"
PORT = 1883


async def exchange(host: str, size: int) -> None:
    name = uuid.uuid4().hex
    async with aiomqtt.Client(host, PORT, identifier=name, timeout=10) as client:
        await client.subscribe(name, qos=1)
        await client.publish(name, text_of(size), qos=1)
        async for message in client.messages:
            check(text_of(size), message.payload)
            return
