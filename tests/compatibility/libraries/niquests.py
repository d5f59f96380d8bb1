"""niquests' asyncio client."""

from __future__ import annotations

import niquests
from partners import check, text_of

KIND = "HTTP"
PACKAGES = ("niquests",)
ROLES = "client"
PORT = 80


async def exchange(host: str, size: int) -> None:
    async with niquests.AsyncSession() as session:
        response = await session.post(f"http://{host}/echo", data=text_of(size), timeout=30)
        check(text_of(size), response.content)
