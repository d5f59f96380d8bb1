"""waitress, in threads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import waitress
from partners import ALL

KIND = "Servers and frameworks"
PACKAGES = ("waitress",)
ROLES = "server"
PORT = 80


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def serve() -> None:
    waitress.serve(echo, host=ALL, port=PORT, threads=8, _quiet=True)
