"""aiortc (WebRTC), a data channel."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from partners import ALL, check, text_of

KIND = "QUIC and WebRTC"
PACKAGES = ("aiortc",)
ROLES = "both"
PORT = 80
UDP = True
PIECE = 50_000
peers: list[RTCPeerConnection] = []


async def accept(request: web.Request) -> web.Response:
    peer = RTCPeerConnection(RTCConfiguration([]))
    peers.append(peer)

    @peer.on("datachannel")
    def opened(channel: RTCDataChannel) -> None:
        channel.on("message", channel.send)

    await peer.setRemoteDescription(RTCSessionDescription(**await request.json()))
    await peer.setLocalDescription(await peer.createAnswer())
    return web.json_response(vars(peer.localDescription))


async def serve() -> None:
    app = web.Application()
    app.router.add_post("/", accept)
    await web._run_app(app, host=ALL, port=PORT, print=None)


async def exchange(host: str, size: int) -> None:
    peer = RTCPeerConnection(RTCConfiguration([]))
    channel = peer.createDataChannel("echo")
    received: asyncio.Queue[bytes] = asyncio.Queue()
    opened = asyncio.Event()
    channel.on("open", opened.set)
    channel.on("message", received.put_nowait)
    await peer.setLocalDescription(await peer.createOffer())
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{host}/", json=vars(peer.localDescription)) as response,
    ):
        await peer.setRemoteDescription(RTCSessionDescription(**await response.json()))
    await asyncio.wait_for(opened.wait(), 20)
    for begin in range(0, size, PIECE):
        piece = text_of(size)[begin : begin + PIECE]
        channel.send(piece)
        check(piece, await received.get())
    await peer.close()
