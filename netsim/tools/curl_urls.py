"""URLs as curl reads them."""

from __future__ import annotations

from typing import Final

import aiohttp
from yarl import URL

from netsim.tools.curl_options import CurlError, with_scheme

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
