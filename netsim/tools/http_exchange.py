"""One HTTP request and its reply, by aiohttp's client. Runs on a computer or router."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict

from netsim.core.errors import HttpFailedError
from netsim.tools.http_connector import Connector, ask_once
from netsim.tools.http_reply import HttpReply, HttpTimings
from netsim.tools.resolve import computer_loop

Headers = Mapping[str, str] | Sequence[tuple[str, str]]

Outcome = TypeVar("Outcome")

_CODINGS: Final = ("Accept-Encoding",)
"""Not asked for: what aiohttp would accept depends on which libraries are installed."""
_USER_AGENT: Final = {"User-Agent": "netsim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedExchange:
    """What came of a request, and when each part was over, in ns of network time."""

    started_ns: int
    resolved_ns: int | None
    """The name had an address; None where it got none."""
    connected_ns: int | None
    """The connection was there, TLS included."""
    ended_ns: int
    port: int | None
    """The client's own; None where there was no connection."""
    status: int
    """0 where there was no reply."""
    reason: str
    location: str
    """Where a redirect leads to (`Location`), as it is written; else empty."""
    size: int
    """Bytes of the body that came."""
    error: str
    """Why there was no whole reply; else empty."""


async def http_exchange(
    method: str,
    url: str,
    headers: Headers | None = None,
    body: bytes | None = None,
    timeout: float | None = None,
    follow_redirects: bool = False,
) -> HttpReply:
    """Ask on a connection of its own, and read the whole reply.

    `timeout` is for all of it, in seconds of network time. HttpFailedError when there is no
    whole reply; a status of 400 or more is a reply.
    """
    exchange = _Exchange(method.upper(), url)
    return await exchange.within(timeout, lambda: exchange.run(headers, body, follow_redirects))


async def traced_exchange(
    method: str,
    url: str,
    headers: Headers | None = None,
    body: bytes | None = None,
    timeout: float | None = None,
    *,
    keep: bool = False,
) -> tuple[TracedExchange, HttpReply | None]:
    """As `http_exchange`, with when each part was over, whatever comes of it.

    The reply is there where it is to be kept, and whole; where `http_exchange` raises
    HttpFailedError its reason is told.
    """
    exchange = _Exchange(method.upper(), url)
    status, reason, location, octets, error, ended_ns = 0, "", "", 0, "", 0
    reply: HttpReply | None = None

    async def read() -> None:
        nonlocal status, reason, location, octets, ended_ns, reply
        async with exchange.asked(headers, body, False) as response:
            exchange.note_first_byte()
            status, reason = response.status, response.reason or ""
            location = response.headers.get("Location", "") if 300 < status < 400 else ""
            kept = []
            async for chunk in exchange.chunks(response):
                octets += len(chunk)
                if keep:
                    kept.append(chunk)
            ended_ns = computer_loop().network_now()
            if keep:
                reply = exchange.reply(response, b"".join(kept))

    try:
        await exchange.within(timeout, read)
    except HttpFailedError as failure:
        error = failure.reason
        ended_ns = computer_loop().network_now()
    traced = TracedExchange(
        started_ns=exchange.started_ns,
        resolved_ns=exchange.resolved_ns,
        connected_ns=exchange.connected_ns,
        ended_ns=ended_ns,
        port=exchange.port,
        status=status,
        reason=reason,
        location=location,
        size=octets,
        error=error,
    )
    return traced, reply


class _Exchange:
    def __init__(self, method: str, url: str) -> None:
        self.method = method
        self._url = url
        self._loop = computer_loop()
        self._start = self._loop.network_now()
        self._connected = self._sent = self._first_byte = 0
        self.resolved_ns: int | None = None
        self._protocol: ResponseHandler | None = None
        self.port: int | None = None
        """The client's own; None until there is a connection."""

    async def within(
        self, timeout: float | None, work: Callable[[], Awaitable[Outcome]]
    ) -> Outcome:
        """HttpFailedError when it fails, or takes longer."""
        try:
            async with asyncio.timeout(timeout):
                return await work()
        except TimeoutError as error:
            # One of TCP's own is an OSError with a number.
            reason = _reason(error) if error.errno else f"timed out after {timeout:g} s"
            raise HttpFailedError(self.method, self._url, reason) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise HttpFailedError(self.method, self._url, _reason(error)) from error

    async def run(
        self, headers: Headers | None, body: bytes | None, follow_redirects: bool
    ) -> HttpReply:
        async with self.asked(headers, body, follow_redirects) as response:
            self.note_first_byte()
            return self.reply(response, b"".join([each async for each in self.chunks(response)]))

    def reply(self, response: aiohttp.ClientResponse, content: bytes) -> HttpReply:
        """All of it is here."""
        version = response.version
        timings = HttpTimings(self._connected, self._sent, self._first_byte, self._elapsed())
        return HttpReply(
            status=response.status,
            reason=response.reason or "",
            version=f"{version.major}.{version.minor}" if version else "",
            headers=CIMultiDict(response.headers),
            body=content,
            url=str(response.url),
            timings=timings,
        )

    @contextlib.asynccontextmanager
    async def asked(
        self, headers: Headers | None, body: bytes | None, follow_redirects: bool
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, once its headers are here."""
        tracing: aiohttp.TraceConfig = aiohttp.TraceConfig()
        tracing.on_dns_resolvehost_end.append(self._note_resolved)
        tracing.on_connection_create_end.append(self._note_connected)
        tracing.on_request_headers_sent.append(self._note_sent)
        async with (
            ask_once(
                aiohttp.ClientSession(
                    connector=Connector(self._note_protocol, use_dns_cache=False),
                    timeout=aiohttp.ClientTimeout(total=None, ceil_threshold=math.inf),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers=_USER_AGENT,
                    skip_auto_headers=_CODINGS,
                    trace_configs=[tracing],
                )
            ) as session,
            session.request(
                self.method,
                self._url,
                headers=CIMultiDict(headers or {}),
                data=body,
                allow_redirects=follow_redirects,
            ) as response,
        ):
            yield response

    @property
    def started_ns(self) -> int:
        return self._start

    @property
    def connected_ns(self) -> int | None:
        """The connection was there, TLS included."""
        return self._start + self._connected if self.port is not None else None

    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body as it comes."""
        try:
            async for chunk in response.content.iter_any():
                yield chunk
        except aiohttp.ClientPayloadError as error:
            # aiohttp does not chain what ended the connection to the error of a broken body.
            lost = None if self._protocol is None else self._protocol.exception()
            if isinstance(lost, OSError):
                raise lost from error
            raise

    def note_first_byte(self) -> None:
        """The reply's headers are here."""
        self._first_byte = self._elapsed()

    def _note_protocol(self, protocol: ResponseHandler) -> None:
        self._protocol = protocol
        if protocol.transport is not None:
            self.port = protocol.transport.get_extra_info("sockname")[1]

    async def _note_resolved(self, *_: Any) -> None:
        self.resolved_ns = self._loop.network_now()

    async def _note_connected(self, *_: Any) -> None:
        self._connected = self._elapsed()

    async def _note_sent(self, *_: Any) -> None:
        self._sent = self._elapsed()

    def _elapsed(self) -> int:
        return self._loop.network_now() - self._start


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.InvalidURL):
        return "this is no URL; write for example `http://web/`"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"could not resolve host {error.host}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"certificate problem: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return f"TLS error: {error}"
    if isinstance(error, aiohttp.TooManyRedirects):
        return f"more than {len(error.history)} redirects"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"malformed reply: {' '.join(error.message.split())}"
    number = _number(error)
    if number == errno.ETIMEDOUT:
        return "connection timed out"
    if number:
        return os.strerror(number).lower()
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "empty reply"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection was closed before the end of the body"
    return " ".join(str(error).split()) or type(error).__name__


def _number(error: BaseException | None) -> int:
    """The errno of an error, or of the first of its causes that has one; 0 without."""
    while error is not None:
        for each in (error, getattr(error, "os_error", None)):
            number = getattr(each, "errno", None)
            if isinstance(number, int) and number:
                return number
        error = error.__cause__
    return 0
