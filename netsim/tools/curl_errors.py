"""What went wrong inside aiohttp, as curl numbers and words it."""

from __future__ import annotations

import errno
import os
import ssl

import aiohttp

from netsim.tools.curl_options import CurlError
from netsim.tools.curl_report import Transfer


def curl_error(
    error: aiohttp.ClientError | OSError, transfer: Transfer, elapsed_ms: int
) -> CurlError:
    """The CurlError for what a request or the reading of its answer raised."""
    if isinstance(error, aiohttp.InvalidURL):
        return CurlError(3, "URL rejected: Malformed input to a URL function")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return CurlError(6, f"Could not resolve host: {error.host}")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return CurlError(60, f"SSL certificate problem: {_certificate_problem(error)}")
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return CurlError(35, f"TLS connect error: {_tls_problem(error)}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _connect_error(error, elapsed_ms)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return CurlError(28, f"Connection timed out after {elapsed_ms} milliseconds")
    if isinstance(error, aiohttp.ClientPayloadError):
        return _broken_body(transfer)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return CurlError(52, "Empty reply from server")
    if isinstance(error, aiohttp.ClientResponseError):
        return CurlError(8, f"Weird server reply: {error.message}")
    number = _number(error)
    if number == errno.EPIPE:
        return CurlError(55, f"Send failure: {os.strerror(number)}")
    return CurlError(56, f"Recv failure: {os.strerror(number or errno.ECONNRESET)}")


def timeout_error(transfer: Transfer, elapsed_ms: int) -> CurlError:
    """`-m` ran out."""
    expected = transfer.header("content-length")
    if transfer.status and expected:
        got = f"{transfer.downloaded} out of {expected} bytes received"
    else:
        got = f"{transfer.downloaded} bytes received"
    return CurlError(28, f"Operation timed out after {elapsed_ms} milliseconds with {got}")


def _connect_error(error: aiohttp.ClientConnectorError, elapsed_ms: int) -> CurlError:
    number = _number(error)
    reason = os.strerror(number) if number else "Couldn't connect to server"
    where = f"{error.host} port {error.port} after {elapsed_ms} ms"
    # curl counts the kernel's own time-out as a time-out, not as a failure to connect.
    code = 28 if number == errno.ETIMEDOUT else 7
    return CurlError(code, f"Failed to connect to {where}: {reason}")


def _broken_body(transfer: Transfer) -> CurlError:
    expected = transfer.header("content-length")
    if expected.isdecimal():
        missing = int(expected) - transfer.downloaded
        return CurlError(18, f"transfer closed with {missing} bytes remaining to read")
    return CurlError(18, "transfer closed with outstanding read data remaining")


def _tls_problem(error: aiohttp.ClientSSLError | ssl.SSLError) -> str:
    reason = getattr(getattr(error, "os_error", error), "reason", None)
    if reason == "WRONG_VERSION_NUMBER":
        return "wrong version number: plain HTTP answers there; write http://"
    return str(reason or error).replace("_", " ").lower() if reason else str(error)


def _certificate_problem(error: aiohttp.ClientConnectorCertificateError) -> str:
    inner = error.certificate_error
    return str(getattr(inner, "verify_message", "") or inner)


def _number(error: BaseException) -> int:
    """The errno; 0 when there is none."""
    inner = getattr(error, "os_error", error)
    return getattr(inner, "errno", None) or 0
