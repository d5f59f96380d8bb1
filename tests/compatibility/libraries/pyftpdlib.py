"""pyftpdlib, a server of select in a thread."""

from __future__ import annotations

import tempfile

from partners import ALL
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

from libraries.aioftp import exchange as exchange

KIND = "Files"
PACKAGES = ("pyftpdlib",)
ROLES = "server"
PORT = 21


class Handler(FTPHandler):  # type: ignore[misc]
    authorizer = DummyAuthorizer()


def serve() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Handler.authorizer.add_anonymous(folder, perm="elradfmwMT")
        FTPServer((ALL, PORT), Handler).serve_forever(handle_exit=False)
