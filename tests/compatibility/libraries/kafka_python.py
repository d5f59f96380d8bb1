"""kafka-python, in threads, with nafka's broker."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from nafka.server import KafkaBroker
from nafka.store import SCHEMA, KafkaStore
from partners import ALL, check, text_of

KIND = "Brokers"
PACKAGES = ("kafka-python", "nafka")
ROLES = "both"
PORT = 9092
MOST = 2_000_000


class Store(KafkaStore):  # type: ignore[misc]
    """nafka's own needs the sqlite3 of Python 3.12."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.executescript(SCHEMA)


class Broker(KafkaBroker):  # type: ignore[misc]
    """Where clients find it: nafka's own listens on loopback only."""

    def __init__(self) -> None:
        self.store = Store()
        self.waiting: dict[str, set[asyncio.Event]] = {}
        self.cluster_id = "netsim"

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.connection, ALL, PORT)

    async def do_MetadataRequest(self, message: Any) -> Any:  # noqa: N802
        answer = await super().do_MetadataRequest(message)
        answer.brokers = [(0, "server", PORT, None)]
        return answer


async def serve() -> None:
    await Broker().start()
    await asyncio.Event().wait()


def exchange(host: str, size: int) -> None:
    place = f"{host}:{PORT}"
    topic = uuid.uuid4().hex
    sent = text_of(size)
    producer = KafkaProducer(bootstrap_servers=place, max_request_size=MOST)
    producer.send(topic, sent).get(20)
    producer.close()
    consumer = KafkaConsumer(
        *(topic,),
        bootstrap_servers=place,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MOST,
        receive_message_max_bytes=MOST,
    )
    check(sent, next(consumer).value)
    consumer.close()
