"""A list of users over HTTP, small enough to be read in a lesson (docs/lessons/http.md).

    GET    /users           all of them
    POST   /users           a new one: {"name": "ada", "password": "…"}; 201 and its Location
    GET    /users/{name}    one
    PUT    /users/{name}    a new password, or a new user; 200 or 201
    DELETE /users/{name}    gone; 204

A mistake is answered with a status of 4xx and `{"msg": "no password"}`, which says what it was.
Nobody logs in here: a password has to be there, and is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

LONGEST: Final = 100
"""Characters of a name."""

_USERS: Final = web.AppKey("users", dict[str, dict[str, str]])
_MOST: Final = web.AppKey("most", int)


def create_app(*, most: int = 1_000) -> web.Application:
    """The application, with no users yet. It keeps `most` of them, and refuses more with 507."""
    app = web.Application(middlewares=[_mistakes_as_json])
    app[_USERS] = {}
    app[_MOST] = most
    app.add_routes(
        [
            web.get("/users", _all),
            web.post("/users", _add),
            web.get("/users/{name}", _one),
            web.put("/users/{name}", _put),
            web.delete("/users/{name}", _remove),
        ]
    )
    return app


class _MistakeError(Exception):
    """What is wrong with a request."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


async def _all(request: web.Request) -> web.Response:
    return _json(list(request.app[_USERS].values()))


async def _one(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    return _json(_known(request, name))


async def _add(request: web.Request) -> web.Response:
    words = await _words(request)
    name = _text(words, "name")
    _text(words, "password")
    if name in request.app[_USERS]:
        raise _MistakeError(HTTPStatus.CONFLICT, f"there is a user {name}")
    return _created(request, name)


async def _put(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    words = await _words(request)
    _text(words, "password")
    # RFC 9110, section 9.3.4: the same request twice leaves what it left once.
    if words.get("name", name) != name:
        raise _MistakeError(HTTPStatus.BAD_REQUEST, f"the URL says {name}, the body another name")
    if name in request.app[_USERS]:
        return _json(_known(request, name))
    return _created(request, name)


async def _remove(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    _known(request, name)
    del request.app[_USERS][name]
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _json(
    told: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> web.Response:
    """On a line of its own, as a terminal wants it."""
    return web.json_response(text=json.dumps(told) + "\n", status=status, headers=headers)


def _known(request: web.Request, name: str) -> dict[str, str]:
    try:
        return request.app[_USERS][name]
    except KeyError:
        raise _MistakeError(HTTPStatus.NOT_FOUND, f"no user {name}") from None


def _created(request: web.Request, name: str) -> web.Response:
    users = request.app[_USERS]
    if len(name) > LONGEST:
        raise _MistakeError(HTTPStatus.BAD_REQUEST, f"a name has at most {LONGEST} characters")
    if len(users) >= request.app[_MOST]:
        raise _MistakeError(HTTPStatus.INSUFFICIENT_STORAGE, "too many users")
    since = datetime.now(UTC).isoformat(timespec="seconds")
    users[name] = {"name": name, "since": since}
    location = f"/users/{quote(name, safe='')}"
    return _json(users[name], HTTPStatus.CREATED, {hdrs.LOCATION: location})


async def _words(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; curl's `-d` calls it a form, and means JSON."""
    try:
        words = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, LookupError, RecursionError):
        raise _MistakeError(HTTPStatus.BAD_REQUEST, "the body is no JSON") from None
    if not isinstance(words, dict):
        raise _MistakeError(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
    return words


def _text(words: dict[str, Any], key: str) -> str:
    """A word of the body that has to be there."""
    if key not in words:
        raise _MistakeError(HTTPStatus.BAD_REQUEST, f"no {key}")
    text = words[key]
    if not isinstance(text, str) or not text:
        raise _MistakeError(HTTPStatus.BAD_REQUEST, f"{key} is no text")
    return text


@web.middleware
async def _mistakes_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _MistakeError as mistake:
        return _json({"msg": str(mistake)}, status=mistake.status)
    except web.HTTPClientError as error:
        # No such path, a method that is not allowed (whose header `Allow` says which are), a
        # body that is too large.
        reason = error.reason.lower()
        headers = {name: value for name, value in error.headers.items() if name == hdrs.ALLOW}
        return _json({"msg": reason}, status=error.status, headers=headers)
