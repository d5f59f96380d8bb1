"""aiosmtplib and aiosmtpd."""

from __future__ import annotations

import asyncio
from typing import Any

import aiosmtplib
from aiosmtpd.smtp import SMTP
from partners import ALL

KIND = "Mail"
PACKAGES = ("aiosmtplib", "aiosmtpd")
ROLES = "both"
PORT = 25


class Mailbox:
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        return f"250 {envelope.content.count(b'0123456789abcdef')} lines"


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Mailbox(), loop=loop, data_size_limit=1 << 24), ALL, PORT
    )
    await server.serve_forever()


def mail(size: int) -> bytes:
    return b"Subject: lines\r\n\r\n" + b"0123456789abcdef\r\n" * (size // 18)


async def exchange(host: str, size: int) -> None:
    async with aiosmtplib.SMTP(hostname=host, port=PORT, timeout=30) as client:
        _, said = await client.sendmail("a@client", ["b@server"], mail(size))
        assert said == f"{size // 18} lines", said
