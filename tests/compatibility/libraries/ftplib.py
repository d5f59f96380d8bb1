"""ftplib of the standard library, in a thread."""

from __future__ import annotations

import ftplib
import io
import uuid

from partners import check, text_of

from libraries.aioftp import serve as serve

KIND = "Files"
PACKAGES = ()
ROLES = "client"
PORT = 21


def exchange(host: str, size: int) -> None:
    name = uuid.uuid4().hex
    received: list[bytes] = []
    with ftplib.FTP(host, "anonymous", timeout=30) as client:
        client.storbinary(f"STOR {name}", io.BytesIO(text_of(size)))
        client.retrbinary(f"RETR {name}", received.append)
    check(text_of(size), b"".join(received))
