"""httpx's blocking client, in a thread."""

from __future__ import annotations

import httpx
from partners import check, text_of

KIND = "HTTP"
PACKAGES = ("httpx",)
ROLES = "client"
PORT = 80


def exchange(host: str, size: int) -> None:
    response = httpx.post(f"http://{host}/echo", content=text_of(size), timeout=30)
    check(text_of(size), response.content)
