"""tftpy, over UDP, in threads."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import tftpy
from partners import ALL, check, text_of

KIND = "Files"
PACKAGES = ("tftpy",)
ROLES = "both"
PORT = 69
UDP = True


def serve() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tftpy.TftpServer(folder).listen(ALL, PORT)


def exchange(host: str, size: int) -> None:
    """A twentieth: every block waits for its answer."""
    sent = text_of(max(1000, size // 20))
    client = tftpy.TftpClient(host, PORT, {"blksize": 1400})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, uuid.uuid4().hex)
        file.write_bytes(sent)
        client.upload(file.name, str(file))
        client.download(file.name, str(file))
        check(sent, file.read_bytes())
