"""websocket-client, in a thread."""

from __future__ import annotations

import websocket
from partners import check, text_of

from libraries.websockets import serve as serve

KIND = "WebSocket"
PACKAGES = ("websocket-client",)
ROLES = "client"
PORT = 80


def exchange(host: str, size: int) -> None:
    connection = websocket.create_connection(f"ws://{host}:{PORT}", timeout=30)
    connection.send_binary(text_of(size))
    check(text_of(size), connection.recv())
    connection.close()
