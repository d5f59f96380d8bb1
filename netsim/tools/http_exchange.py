"""One HTTP request and its reply, by aiohttp's client. Runs on a computer or router."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict

from netsim.core.errors import HttpFailedError
from netsim.tools.http_connector import Connector, ask_once
from netsim.tools.http_reply import HttpReply, HttpTimings
from netsim.tools.resolve import computer_loop

Headers = Mapping[str, str] | Sequence[tuple[str, str]]

_CODINGS: Final = ("Accept-Encoding",)
"""Not asked for: what aiohttp would accept depends on which libraries are installed."""
_USER_AGENT: Final = {"User-Agent": "netsim"}


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
    try:
        async with asyncio.timeout(timeout):
            return await exchange.run(headers, body, follow_redirects)
    except TimeoutError as error:
        # One of TCP's own is an OSError with a number.
        reason = _reason(error) if error.errno else f"timed out after {timeout:g} s"
        raise HttpFailedError(exchange.method, url, reason) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HttpFailedError(exchange.method, url, _reason(error)) from error


class _Exchange:
    def __init__(self, method: str, url: str) -> None:
        self.method = method
        self._url = url
        self._loop = computer_loop()
        self._start = self._loop.network_now()
        self._connected = self._sent = 0
        self._protocol: ResponseHandler | None = None

    async def run(
        self, headers: Headers | None, body: bytes | None, follow_redirects: bool
    ) -> HttpReply:
        tracing: aiohttp.TraceConfig = aiohttp.TraceConfig()
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
            first_byte = self._elapsed()
            content = await self._read(response)
            done = self._elapsed()
            version = response.version
            return HttpReply(
                status=response.status,
                reason=response.reason or "",
                version=f"{version.major}.{version.minor}" if version else "",
                headers=CIMultiDict(response.headers),
                body=content,
                url=str(response.url),
                timings=HttpTimings(self._connected, self._sent, first_byte, done),
            )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            return await response.content.read()
        except aiohttp.ClientPayloadError as error:
            # aiohttp does not chain what ended the connection to the error of a broken body.
            lost = None if self._protocol is None else self._protocol.exception()
            if isinstance(lost, OSError):
                raise lost from error
            raise

    def _note_protocol(self, protocol: ResponseHandler) -> None:
        self._protocol = protocol

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
