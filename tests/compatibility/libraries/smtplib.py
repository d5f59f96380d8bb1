"""smtplib of the standard library, in a thread."""

from __future__ import annotations

import smtplib

from libraries.aiosmtp import mail
from libraries.aiosmtp import serve as serve

KIND = "Mail"
PACKAGES = ()
ROLES = "client"
PORT = 25


def exchange(host: str, size: int) -> None:
    with smtplib.SMTP(host, PORT, timeout=30) as client:
        client.ehlo()
        client.mail("a@client")
        client.rcpt("b@server")
        code, said = client.data(mail(size))
        assert said == f"{size // 18} lines".encode(), (code, said)
