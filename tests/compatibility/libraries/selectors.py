"""selectors of the standard library, in a thread."""

from __future__ import annotations

import selectors
import socket

from partners import ALL

from libraries.socketserver import exchange as exchange

KIND = "Servers and frameworks"
PACKAGES = ()
ROLES = "server"
PORT = 7000


def serve() -> None:
    selector = selectors.DefaultSelector()
    listener = socket.create_server((ALL, PORT))
    selector.register(listener, selectors.EVENT_READ)
    waiting: dict[socket.socket, bytes] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setblocking(False)
                waiting[connection] = b""
                selector.register(connection, selectors.EVENT_READ)
                continue
            connection = key.fileobj  # type: ignore[assignment]
            try:
                if not waiting[connection]:
                    waiting[connection] = connection.recv(65_536)
                sent = connection.send(waiting[connection]) if waiting[connection] else 0
            except BlockingIOError:
                sent = 0
            except OSError:
                waiting[connection] = b""
            if not waiting[connection]:
                selector.unregister(connection)
                connection.close()
                continue
            waiting[connection] = waiting[connection][sent:]
            left = selectors.EVENT_WRITE if waiting[connection] else selectors.EVENT_READ
            selector.modify(connection, left)
