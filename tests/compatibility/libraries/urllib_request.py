"""urllib.request of the standard library, in a thread."""

from __future__ import annotations

import urllib.request

from partners import check, text_of

KIND = "HTTP"
PACKAGES = ()
ROLES = "client"
PORT = 80


def exchange(host: str, size: int) -> None:
    request = urllib.request.Request(f"http://{host}/echo", text_of(size))
    with urllib.request.urlopen(request, timeout=30) as response:
        check(text_of(size), response.read())
