"""paho-mqtt, in a thread of its own."""

from __future__ import annotations

import queue
import uuid
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from partners import check, text_of

from libraries.amqtt import serve as serve

KIND = "Brokers"
PACKAGES = ("paho-mqtt",)
ROLES = "client"
PORT = 1883


def exchange(host: str, size: int) -> None:
    received: queue.Queue[Any] = queue.Queue()
    name = uuid.uuid4().hex
    client = Client(CallbackAPIVersion.VERSION2, name, reconnect_on_failure=False)
    client.on_subscribe = lambda *_: client.publish(name, text_of(size), qos=1)
    client.on_message = lambda _, __, message: received.put(message.payload)
    client.on_disconnect = lambda _, __, ___, code, ____: received.put(ConnectionError(str(code)))
    client.connect(host, PORT)
    client.loop_start()
    client.subscribe(name, qos=1)
    said = received.get(timeout=30)
    if isinstance(said, Exception):
        raise said
    check(text_of(size), said)
    client.disconnect()
    client.loop_stop()
