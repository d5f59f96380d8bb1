"""http.client and ThreadingHTTPServer of the standard library, in threads."""

from __future__ import annotations

import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from partners import ALL, check, text_of

KIND = "HTTP"
PACKAGES = ()
ROLES = "both"
PORT = 80


class Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def serve() -> None:
    ThreadingHTTPServer((ALL, PORT), Echo).serve_forever()


def exchange(host: str, size: int) -> None:
    connection = http.client.HTTPConnection(host, PORT, timeout=30)
    connection.request("POST", "/echo", text_of(size))
    check(text_of(size), connection.getresponse().read())
    connection.close()
