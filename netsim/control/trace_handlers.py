"""Tracing requests over the control API."""

from __future__ import annotations

import asyncio

from aiohttp import web

from netsim.control.operations import Operations
from netsim.control.requests import trace_request
from netsim.core.errors import NotRunningError
from netsim.observe.request_trace import Trace


class Traces:
    """Those that go on."""

    def __init__(self, network: Operations) -> None:
        self._network = network
        self._running: set[asyncio.Task[Trace]] = set()
        self._is_closed = False

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/trace", self._post_trace)]

    def close(self) -> None:
        """The network stops."""
        self._is_closed = True
        for tracing in self._running:
            tracing.cancel()

    async def _post_trace(self, request: web.Request) -> web.Response:
        order = await trace_request(request)
        tracing = asyncio.create_task(
            self._network.trace(order.node, order.url, timeout=order.timeout)
        )
        self._running.add(tracing)
        tracing.add_done_callback(self._running.discard)
        try:
            trace = await tracing
        except asyncio.CancelledError:
            if self._is_closed:
                raise NotRunningError("the network is stopping") from None
            tracing.cancel()  # the client has gone
            raise
        except ConnectionError as error:
            raise NotRunningError(str(error)) from error
        document = trace.as_dict()
        if order.width is not None:
            from netsim.drawing.trace_svg import trace_svg
            from netsim.drawing.trace_text import trace_text

            document["text"] = trace_text(trace, order.width, unicode=order.unicode)
            document["svg"] = trace_svg(trace)
        return web.json_response(document)
