"""The transfers of one curl: aiohttp's client on the node's loop, told in curl's words."""

from __future__ import annotations

import asyncio
import math
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from netsim.tools.context import Context, is_numeric
from netsim.tools.curl_errors import curl_error, timeout_error
from netsim.tools.curl_options import CurlError, Options, unreadable, with_scheme
from netsim.tools.curl_output import Output
from netsim.tools.curl_report import Transfer
from netsim.tools.http_connector import Connector, Resolver
from netsim.wire.address import IpAddress, format_ip

MAX_REDIRECTS: Final = 50
_CHUNK: Final = 65_536
_OWN_HEADERS: Final = (
    "User-Agent",
    "Accept",
    "Accept-Encoding",
    "Content-Type",
    "Content-Disposition",
)
"""What aiohttp would add; curl decides these itself."""


def _from(source: IpAddress | None) -> dict[str, Any]:
    """What has a connector's connections come from an address; needs aiohttp 3.12."""
    if source is None:
        return {}

    def bound(_: object) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((format_ip(source), 0))
        return sock

    return {"socket_factory": bound}


class Client:
    """One connection pool for all URLs of a command line. Close it when done."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._context = context
        self._transfer: Transfer
        self._target: URL
        tracing: aiohttp.TraceConfig = aiohttp.TraceConfig()
        tracing.on_connection_create_start.append(self._connecting)
        tracing.on_request_headers_sent.append(self._headers_sent)
        connector = Connector(
            self._connected,
            resolver=Resolver(context, self._resolved, options.resolve),
            # Each connection looks its name up, and `-v` shows it.
            use_dns_cache=False,
            ssl=not options.insecure,
            **_from(options.source),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=options.connect_timeout, ceil_threshold=math.inf
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_OWN_HEADERS,
            trace_configs=[tracing],
        )
        self._protocol: ResponseHandler | None = None

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def run(self, transfer: Transfer, output: Output) -> None:
        """Do one transfer, filling `transfer` as it goes; CurlError when it fails."""
        self._transfer = transfer
        try:
            async with asyncio.timeout(self._options.max_time):
                try:
                    await self._follow(output)
                except (aiohttp.ClientError, OSError) as error:
                    raise curl_error(error, transfer, self._elapsed_ms()) from error
                except ValueError as error:
                    raise CurlError(43, f"A bad argument was given: {error}") from error
        except TimeoutError:
            raise self._told(timeout_error(transfer, self._elapsed_ms())) from None
        except CurlError as error:
            raise self._told(error) from error.__cause__
        finally:
            transfer.ended = self._now()

    async def _follow(self, output: Output) -> None:
        """The request, and those that redirects ask for."""
        options, transfer = self._options, self._transfer
        origin = self._target = parse_url(transfer.url)
        method = options.request_method()
        with_body = options.data is not None or options.upload is not None
        while True:
            transfer.url, transfer.method = str(self._target), method
            async with self._session.request(
                method,
                self._target,
                data=self._body() if with_body else None,
                headers=self._headers(
                    with_body=with_body, with_credentials=self._target.origin() == origin.origin()
                ),
                allow_redirects=False,
            ) as response:
                self._answered(response, output)
                following = redirect_target(response, self._target)
                if following is None or not options.location:
                    transfer.redirect_url = str(following or "")
                    await self._receive(response, output)
                    return
                async for _ in response.content.iter_any():
                    pass
            if transfer.redirects == MAX_REDIRECTS:
                raise CurlError(47, f"Maximum ({MAX_REDIRECTS}) redirects followed")
            transfer.redirects += 1
            # RFC 9110 15.4: 303 asks with GET; so do browsers, and curl, after a POST.
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                with_body = False
                if options.method is None and method != "HEAD":
                    method = "GET"
            self._target = following
            self._tell(f"* Issue another request to this URL: '{following}'")

    async def _receive(self, response: aiohttp.ClientResponse, output: Output) -> None:
        options, transfer = self._options, self._transfer
        if options.fail and response.status >= 400:
            raise CurlError(22, f"The requested URL returned error: {response.status}")
        # Nothing yet, but a file is made even for an empty body.
        output.write(b"")
        decode = _decoder(response) if options.compressed else None
        try:
            async for chunk in response.content.iter_any():
                transfer.downloaded += len(chunk)
                output.write(chunk if decode is None else decode(chunk))
                await self._context.drain()
        except aiohttp.ClientPayloadError:
            # aiohttp does not chain what ended the connection to the error of a broken body.
            lost = None if self._protocol is None else self._protocol.exception()
            if isinstance(lost, OSError):
                raise lost from None
            raise
        closing = response.headers.get("Connection", "").lower() == "close"
        host = self._target.host
        self._tell(
            "* Closing connection" if closing else f"* Connection #0 to host {host} left intact"
        )

    def _headers(self, *, with_body: bool, with_credentials: bool) -> list[tuple[str, str]]:
        headers = self._options.request_headers(
            with_body=with_body, with_credentials=with_credentials
        )
        names = {name.lower() for name, _ in headers}
        if with_body and not names & {"content-length", "transfer-encoding"}:
            headers.append(("Content-Length", str(self._body_length())))
        # aiohttp cuts what has no length into chunks, and writes the header for that itself.
        return [
            (name, value)
            for name, value in headers
            if (name.lower(), value.lower()) != ("transfer-encoding", "chunked")
        ]

    def _body_length(self) -> int:
        options = self._options
        if options.upload is None:
            return len(options.data or b"")
        return _stat_size(options.upload)

    async def _body(self) -> AsyncIterator[bytes]:
        options, transfer = self._options, self._transfer
        if options.upload is None:
            data = options.data or b""
            for start in range(0, len(data), _CHUNK):
                chunk = data[start : start + _CHUNK]
                yield chunk
                transfer.uploaded += len(chunk)
            return
        with options.upload.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
                transfer.uploaded += len(chunk)

    def _answered(self, response: aiohttp.ClientResponse, output: Output) -> None:
        """The headers of an answer are here."""
        transfer = self._transfer
        transfer.answered = self._now()
        transfer.status = response.status
        transfer.reason = response.reason or ""
        version = response.version
        transfer.http_version = f"{version.major}.{version.minor}" if version else "0"
        transfer.headers = [
            (name.decode(errors="replace"), value.decode(errors="replace"))
            for name, value in response.raw_headers
        ]
        lines = [
            f"HTTP/{transfer.http_version} {transfer.status} {transfer.reason}",
            *(f"{name}: {value}" for name, value in transfer.headers),
            "",
        ]
        block = "".join(f"{line}\r\n" for line in lines).encode()
        transfer.header_bytes += len(block)
        for line in lines:
            self._tell(f"< {line}")
        if self._options.include:
            output.write(block)

    async def _headers_sent(
        self,
        session: aiohttp.ClientSession,
        _: object,
        sent: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        self._transfer.sent = self._now()
        self._tell(f"> {sent.method} {self._target.raw_path_qs} HTTP/1.1")
        for name, value in sent.headers.items():
            self._tell(f"> {name}: {value}")
        self._tell("> ")

    async def _connecting(self, *_: object) -> None:
        host = self._target.host or ""
        if is_numeric(host):
            self._tell(f"*   Trying {host}:{self._target.port}...")

    def _resolved(self, host: str, port: int, address: str) -> None:
        self._transfer.resolved = self._now()
        self._tell(f"* Host {host}:{port} was resolved.")
        self._tell(f"*   Trying {address}:{port}...")

    def _connected(self, protocol: ResponseHandler) -> None:
        """The pool has a connection for the request, perhaps one that was used before."""
        transfer, transport = self._transfer, protocol.transport
        assert transport is not None, "the pool gives no connection that is lost"
        transfer.remote = _endpoint(transport.get_extra_info("peername"))
        transfer.local = _endpoint(transport.get_extra_info("sockname"))
        transfer.connected = self._now()
        host = self._target.host
        if protocol is self._protocol:
            self._tell(f"* Re-using existing connection with host {host}")
            return
        self._protocol = protocol
        transfer.connects += 1
        self._tell(f"* Connected to {host} ({transfer.remote[0]}) port {transfer.remote[1]}")

    def _told(self, error: CurlError) -> CurlError:
        self._tell(f"* {error}")
        return error

    def _tell(self, line: str) -> None:
        if self._options.verbose:
            self._context.print_error(line)

    def _now(self) -> int:
        return self._context.loop.network_now()

    def _elapsed_ms(self) -> int:
        return (self._now() - self._transfer.started) // 1_000_000


def _decoder(response: aiohttp.ClientResponse) -> Callable[[bytes], bytes] | None:
    """For what `--compressed` has asked for; CurlError where the data are something else."""
    if response.headers.get("Content-Encoding", "").lower() not in ("gzip", "deflate"):
        return None
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, as they begin

    def decode(chunk: bytes) -> bytes:
        try:
            return decompressor.decompress(chunk)
        except zlib.error:
            raise CurlError(61, "Error while processing content unencoding") from None

    return decode


def _stat_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from None


def _endpoint(address: Any) -> tuple[str, int]:
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else ("", 0)


_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def parse_url(text: str) -> URL:
    """The URL, `http://` where no scheme is written; CurlError as curl words it."""
    text = with_scheme(text)
    scheme = text.partition("://")[0]
    if scheme.lower() not in ("http", "https"):
        raise CurlError(1, f'Protocol "{scheme}" not supported')
    try:
        url = URL(text, encoded=text.isascii() and " " not in text)
        port = url.port
    except ValueError as error:
        raise CurlError(3, f"URL rejected: {error}") from None
    if not url.host or port is None:
        raise CurlError(3, "URL rejected: No host part in the URL")
    return url


def redirect_target(response: aiohttp.ClientResponse, base: URL) -> URL | None:
    """Where a redirect leads; None when the answer is none."""
    location = response.headers.get("Location")
    if response.status not in _REDIRECTS or not location:
        return None
    return parse_url(str(base.join(URL(location, encoded=location.isascii()))))
