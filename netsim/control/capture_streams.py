"""The part of the control API that streams captures: pcapng, for as long as the client reads.

A client that reads slowly loses frames, and is told at the end how many; the network never waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import count
from typing import Final

from aiohttp import web

from netsim.control.operations import Operations
from netsim.control.requests import capture_request
from netsim.core.errors import UnknownNameError
from netsim.network.live_captures import LiveCapture
from netsim.observe import pcapng
from netsim.observe.captured import CapturedFrame

CAPTURE_ID: Final = "Netsim-Capture"
"""The header that says by which id a capture is ended."""
EPOCH: Final = "Netsim-Epoch"
"""The header with the wall time at network time 0, in ns since 1970-01-01 UTC."""
DOWN: Final = "Netsim-Down"
"""The header with those of the nodes that do not run, and so are silent until they are started."""


class Captures:
    """Those of one network that clients follow."""

    def __init__(self, network: Operations) -> None:
        self._network = network
        self._ids = count(1)
        self._running: dict[str, LiveCapture] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/capture", self._post_capture),
            web.delete("/v1/captures/{id}", self._delete_capture),
        ]

    def close(self) -> None:
        """The network ends, and every stream with it."""
        for capture in self._running.values():
            capture.stop()

    async def _post_capture(self, request: web.Request) -> web.StreamResponse:
        at, words, most = await capture_request(request)
        capture = self._network.live_capture(*at, filter=words, count=most)
        number = str(next(self._ids))
        epoch_ns = time.time_ns() - self._network.now()
        self._running[number] = capture
        try:
            async with capture:
                states = {node: self._network.describe(node)["state"] for node in capture.points}
                down = [node for node, state in states.items() if state in ("dead", "stopped")]
                headers = {CAPTURE_ID: number, EPOCH: str(epoch_ns), DOWN: ",".join(down)}
                response = web.StreamResponse(headers=headers)
                response.content_type = "application/x-pcapng"
                await response.prepare(request)
                name = str(self._network.summary()["name"])
                head = [pcapng.section(name), *map(pcapng.interface, capture.interfaces)]
                await response.write(b"".join(head))
                numbers = {each: place for place, each in enumerate(capture.interfaces)}
                while passed := await capture.some():
                    await response.write(_blocks(passed, numbers, epoch_ns))
                await capture.end()
                at_ns = epoch_ns + self._network.now()
                lost = [pcapng.statistics(*each) for each in _losses(capture, at_ns)]
                await response.write(b"".join(lost))
                await response.write_eof()
                return response
        finally:
            del self._running[number]

    async def _delete_capture(self, request: web.Request) -> web.Response:
        capture = self._running.get(request.match_info["id"])
        if capture is None:
            raise UnknownNameError("no capture with this id is running; it may have ended")
        await capture.end()
        return web.json_response({})


def _blocks(passed: Sequence[CapturedFrame], numbers: dict[str, int], epoch_ns: int) -> bytes:
    return b"".join(
        pcapng.packet(
            numbers[each.interface],
            epoch_ns + each.time_ns,
            each.frame,
            each.direction,
            each.dropped,
        )
        for each in passed
    )


def _losses(capture: LiveCapture, at_ns: int) -> list[tuple[int, int, int]]:
    return [(number, at_ns, dropped) for number, dropped in enumerate(capture.dropped)]
