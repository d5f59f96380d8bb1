"""RPyC, in threads."""

from __future__ import annotations

import rpyc
from partners import ALL, check, text_of
from rpyc.utils.server import ThreadedServer

KIND = "RPC"
PACKAGES = ("rpyc",)
ROLES = "both"
PORT = 18861


class Echo(rpyc.Service):
    def exposed_echo(self, message: bytes) -> bytes:
        return message


def serve() -> None:
    ThreadedServer(Echo, hostname=ALL, port=PORT).start()


def exchange(host: str, size: int) -> None:
    connection = rpyc.connect(host, PORT)
    check(text_of(size), connection.root.echo(text_of(size)))
    connection.close()
