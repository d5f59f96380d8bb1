"""A web server to try clients on, in the manner of httpbin.org: plain aiohttp.

    GET    /                     a page: who asked, and which way the packets came
    GET    /ip  /headers         what the server sees of the client
    GET    /get                  and POST /post, PUT /put, DELETE /delete: the request as JSON
    any    /status/{code}        an answer with that status
    any    /delay/{seconds}      the request as JSON, late
    GET    /bytes/{n}            n random bytes, streamed; `?seed=` makes them repeat
    GET    /stream/{n}           n lines of JSON
    GET    /drip                 `?numbytes&duration&delay&code`: a body that trickles
    GET    /ws                   WebSocket echo
    PUT    /upload               (or POST) size and SHA-256 of the body, however large

What cannot be understood is answered with 400 and a line that says why.
"""

from __future__ import annotations

import asyncio
import hashlib
import http
import json
import math
import weakref
from random import Random
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from aiohttp.typedefs import Handler

from netsim.services.httpbin_echo import describe, origin
from netsim.services.httpbin_page import front_page

CHUNK: Final = 65_536
"""Bytes of `/bytes` that are made and sent at a time."""

_SOCKETS: Final = web.AppKey("sockets", weakref.WeakSet[web.WebSocketResponse])
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def create_app(*, max_body: int = 64 * 2**20) -> web.Application:
    """The application. `max_body`: bytes that `/post` and its like take; `/upload` takes all."""
    app = web.Application(client_max_size=max_body, middlewares=[_part_quietly])
    app[_SOCKETS] = weakref.WeakSet()
    app.on_shutdown.append(_close_sockets)
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/ip", _ip),
            web.get("/headers", _headers),
            web.get("/get", _echo),
            web.post("/post", _echo),
            web.put("/put", _echo),
            web.delete("/delete", _echo),
            web.route("*", "/status/{code}", _status),
            web.route("*", "/delay/{seconds}", _delay),
            web.get("/bytes/{count}", _bytes),
            web.get("/stream/{count}", _stream),
            web.get("/drip", _drip),
            web.get("/ws", _websocket, allow_head=False),
            web.put("/upload", _upload),
            web.post("/upload", _upload),
        ]
    )
    return app


@web.middleware
async def _part_quietly(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A client that goes away in the middle is no fault of the application's, nor news."""
    try:
        return await handler(request)
    except (ConnectionError, RuntimeError):  # aiohttp raises either, as it has written or read
        if request.transport is not None and not request.transport.is_closing():
            raise
        return web.Response()  # which nobody gets


async def _page(request: web.Request) -> web.Response:
    return web.Response(text=front_page(request), content_type="text/html")


async def _ip(request: web.Request) -> web.Response:
    return _json({"origin": origin(request)})


async def _headers(request: web.Request) -> web.Response:
    return _json({"headers": dict(request.headers)})


async def _echo(request: web.Request) -> web.Response:
    return _json(await describe(request, with_body=request.method not in ("GET", "HEAD")))


async def _status(request: web.Request) -> web.Response:
    text = request.match_info["code"]
    if not text.isdecimal() or not 200 <= int(text) <= 599:
        raise _bad(f"{text!r} is not a status; write one from 200 to 599")
    status = int(text)
    headers = {}
    if status in _REDIRECTS:
        headers[hdrs.LOCATION] = "/"
    if status == http.HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="httpbin"'
    return web.Response(status=status, headers=headers)


async def _delay(request: web.Request) -> web.Response:
    await asyncio.sleep(_seconds(request.match_info["seconds"], "delay"))
    return _json(await describe(request, with_body=True))


async def _bytes(request: web.Request) -> web.StreamResponse:
    remaining = _count(request.match_info["count"], "number of bytes")
    random = Random(request.query.get("seed"))
    response = web.StreamResponse()
    response.content_type = "application/octet-stream"
    response.content_length = remaining
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    while remaining:
        # Whole chunks only: then a seed names one sequence, and n its first n bytes.
        chunk = random.randbytes(CHUNK)
        await response.write(chunk if remaining >= CHUNK else chunk[:remaining])
        remaining -= min(remaining, CHUNK)
    await response.write_eof()
    return response


async def _stream(request: web.Request) -> web.StreamResponse:
    count = _count(request.match_info["count"], "number of lines")
    line = await describe(request, with_body=False)
    response = web.StreamResponse()
    response.content_type = "application/json"
    response.enable_chunked_encoding()
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    for number in range(count):
        await response.write(json.dumps({**line, "id": number}).encode() + b"\n")
    await response.write_eof()
    return response


async def _drip(request: web.Request) -> web.StreamResponse:
    query = request.query
    count = _count(query.get("numbytes", "10"), "numbytes")
    duration = _seconds(query.get("duration", "2"), "duration")
    delay = _seconds(query.get("delay", "0"), "delay")
    code = query.get("code", "200")
    if not code.isdecimal() or not 200 <= int(code) <= 599:
        raise _bad(f"{code!r} is not a code; write a status from 200 to 599")
    await asyncio.sleep(delay)
    response = web.StreamResponse(status=int(code))
    response.content_type = "application/octet-stream"
    response.content_length = count
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    for number in range(count):
        if number:
            await asyncio.sleep(duration / count)
        await response.write(b"*")
    await response.write_eof()
    return response


async def _websocket(request: web.Request) -> web.WebSocketResponse:
    if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
        raise _bad("/ws speaks WebSocket; ask for it with a WebSocket client")
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    request.app[_SOCKETS].add(socket)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def _upload(request: web.Request) -> web.Response:
    size = 0
    digest = hashlib.sha256()
    async for chunk in request.content.iter_any():
        size += len(chunk)
        digest.update(chunk)
    return _json({"size": size, "sha256": digest.hexdigest()})


async def _close_sockets(app: web.Application) -> None:
    sockets = app[_SOCKETS]
    for socket in list(sockets):
        await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server is shutting down")


def _json(document: dict[str, Any]) -> web.Response:
    return web.json_response(text=json.dumps(document, indent=2, sort_keys=True) + "\n")


def _bad(message: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=message + "\n")


def _count(text: str, what: str) -> int:
    # isdecimal() takes the digits of every script, as int() does; neither takes a sign here.
    if not text.isdecimal() or len(text) > 18:
        raise _bad(f"{text!r} is not a {what}; write a whole number, 0 or more")
    return int(text)


def _seconds(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise _bad(f"{text!r} is not a {what}; write seconds, 0 or more")
    return value
