"""urllib3, in a thread."""

from __future__ import annotations

import urllib3
from partners import check, text_of

KIND = "HTTP"
PACKAGES = ("urllib3",)
ROLES = "client"
PORT = 80


def exchange(host: str, size: int) -> None:
    with urllib3.PoolManager() as pool:
        url = f"http://{host}/echo"
        response = pool.request("POST", url, body=text_of(size), timeout=30, retries=False)
        check(text_of(size), response.data)
