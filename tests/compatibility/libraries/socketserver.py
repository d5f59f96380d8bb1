"""socket and socketserver of the standard library, in threads."""

from __future__ import annotations

import socket
import socketserver
import threading

from partners import ALL, check, text_of

KIND = "Servers and frameworks"
PACKAGES = ()
ROLES = "both"
PORT = 7000


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while piece := self.request.recv(65_536):
            self.request.sendall(piece)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def serve() -> None:
    with Server((ALL, PORT), Echo) as server:
        server.serve_forever()


def exchange(host: str, size: int) -> None:
    with socket.create_connection((host, PORT), timeout=30) as connection:
        sending = threading.Thread(target=connection.sendall, args=(text_of(size),), daemon=True)
        sending.start()
        received = bytearray()
        while len(received) < size and (piece := connection.recv(65_536)):
            received += piece
        check(text_of(size), received)
