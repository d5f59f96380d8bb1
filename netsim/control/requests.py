"""What clients send to the control API, checked; HTTPBadRequest says what is expected."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from netsim.network.log_lines import Wanted, level_of
from netsim.network.traffic_faults import ConnectionsView

LONGEST_WAIT: Final = 3_600.0
"""Seconds that a client may ask to wait for one answer."""


@dataclass(frozen=True, slots=True)
class ExecOrder:
    """A tool that is to run, where its files are, and whether it prints JSON."""

    argv: tuple[str, ...]
    cwd: str
    json: bool


async def exec_request(request: web.Request) -> ExecOrder:
    """What is to run at one node."""
    return _exec_order(await body_of(request))


async def exec_at_many_request(request: web.Request) -> tuple[ExecOrder, list[str], str | None]:
    """What is to run, at which names or patterns (none: all), and at nodes of which kind."""
    body = await body_of(request)
    nodes, kind = body.get("nodes", []), body.get("kind")
    if (
        isinstance(nodes, list)
        and all(isinstance(name, str) for name in nodes)
        and (kind is None or isinstance(kind, str))
    ):
        return _exec_order(body), nodes, kind
    raise web.HTTPBadRequest(
        text="the body does not say which nodes; send "
        '{"nodes": ["h*"], "kind": "computer", "argv": ["ping", "web"]} or leave them out'
    )


def _exec_order(body: dict[str, Any]) -> ExecOrder:
    argv, cwd, as_json = body.get("argv"), body.get("cwd", "/"), body.get("json", False)
    if (
        isinstance(argv, list)
        and argv
        and all(isinstance(word, str) for word in argv)
        and isinstance(cwd, str)
        and isinstance(as_json, bool)
    ):
        return ExecOrder(tuple(argv), cwd, as_json)
    raise web.HTTPBadRequest(
        text='the body is not a command; send {"argv": ["ping", "web"], "cwd": "/", "json": false}'
    )


async def pingall_request(request: web.Request) -> tuple[bool, float]:
    """`routers`, and `timeout` in seconds."""
    body = await body_of(request)
    routers, timeout = body.get("routers", False), body.get("timeout", 2.0)
    if isinstance(routers, bool) and type(timeout) in (int, float) and 0 < timeout <= LONGEST_WAIT:
        return routers, float(timeout)
    raise web.HTTPBadRequest(
        text='the body is not understood; send {"routers": false, "timeout": 2}'
    )


@dataclass(frozen=True, slots=True)
class TraceOrder:
    """What is to be traced, and how it is drawn: in how many columns, or not at all."""

    node: str
    url: str
    timeout: float
    width: int | None
    unicode: bool


async def trace_request(request: web.Request) -> TraceOrder:
    """What is to be traced."""
    body = await body_of(request)
    node, url, timeout = body.get("node"), body.get("url"), body.get("timeout", 30.0)
    drawn = body.get("draw")
    looks = drawn if isinstance(drawn, dict) else {}
    width, unicode = looks.get("width", 100), looks.get("unicode", True)
    if (
        isinstance(node, str)
        and isinstance(url, str)
        and type(timeout) in (int, float)
        and 0 < timeout <= LONGEST_WAIT
        and (drawn is None or isinstance(drawn, dict))
        and type(width) is int
        and isinstance(unicode, bool)
    ):
        return TraceOrder(node, url, float(timeout), None if drawn is None else width, unicode)
    raise web.HTTPBadRequest(
        text='the body does not say what to trace; send {"node": "alice", "url": "http://web/", '
        '"timeout": 30, "draw": {"width": 100, "unicode": true}}'
    )


async def partition_request(request: web.Request) -> tuple[list[str], list[str]]:
    """The two `groups`."""
    groups = (await body_of(request)).get("groups")
    if (
        isinstance(groups, list)
        and len(groups) == 2
        and all(isinstance(group, list) and group for group in groups)
        and all(isinstance(name, str) for group in groups for name in group)
    ):
        return groups[0], groups[1]
    raise web.HTTPBadRequest(
        text='the body has no two groups of nodes; send {"groups": [["alice", "bob"], ["web"]]}'
    )


async def drop_request(request: web.Request) -> dict[str, Any]:
    """`source`, `destination`, and the other words of `Network.drop`."""
    body = await body_of(request)
    source, to, protocol, port = (body.pop(key, None) for key in ("from", "to", "protocol", "port"))
    both_ways = body.pop("both_ways", False)
    if (
        not body
        and isinstance(source, str)
        and isinstance(to, str)
        and isinstance(both_ways, bool)
        and protocol in (None, "tcp", "udp", "icmp")
        and (port is None or type(port) is int)
    ):
        only = {"protocol": protocol, "port": port}
        return {"source": source, "destination": to, "both_ways": both_ways, **only}
    raise web.HTTPBadRequest(
        text="the body does not say which packets vanish; send "
        '{"from": "alice", "to": "web", "both_ways": false, "protocol": "tcp", "port": 80}'
    )


@dataclass(frozen=True, slots=True)
class ConnectionOrder:
    """What is to happen to connections: a verb of `ConnectionsView`, and its word."""

    to: str
    port: int
    source: str | None
    verb: str
    words: dict[str, Any]

    def carry_out(self, connections: ConnectionsView) -> Awaitable[Any]:
        """Done when it is in force."""
        done: Awaitable[Any] = getattr(connections, self.verb)(**self.words)
        return done


_CONNECTION_VERBS: Final = {
    "reset": ("after", str, False),
    "cut": ("after", str, True),
    "stall": ("", str, False),
    "slow_close": ("delay", str, True),
    "refuse": ("first", int, False),
}
"""The word that each takes, its type, and whether it is needed."""


async def connection_request(request: web.Request) -> ConnectionOrder:
    """What is to happen to which connections."""
    body = await body_of(request)
    to, port, source = (body.pop(key, None) for key in ("to", "port", "from"))
    verb, value = next(iter(body.items()), ("", None))
    words = {} if value is True else value
    if (
        isinstance(to, str)
        and type(port) is int
        and (source is None or isinstance(source, str))
        and len(body) == 1
        and verb in _CONNECTION_VERBS
        and isinstance(words, dict)
    ):
        word, kind, is_needed = _CONNECTION_VERBS[verb]
        if (not words and not is_needed) or (words.keys() == {word} and type(words[word]) is kind):
            return ConnectionOrder(to, port, source, verb, words)
    raise web.HTTPBadRequest(
        text="the body does not say what is to happen to which connections; send "
        '{"to": "web", "port": 80, "cut": {"after": "64KiB"}} or the like'
    )


async def capture_request(request: web.Request) -> tuple[list[str], str, int | None]:
    """Where to capture, the words of the filter, and after how many frames it ends."""
    body = await body_of(request)
    at, words, count = (body.pop(key, default) for key, default in _CAPTURE_WORDS.items())
    at = [at] if isinstance(at, str) else at
    if (
        not body
        and isinstance(at, list)
        and all(isinstance(point, str) for point in at)
        and isinstance(words, str)
        and (count is None or type(count) is int)
    ):
        return at, words, count
    raise web.HTTPBadRequest(
        text="the body does not say what is to be captured; send "
        '{"at": ["r1:eth0", "web"], "filter": "tcp port 80", "count": 10}'
    )


_CAPTURE_WORDS: Final[dict[str, Any]] = {"at": [], "filter": "", "count": None}


@dataclass(frozen=True, slots=True)
class LogsOrder:
    """Which lines somebody asks for, in their words."""

    nodes: list[str]
    last: int | None
    since: str | None
    level: str | None
    events: bool
    follow: bool

    def wanted(self) -> Wanted:
        """Which of those to come; the level is one."""
        level = 0 if self.level is None else level_of(self.level)
        return Wanted(frozenset(self.nodes), level=level, events=self.events)


def logs_request(request: web.Request) -> LogsOrder:
    """Names, durations and levels are checked by the network."""
    query = request.query
    last = query.get("last", "")
    if last and not (last.isascii() and last.isdecimal() and len(last) < 10):
        raise web.HTTPBadRequest(text="`last` is no number; write for example /v1/logs?last=20")
    yes = {}
    for word in ("follow", "events"):
        value = query.get(word, "false")
        if value not in ("true", "false"):
            raise web.HTTPBadRequest(text=f"`{word}` is neither; write true or false")
        yes[word] = value == "true"
    nodes = query.getall("node", [])
    number = int(last) if last else None
    return LogsOrder(nodes, number, query.get("since"), query.get("level"), **yes)


def top_request(request: web.Request) -> tuple[float, int | None]:
    """`interval` in seconds, and how many; the network checks how large they are."""
    try:
        count = request.query.get("count")
        return float(request.query.get("interval", "1")), None if count is None else int(count)
    except ValueError:
        raise web.HTTPBadRequest(
            text="`interval` or `count` is no number; write for example /v1/top?interval=1&count=3"
        ) from None


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request; an empty one where there is none."""
    if not request.can_read_body:
        return {}
    try:
        body = await request.json()
    except (ValueError, LookupError, RecursionError, web.RequestPayloadError):
        # A charset that is none; too deep; not compressed as it says.
        body = None
    if isinstance(body, dict):
        return body
    raise web.HTTPBadRequest(text="the body is no JSON object; send one, see docs/control-api.md")
