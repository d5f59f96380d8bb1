"""pika (AMQP), in a thread."""

from __future__ import annotations

import json
import uuid

import pika
from partners import check, text_of

from libraries.aio_pika import serve as serve

KIND = "Brokers"
PACKAGES = ("pika",)
ROLES = "client"
PORT = 5672


def exchange(host: str, size: int) -> None:
    """As aio-pika's."""
    sent = json.dumps(text_of(max(1000, size // 20)).decode()).encode()
    with pika.BlockingConnection(pika.ConnectionParameters(host, PORT)) as connection:
        channel = connection.channel()
        name = uuid.uuid4().hex
        channel.queue_declare(name)
        channel.basic_publish("", name, sent)
        for _, _, body in channel.consume(name, auto_ack=True):
            check(sent, body)
            break
