"""paramiko, in threads."""

from __future__ import annotations

import paramiko
from partners import check, text_of

from libraries.asyncssh import serve as serve

KIND = "SSH"
PACKAGES = ("paramiko",)
ROLES = "client"
PORT = 22


def exchange(host: str, size: int) -> None:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(
        host, PORT, "me", password="", look_for_keys=False, allow_agent=False, timeout=30
    )
    to, back, _ = client.exec_command("cat", timeout=30)
    to.write(text_of(size))
    to.channel.shutdown_write()
    check(text_of(size), back.read())
    client.close()
