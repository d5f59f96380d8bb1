"""tornado."""

from __future__ import annotations

import asyncio

from partners import check, text_of
from tornado.httpclient import AsyncHTTPClient
from tornado.web import Application, RequestHandler

KIND = "HTTP"
PACKAGES = ("tornado",)
ROLES = "both"
PORT = 80


class Echo(RequestHandler):
    def post(self) -> None:
        self.write(self.request.body)


async def serve() -> None:
    Application([("/echo", Echo)]).listen(PORT, "0.0.0.0")
    await asyncio.Event().wait()


async def exchange(host: str, size: int) -> None:
    client = AsyncHTTPClient(force_instance=True)
    url = f"http://{host}/echo"
    response = await client.fetch(url, method="POST", body=text_of(size), request_timeout=30)
    check(text_of(size), response.body)
    client.close()
