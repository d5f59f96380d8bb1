"""requests, in a thread."""

from __future__ import annotations

import requests
from partners import check, text_of

KIND = "HTTP"
PACKAGES = ("requests",)
ROLES = "client"
PORT = 80


def exchange(host: str, size: int) -> None:
    response = requests.post(f"http://{host}/echo", data=text_of(size), timeout=30)
    check(text_of(size), response.content)
