"""httpx."""

from __future__ import annotations

import httpx
from partners import check, text_of

KIND = "HTTP"
PACKAGES = ("httpx",)
ROLES = "client"
PORT = 80


async def exchange(host: str, size: int) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        response = await client.post(f"http://{host}/echo", content=text_of(size))
        check(text_of(size), response.content)
