"""Pyro5, in threads."""

from __future__ import annotations

import Pyro5.api
from partners import ALL, check, text_of

KIND = "RPC"
PACKAGES = ("Pyro5",)
ROLES = "both"
PORT = 9090


@Pyro5.api.expose
class Echo:
    def echo(self, message: str) -> str:
        return message


def serve() -> None:
    with Pyro5.api.Daemon(ALL, PORT) as daemon:
        daemon.register(Echo, "echo")
        daemon.requestLoop()


def exchange(host: str, size: int) -> None:
    with Pyro5.api.Proxy(f"PYRO:echo@{host}:{PORT}") as proxy:
        check(text_of(size), proxy.echo(text_of(size).decode()).encode())
