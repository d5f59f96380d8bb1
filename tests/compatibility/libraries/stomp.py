"""stomp.py, in threads of its own."""

from __future__ import annotations

import queue
from functools import partial
from typing import Any

import stomp
from partners import check, text_of
from small_servers import serve_stomp

KIND = "Brokers"
PACKAGES = ("stomp.py",)
ROLES = "client"
PORT = 61613
serve = partial(serve_stomp, PORT)


class Listener(stomp.ConnectionListener):  # type: ignore[misc]
    def __init__(self) -> None:
        self.received: queue.Queue[Any] = queue.Queue()

    def on_message(self, frame: Any) -> None:
        self.received.put(frame.body)

    def on_disconnected(self) -> None:
        self.received.put(ConnectionError("on_disconnected"))


def exchange(host: str, size: int) -> None:
    connection = stomp.Connection([(host, PORT)], reconnect_attempts_max=1)
    listener = Listener()
    connection.set_listener("", listener)
    connection.connect(wait=True)
    connection.subscribe("x", 1)
    connection.send("x", text_of(size).decode())
    said = listener.received.get(timeout=30)
    if isinstance(said, Exception):
        raise said
    check(text_of(size), said.encode())
    connection.disconnect()
