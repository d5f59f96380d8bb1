"""tftpy, over UDP, in threads, without options: an OACK that comes twice is an error to it."""

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
        tftpy.TftpServer(folder).listen(ALL, PORT, timeout=1)


def exchange(host: str, size: int) -> None:
    """A twentieth: every block waits for its answer.

    Without options: where the answer to an OACK is lost, tftpy takes the OACK that comes again for
    an error (0.8.7, also on the kernel's loopback where that one packet is dropped).
    """
    sent = text_of(max(1000, size // 20))
    client = tftpy.TftpClient(host, PORT)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, uuid.uuid4().hex)
        file.write_bytes(sent)
        client.upload(file.name, str(file), timeout=1)
        client.download(file.name, str(file), timeout=1)
        check(sent, file.read_bytes())
