"""A request as a JSON document, with the keys that httpbin.org has."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


def origin(request: web.Request) -> str:
    """The address that the connection came from; empty when it is already gone."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return str(peer[0]) if isinstance(peer, tuple) else ""


async def describe(request: web.Request, *, with_body: bool) -> dict[str, Any]:
    """`args`, `headers`, `origin` and `url`; with the body `data`, `files`, `form` and `json` too.

    HTTPBadRequest when a form is not what its content type says.
    """
    document: dict[str, Any] = {
        "args": _listed(request.query.items()),
        "headers": dict(request.headers),
        "origin": origin(request),
        "url": str(request.url),
    }
    if with_body:
        document |= await _body(request)
    return document


async def _body(request: web.Request) -> dict[str, Any]:
    empty: dict[str, Any] = {"data": "", "files": {}, "form": {}, "json": None}
    if request.content_type in _FORMS:
        return empty | await _form(request)
    body = await request.read()
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    return empty | {"data": _text(body, request.content_type), "json": parsed}


async def _form(request: web.Request) -> dict[str, Any]:
    try:
        fields = await request.post()
    except (LookupError, ValueError) as error:
        message = f"the body is not {request.content_type}: {error}\n"
        raise web.HTTPBadRequest(text=message) from None
    form: list[tuple[str, str]] = []
    files: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, web.FileField):
            with value.file as file:
                files.append((name, _text(file.read(), value.content_type)))
        else:
            form.append((name, value if isinstance(value, str) else _text(bytes(value), "")))
    return {"form": _listed(form), "files": _listed(files)}


def _listed(pairs: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Pairs as a dictionary; a key that comes several times has a list."""
    document: dict[str, str | list[str]] = {}
    for key, value in pairs:
        present = document.get(key)
        if present is None:
            document[key] = value
        elif isinstance(present, list):
            present.append(value)
        else:
            document[key] = [present, value]
    return document


def _text(body: bytes, content_type: str) -> str:
    """The body itself when it is UTF-8, else a data: URL (RFC 2397)."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        encoded = base64.b64encode(body).decode()
        return f"data:{content_type or 'application/octet-stream'};base64,{encoded}"
