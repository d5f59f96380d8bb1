"""aMQTT's broker, and gmqtt."""

from __future__ import annotations

import asyncio
import uuid

import gmqtt
from amqtt.broker import Broker
from partners import ALL, check, text_of

KIND = "Brokers"
PACKAGES = ("amqtt", "gmqtt")
ROLES = "both"
PORT = 1883


async def serve() -> None:
    listeners = {"default": {"type": "tcp", "bind": f"{ALL}:{PORT}", "max_connections": 50}}
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    await Broker({"listeners": listeners, "plugins": plugins}).start()
    await asyncio.Event().wait()


async def exchange(host: str, size: int) -> None:
    client = gmqtt.Client(uuid.uuid4().hex)
    received: asyncio.Queue[bytes | Exception] = asyncio.Queue()
    subscribed = asyncio.Event()
    client.on_message = lambda _, topic, payload, *rest: received.put_nowait(payload) or 0
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_disconnect = lambda _, packet, error=None: received.put_nowait(
        error or ConnectionError("on_disconnect")
    )
    client.set_config({"reconnect_retries": 0})
    await client.connect(host, PORT, version=gmqtt.constants.MQTTv311)
    client.subscribe(client._client_id, qos=1)
    await subscribed.wait()
    client.publish(client._client_id, text_of(size), qos=1)
    said = await received.get()
    if isinstance(said, Exception):
        raise said
    check(text_of(size), said)
    await client.disconnect()
