"""xmlrpc of the standard library, in threads."""

from __future__ import annotations

import socketserver
import xmlrpc.client
from xmlrpc.server import SimpleXMLRPCServer

from partners import ALL, check, text_of

KIND = "RPC"
PACKAGES = ()
ROLES = "both"
PORT = 8000


class Server(socketserver.ThreadingMixIn, SimpleXMLRPCServer):
    pass


def serve() -> None:
    server = Server((ALL, PORT), logRequests=False)
    server.register_function(lambda message: message, "echo")
    server.serve_forever()


def exchange(host: str, size: int) -> None:
    with xmlrpc.client.ServerProxy(f"http://{host}:{PORT}") as proxy:
        check(text_of(size), str(proxy.echo(text_of(size).decode())).encode())
