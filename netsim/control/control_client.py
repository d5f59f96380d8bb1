"""The client of the control API that the command line uses.

On the standard library's `http.client` alone, so that `netsim ps` answers at once.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Generator, Iterator, Sequence
from typing import Any, Final, Self

from netsim.control.exec_lines import Stream, decode_line
from netsim.control.places import Place
from netsim.core.errors import FilterMistake, InvalidFilterError, NetsimError, UnknownNameError

ANSWER_TIMEOUT: Final = 10.0
"""Seconds; a node that does not answer is reported by the supervisor well before."""
NODE_TIMEOUT: Final = 60.0
"""Seconds that a node may take to stop and start."""
STOP_TIMEOUT: Final = 3.0
"""Seconds to understand that the network shall end; there are harder ways to say it."""


class ControlError(NetsimError):
    """The network did not do what it was asked, or does not answer."""


class RefusedError(ControlError, ValueError):
    """What was asked for cannot be meant so: a wrong value, things that exclude each other."""


class ControlClient:
    """Talks to the supervisor of one running network."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def name(self) -> str:
        return self._place.name

    def summary(self, timeout: float = ANSWER_TIMEOUT) -> dict[str, Any]:
        """One row of `netsim ps`."""
        return dict(self._ask("GET", "/v1/network", timeout))

    def stop(self) -> None:
        """Ask for the end of the network; returns when the supervisor has understood."""
        self._ask("DELETE", "/v1/network", STOP_TIMEOUT)

    def inspect(self) -> dict[str, Any]:
        """Everything about the network."""
        return dict(self._ask("GET", "/v1/inspect", ANSWER_TIMEOUT))

    def metrics(self) -> str:
        """What it counts, as Prometheus reads it."""
        return self._read("GET", "/metrics", ANSWER_TIMEOUT).decode()

    def top(self, interval: float, count: int | None) -> Generator[dict[str, Any], None, None]:
        """How busy every link is: an interval after the other, until the network ends."""
        words = f"interval={interval}" + ("" if count is None else f"&count={count}")
        yield from self._lines("GET", f"/v1/top?{words}")

    def inspect_node(self, node: str) -> dict[str, Any]:
        """Everything about one node."""
        return dict(self._ask("GET", f"/v1/nodes/{_quote(node)}", ANSWER_TIMEOUT))

    def exec(self, node: str, argv: list[str], *, cwd: str, json: bool = False) -> Execution:
        """Run a tool at a node; iterate over the execution for its output."""
        body = {"argv": argv, "cwd": cwd, "json": json}
        connection = _Connection(self._place, ANSWER_TIMEOUT)
        response = self._begin(connection, "POST", f"/v1/nodes/{_quote(node)}/exec", body)
        return Execution(self, connection, response)

    def exec_at_many(
        self, nodes: list[str], kind: str | None, argv: list[str], *, cwd: str, json: bool = False
    ) -> Execution:
        """Run a tool at every node of these names or patterns, and of a kind; none means all."""
        body = {"nodes": nodes, "kind": kind, "argv": argv, "cwd": cwd, "json": json}
        connection = _Connection(self._place, ANSWER_TIMEOUT)
        response = self._begin(connection, "POST", "/v1/exec", body)
        return Execution(self, connection, response, at_many=True)

    def capture(self, at: list[str], words: str, count: int | None) -> CaptureStream:
        """Frames as they pass nodes and interfaces; iterate for their bytes, as pcapng.

        InvalidFilterError for words that are no filter.
        """
        body = {"at": at, "filter": words, "count": count}
        connection = _Connection(self._place, ANSWER_TIMEOUT)
        response = self._begin(connection, "POST", "/v1/capture", body)
        return CaptureStream(self, connection, response)

    def end_capture(self, capture: str) -> None:
        """What has passed until now still comes; one that has ended meanwhile is no error."""
        with contextlib.suppress(UnknownNameError):
            self._ask("DELETE", f"/v1/captures/{capture}", ANSWER_TIMEOUT)

    def kinds(self) -> dict[str, str]:
        """Every node with its kind."""
        return dict(self._ask("GET", "/v1/kinds", ANSWER_TIMEOUT))

    def trace(
        self, node: str, url: str, *, timeout: float, width: int, is_unicode: bool
    ) -> dict[str, Any]:
        """What `netsim trace --json` prints, and as `text` and `svg` what there is to see."""
        words = {"node": node, "url": url, "timeout": timeout}
        drawn = {"width": width, "unicode": is_unicode}
        self.summary(ANSWER_TIMEOUT)  # whether anybody answers
        patience = timeout + NODE_TIMEOUT
        return dict(self._ask("POST", "/v1/trace", patience, {**words, "draw": drawn}))

    def ping_all(self, *, routers: bool, timeout: float) -> Iterator[dict[str, Any]]:
        """Each ping as it ends, `{from, to, rtt_ms, of}`, and then the totals."""
        return self._lines("POST", "/v1/pingall", {"routers": routers, "timeout": timeout})

    def logs(self, nodes: Sequence[str] = (), **words: str | int | None) -> dict[str, Any]:
        """`{dropped, dropped_events, lines}`, of some nodes or of all.

        `words` are `last`, `since`, `level` and `events`, as docs/control-api.md has them.
        """
        return dict(self._ask("GET", _logs_path(nodes, words), ANSWER_TIMEOUT))

    def follow_logs(
        self, nodes: Sequence[str] = (), **words: str | int | None
    ) -> Iterator[dict[str, Any]]:
        """The last lines, then every further one, until the network ends."""
        return self._lines("GET", _logs_path(nodes, {**words, "follow": "true"}))

    def link(self, a: str, b: str) -> dict[str, Any]:
        """`{link, now}`: what a link is like."""
        return dict(self._ask("GET", _link_path(a, b), ANSWER_TIMEOUT))

    def links(self) -> list[dict[str, Any]]:
        """Both ends of every link."""
        return list(self._ask("GET", "/v1/links", ANSWER_TIMEOUT))

    def change_link(self, a: str, b: str, order: dict[str, Any]) -> dict[str, Any]:
        """`{link, before, after}`; `order` is the body that docs/control-api.md shows."""
        return dict(self._ask("PATCH", _link_path(a, b), ANSWER_TIMEOUT, order))

    def partition(self, first: list[str], second: list[str]) -> list[dict[str, Any]]:
        """Cut the network between two groups of nodes; the links that were taken down."""
        groups = {"groups": [first, second]}
        return list(self._ask("POST", "/v1/partition", ANSWER_TIMEOUT, groups)["links"])

    def repair(self) -> dict[str, Any]:
        """`{links, healed}`: the links that came up, and what else was in force, in words."""
        return dict(self._ask("POST", "/v1/repair", ANSWER_TIMEOUT))

    def spoil_traffic(self, what: str, words: dict[str, Any]) -> list[str]:
        """`drop`, `isolate` or `connections`; all of them that are in force then, in words."""
        return list(self._ask("POST", f"/v1/{what}", ANSWER_TIMEOUT, words)["in_force"])

    def change_node(self, node: str, verb: str) -> dict[str, Any]:
        """Have it killed, stopped, … and say `{node, before, after}` when that is done.

        `verb` is one of those that docs/control-api.md lists.
        """
        self.summary(ANSWER_TIMEOUT)  # whether anybody answers: what is asked for may take a while
        return dict(self._ask("POST", f"/v1/nodes/{_quote(node)}/{verb}", NODE_TIMEOUT))

    def interrupt(self, execution: str) -> None:
        """Ctrl-C for a running tool; one that has ended meanwhile is no error."""
        try:
            self._ask("POST", f"/v1/exec/{execution}/interrupt", ANSWER_TIMEOUT)
        except UnknownNameError:
            return

    def _lines(self, method: str, path: str, body: object = None) -> Iterator[dict[str, Any]]:
        """The documents of an answer that comes line by line."""
        connection = _Connection(self._place, ANSWER_TIMEOUT)
        response = self._begin(connection, method, path, body)
        try:
            for line in response:
                document = json.loads(line)
                if "error" in document:
                    raise ControlError(document["error"]["message"])
                yield document
        except (http.client.HTTPException, ConnectionError):
            raise ControlError(f"{self.name} ended before it was done") from None
        finally:
            response.close()
            connection.close()

    def _begin(
        self, connection: _Connection, method: str, path: str, body: object
    ) -> http.client.HTTPResponse:
        """A response that comes line by line, for as long as it takes once it has begun."""
        try:
            response = connection.ask(method, path, body)
        except TimeoutError:
            connection.close()
            raise self._silent() from None
        connection.sock.settimeout(None)
        return response

    def _silent(self) -> ControlError:
        return ControlError(f"{self.name} does not answer; netsim down {self.name} ends it")

    def _ask(self, method: str, path: str, timeout: float | None, body: object = None) -> Any:
        return json.loads(self._read(method, path, timeout, body))

    def _read(self, method: str, path: str, timeout: float | None, body: object = None) -> bytes:
        connection = _Connection(self._place, timeout)
        try:
            return connection.ask(method, path, body).read()
        except TimeoutError:
            raise self._silent() from None
        except (http.client.HTTPException, ConnectionError):
            raise ControlError(f"{self.name} ended before it answered") from None
        finally:
            connection.close()


class Execution:
    """A tool that runs at a node: iterate for its output; then `code` is its exit code.

    At many nodes, `by_node` tells whose output it is, and how each has ended.
    """

    def __init__(
        self,
        client: ControlClient,
        connection: _Connection,
        response: http.client.HTTPResponse,
        *,
        at_many: bool = False,
    ) -> None:
        self._client = client
        self._connection = connection
        self._response = response
        self._abandoned = False
        self.code: int | None = None
        self.nodes: list[str] = json.loads(response.readline())["nodes"] if at_many else []
        """Where it runs, if at many."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[Stream, bytes]]:
        for _, said in self.by_node():
            if isinstance(said, tuple):
                yield said

    def by_node(self) -> Iterator[tuple[str, tuple[Stream, bytes] | int | str]]:
        """A node with its output, its exit code, or why it could not be carried to its end."""
        rest = b""
        while True:
            try:
                data = self._response.read1(65_536)
            except (http.client.HTTPException, ConnectionError):
                data = b""
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                match decode_line(line):
                    case None, int(code):
                        self.code = code
                    case None, str(message):
                        raise ControlError(message)
                    case node, said:
                        yield node or "", said
        if self.code is None and not self._abandoned:
            raise ControlError(f"{self._client.name} ended while the command ran")

    def interrupt(self) -> None:
        """Ctrl-C: the tool ends in its own way, and its last output still comes."""
        number = self._response.headers["Netsim-Exec"]
        self._client.interrupt(number)

    def abandon(self) -> None:
        """From another thread: let whoever iterates wait no more; `code` stays None."""
        self._abandoned = True
        with contextlib.suppress(OSError):  # it has just ended by itself
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up, which interrupts a tool that still runs."""
        self._response.close()
        self._connection.close()


class CaptureStream:
    """A capture that goes on: iterate for its bytes, until it ends or the network does."""

    def __init__(
        self,
        client: ControlClient,
        connection: _Connection,
        response: http.client.HTTPResponse,
    ) -> None:
        self._client = client
        self._connection = connection
        self._response = response
        self.epoch_ns = int(response.headers["Netsim-Epoch"])
        """The wall time at network time 0, in ns since 1970-01-01 UTC."""
        self.down = list(filter(None, response.headers.get("Netsim-Down", "").split(",")))
        """Nodes at which nothing passes, as they do not run."""
        self.broken = False
        """The network has ended without a word."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                data = self._response.read1(65_536)
            except (http.client.HTTPException, ConnectionError):
                self.broken = True
                return
            if not data:
                return
            yield data

    def end(self) -> None:
        """Capture no more; what has passed until now still comes."""
        self._client.end_capture(self._response.headers["Netsim-Capture"])

    def close(self) -> None:
        """Hang up, which ends the capture."""
        self._response.close()
        self._connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP over the control socket of a state directory, or TCP."""

    def __init__(self, place: Place, timeout: float | None) -> None:
        super().__init__(place.host)
        self._place = place
        self._timeout = timeout

    def connect(self) -> None:
        self.sock: socket.socket = self._place.connect(self._timeout)

    def ask(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """The response; errors that the network reports are raised."""
        content = None if body is None else json.dumps(body)
        self.request(
            method, path, content, {"Content-Type": "application/json", **self._place.headers}
        )
        response = self.getresponse()
        if response.status >= 400:
            try:
                document = json.loads(response.read())
                error = document["error"]
            except (ValueError, KeyError):
                raise ControlError(f"{method} {path}: HTTP status {response.status}") from None
            finally:
                self.close()
            if error["code"] == "bad-filter":
                mistakes = [FilterMistake(**each) for each in document["mistakes"]]
                raise InvalidFilterError(document["filter"], mistakes)
            if error["code"] == "unauthorized":
                error["hint"] = "set NETSIM_CONTROL_TOKEN to what netsim up printed"
            text = "; ".join(filter(None, (error["message"], error["hint"])))
            raise _ERRORS.get(error["code"], ControlError)(text)
        return response


_ERRORS: Final[dict[str, type[NetsimError]]] = {
    "unknown-name": UnknownNameError,
    "bad-request": RefusedError,
}


def _link_path(a: str, b: str) -> str:
    return f"/v1/links/{_quote(a)}/{_quote(b)}"


def _logs_path(nodes: Sequence[str], words: dict[str, str | int | None]) -> str:
    wanted = [("node", node) for node in nodes]
    wanted += [(word, str(value)) for word, value in words.items() if value is not None]
    return f"/v1/logs?{'&'.join(f'{word}={_quote(value)}' for word, value in wanted)}"


def _quote(name: str) -> str:
    from urllib.parse import quote  # http.client has imported it anyway

    return quote(name, safe="")
