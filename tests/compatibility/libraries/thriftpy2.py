"""thriftpy2, in threads."""

from __future__ import annotations

import io

import thriftpy2
from partners import ALL, check, text_of
from thriftpy2.rpc import client_context, make_server

KIND = "RPC"
PACKAGES = ("thriftpy2",)
ROLES = "both"
PORT = 9090
words = thriftpy2.load_fp(
    io.StringIO("service Echo { binary echo(1: binary message) }"), "words_thrift"
)


class Echo:
    def echo(self, message: bytes) -> bytes:
        return message


def serve() -> None:
    make_server(words.Echo, Echo(), ALL, PORT).serve()


def exchange(host: str, size: int) -> None:
    with client_context(words.Echo, host, PORT, timeout=30_000) as client:
        received = client.echo(text_of(size))
        check(text_of(size), received.encode() if isinstance(received, str) else received)
