"""The control API: a running network's operations, one to one, over HTTP on its Unix socket.

    GET    /v1/network                   one row of `netsim ps`
    DELETE /v1/network                   stop it
    GET    /v1/inspect                   everything
    GET    /metrics                      what is counted, for Prometheus
    GET    /v1/top                       ?interval, ?count: a line of JSON for each interval
    GET    /v1/nodes, /v1/nodes/{node}   nodes; one of them
    POST   /v1/nodes/{node}/kill, …      kill, stop, start, restart, kill-program, pause, resume
    GET    /v1/links                     links
    GET    /v1/links/{a}/{b}             what one link is like
    PATCH  /v1/links/{a}/{b}             {down: true}, {set: {…}}: change it (link_order.py)
    POST   /v1/partition, /v1/repair     {groups}: cut the network in two; mend it
    POST   /v1/drop, /v1/isolate         packets that vanish
    POST   /v1/connections               {to, port, cut: {after}}: connections that go wrong
    POST   /v1/nodes/{node}/exec         {argv, cwd, json}: run a tool; a line of JSON per output
    POST   /v1/exec                      {nodes, kind, argv, …}: at many; the lines name the node
    POST   /v1/exec/{id}/interrupt       Ctrl-C for a running tool
    POST   /v1/trace                     {node, url, timeout, draw}: one request, hop by hop
    POST   /v1/pingall                   {routers, timeout}: a line of JSON per ping, then totals
    POST   /v1/capture                   {at, filter, count}: frames as they pass, as pcapng
    DELETE /v1/captures/{id}             end it: what has passed until then still comes
    GET    /v1/kinds                     names of the nodes, with their kinds
    GET    /v1/logs                      ?node, ?last, ?since, ?level, ?events: what was logged;
                                         ?follow: a line of JSON each
    GET    /v1/events                    WebSocket: events from now on

Errors are `{"error": {"code", "message", "hint"}}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from netsim.control.capture_streams import Captures
from netsim.control.executions import Executions
from netsim.control.fault_handlers import Faults
from netsim.control.operations import Events, Operations
from netsim.control.requests import logs_request, pingall_request, top_request
from netsim.control.tcp_door import Refusal, TcpDoor
from netsim.control.trace_handlers import Traces
from netsim.core.errors import InvalidFilterError, NetsimError, UnknownNameError
from netsim.network.metrics_text import CONTENT_TYPE
from netsim.network.reachability import Ping, Reachability

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MOST_UNREAD: Final = 20_000
"""Pings that wait for a client to read of them; a network of 1,000 computers has a million."""
_UNREAD: Final = {
    "error": {
        "code": "unread",
        "message": f"it has ended: {MOST_UNREAD:,} pings wait to be read of",
    }
}


class ControlServer:
    """Serves `network`; `request_stop()` is called when a client asks for its end."""

    def __init__(self, network: Operations, request_stop: Callable[[], None]) -> None:
        self._network = network
        self._request_stop = request_stop
        self._executions = Executions(network)
        self._traces = Traces(network)
        self._pinging: set[asyncio.Task[Any]] = set()
        self._faults = Faults(network)
        self._captures = Captures(network)
        self._closing = asyncio.Event()
        self._followed: set[Events] = set()
        """Logs that clients follow."""
        self._event_sockets: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None
        self._door: TcpDoor | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self, listener: socket.socket, door: TcpDoor | None = None) -> None:
        """Answer on a listening socket, and behind a door that is open to TCP."""
        self._door = door
        application = web.Application(middlewares=[_errors_as_json, self._guarded])
        application.add_routes(
            [
                web.get("/v1/network", self._get_network),
                web.delete("/v1/network", self._delete_network),
                web.get("/v1/inspect", self._get_inspect),
                web.get("/metrics", self._get_metrics),
                web.get("/v1/top", self._get_top),
                web.get("/v1/nodes", self._get_nodes),
                web.get("/v1/nodes/{node}", self._get_node),
                web.post("/v1/pingall", self._post_pingall),
                web.get("/v1/kinds", self._get_kinds),
                web.get("/v1/logs", self._get_logs),
                web.get("/v1/events", self._get_events),
                *self._executions.routes(),
                *self._traces.routes(),
                *self._faults.routes(),
                *self._captures.routes(),
            ]
        )
        # A handler is cancelled when its client goes: that interrupts the tool it runs.
        runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        await runner.setup()
        self._runner = runner
        await self.listen(listener)
        if door is not None:
            assert runner.server is not None, "it was set up"
            self._tcp = await asyncio.get_running_loop().create_server(
                door.factory(runner.server), sock=door.listener
            )

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whoever comes over TCP needs the token; the Unix socket is its user's alone."""
        connection = (
            None if request.transport is None else request.transport.get_extra_info("socket")
        )
        if connection is not None and connection.family == socket.AF_UNIX:
            return await handler(request)
        refusal = None if self._door is None else self._door.refusal(request)
        if self._door is not None and refusal is None:
            return await handler(request)
        refusal = refusal or Refusal(403, "forbidden", "this connection has come from nowhere")
        response = _error(refusal.status, refusal.code, refusal.text)
        if refusal.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        response.force_close()  # what it sends further is not read
        return response

    async def listen(self, listener: socket.socket) -> None:
        """Answer on another listening socket, too; `close` closes all."""
        assert self._runner is not None, "it has started"
        await web.SockSite(self._runner, listener).start()

    async def close(self) -> None:
        """End running tools and event streams, then stop listening."""
        self._executions.close()
        self._traces.close()
        for pinging in self._pinging:
            pinging.cancel()
        self._closing.set()
        for followed in list(self._followed):
            followed.close()
        await self._faults.close()
        self._captures.close()
        for events in list(self._event_sockets):
            await events.close(code=WSCloseCode.GOING_AWAY, message=b"the network is stopping")
        if self._tcp is not None:
            self._tcp.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _get_network(self, request: web.Request) -> web.Response:
        return web.json_response(self._network.summary())

    async def _delete_network(self, request: web.Request) -> web.Response:
        self._request_stop()
        return web.json_response({**self._network.summary(), "state": "stopping"}, status=202)

    async def _get_inspect(self, request: web.Request) -> web.Response:
        found = await self._network.inspect()
        links = [self._faults.with_flaps(link) for link in found["links"]]
        return web.json_response(found | {"links": links})

    async def _get_metrics(self, request: web.Request) -> web.Response:
        text = await self._network.metrics()
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _get_top(self, request: web.Request) -> web.StreamResponse:
        intervals = self._network.top(*top_request(request))
        response = await _start_lines(request)
        closing = asyncio.create_task(self._closing.wait())
        following: asyncio.Future[Any] = closing
        try:
            while True:
                following = asyncio.ensure_future(anext(intervals, None))
                await asyncio.wait({following, closing}, return_when=asyncio.FIRST_COMPLETED)
                if closing.done() or (top := following.result()) is None:
                    break
                await _write_line(response, top.as_dict())
            await response.write_eof()
            return response
        finally:
            closing.cancel()
            following.cancel()

    async def _get_nodes(self, request: web.Request) -> web.Response:
        return web.json_response((await self._network.inspect())["nodes"])

    async def _get_node(self, request: web.Request) -> web.Response:
        return web.json_response(await self._network.inspect_node(request.match_info["node"]))

    async def _post_pingall(self, request: web.Request) -> web.StreamResponse:
        routers, timeout = await pingall_request(request)
        lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

        def on_ping(ping: Ping, total: int) -> None:
            lines.put_nowait({**ping.as_dict(), "of": total})
            if lines.qsize() > MOST_UNREAD:
                pinging.cancel()

        def ended(task: asyncio.Task[Reachability]) -> None:
            self._pinging.discard(task)
            lines.put_nowait(_totals(task) if lines.qsize() <= MOST_UNREAD else _UNREAD)
            lines.put_nowait(None)

        pinging = asyncio.create_task(
            self._network.ping_all(routers=routers, timeout=timeout, on_ping=on_ping)
        )
        self._pinging.add(pinging)
        pinging.add_done_callback(ended)
        try:
            response = await _start_lines(request)
            while (line := await lines.get()) is not None:
                await _write_line(response, line)
            await response.write_eof()
            return response
        finally:
            pinging.cancel()  # the client may have gone

    async def _get_kinds(self, request: web.Request) -> web.Response:
        return web.json_response(self._network.kinds())

    async def _get_logs(self, request: web.Request) -> web.StreamResponse:
        asked = logs_request(request)
        document = self._network.logs(
            asked.nodes, asked.last, since=asked.since, level=asked.level, events=asked.events
        )
        if not asked.follow:
            return web.json_response(document)
        wanted = asked.wanted()
        # Nothing was logged in between.
        subscription = self._network.subscribe_to_logs(asked.events)
        self._followed.add(subscription)
        try:
            response = await _start_lines(request)
            for line in document["lines"]:
                await _write_line(response, line)
            async for line in subscription:
                if wanted.has(line):
                    await _write_line(response, line)
            await response.write_eof()
            return response
        finally:
            self._followed.discard(subscription)
            subscription.close()

    async def _get_events(self, request: web.Request) -> web.WebSocketResponse:
        events = web.WebSocketResponse(heartbeat=30)
        await events.prepare(request)
        subscription = self._network.subscribe()
        self._event_sockets.add(events)
        sending = asyncio.create_task(_send_events(subscription.__aiter__(), events))
        try:
            async for message in events:  # a client only ever closes
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            subscription.close()
            self._event_sockets.discard(events)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
        return events


async def _start_lines(request: web.Request) -> web.StreamResponse:
    """An answer of JSON documents, one on each line."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    return response


async def _write_line(response: web.StreamResponse, document: dict[str, Any]) -> None:
    await response.write(json.dumps(document).encode() + b"\n")


def _totals(pinging: asyncio.Task[Reachability]) -> dict[str, Any]:
    """The last line of pingall."""
    if pinging.cancelled():
        return {"error": {"code": "stopping", "message": "the network is stopping"}}
    if (error := pinging.exception()) is not None:
        _log.error("pingall failed", exc_info=error)
        return {"error": {"code": "failed", "message": str(error) or type(error).__name__}}
    found = pinging.result()
    return {"nodes": found.nodes, **found.totals()}


async def _send_events(subscription: Any, events: web.WebSocketResponse) -> None:
    async for event in subscription:
        await events.send_json(event)
    await events.close(code=WSCloseCode.GOING_AWAY, message=b"the network is stopping")


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except UnknownNameError as error:
        return _error(404, "unknown-name", str(error))
    except InvalidFilterError as error:
        return _filter_error(error)
    except NetsimError as error:
        if isinstance(error, ValueError):
            return _error(400, "bad-request", str(error))
        return _error(409, "failed", str(error))
    except ConnectionError as error:  # a node that is down; who has hung up reads no answer
        return _error(409, "failed", str(error))
    except web.HTTPNotFound:
        return _error(404, "not-found", f"there is no {request.path}; see docs/control-api.md")
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return _error(405, "not-allowed", f"{request.path} has no {request.method}; use {allowed}")
    except web.HTTPException as error:
        return _error(error.status, "bad-request", error.text or error.reason)
    except Exception:  # noqa: BLE001  # the client gets an answer, the log the details
        _log.exception("%s %s failed", request.method, request.path)
        return _error(500, "internal", "netsim has a bug; the log of the network has the details")


def _filter_error(error: InvalidFilterError) -> web.Response:
    """Where its mistakes are, for whoever points at them."""
    message, _, hint = error.mistakes[0].message.partition("; ")
    document = {
        "error": {"code": "bad-filter", "message": message, "hint": hint},
        "filter": error.written,
        "mistakes": [asdict(each) for each in error.mistakes],
    }
    return web.json_response(document, status=400)


def _error(status: int, code: str, text: str) -> web.Response:
    message, _, hint = text.partition("; ")
    document = {"error": {"code": code, "message": message, "hint": hint}}
    return web.Response(
        status=status, text=json.dumps(document) + "\n", content_type="application/json"
    )
