"""pyzmq: libzmq has sockets and threads of its own, in C."""

from __future__ import annotations

import zmq
import zmq.asyncio
from partners import check, text_of

KIND = "Brokers"
PACKAGES = ("pyzmq",)
ROLES = "both"
PORT = 5555


async def serve() -> None:
    socket = zmq.asyncio.Context().socket(zmq.REP)
    socket.bind(f"tcp://0.0.0.0:{PORT}")
    while True:
        await socket.send(await socket.recv())


async def exchange(host: str, size: int) -> None:
    socket = zmq.asyncio.Context().socket(zmq.REQ)
    socket.connect(f"tcp://{host}:{PORT}")
    await socket.send(text_of(size))
    check(text_of(size), await socket.recv())
