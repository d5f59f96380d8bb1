"""aiocoap, over UDP."""

from __future__ import annotations

import asyncio

import aiocoap
import aiocoap.resource
from partners import check, text_of

KIND = "IoT"
PACKAGES = ("aiocoap",)
ROLES = "both"
PORT = 5683
UDP = True


class Echo(aiocoap.resource.Resource):
    async def render_post(self, request: aiocoap.Message) -> aiocoap.Message:
        return aiocoap.Message(payload=request.payload)


async def serve() -> None:
    site = aiocoap.resource.Site()
    site.add_resource(["echo"], Echo())
    await aiocoap.Context.create_server_context(site, bind=("0.0.0.0", PORT))
    await asyncio.Event().wait()


async def exchange(host: str, size: int) -> None:
    """A twentieth: every block of a kilobyte waits for its answer."""
    sent = text_of(max(1000, size // 20))
    client = await aiocoap.Context.create_client_context()
    request = aiocoap.Message(code=aiocoap.POST, payload=sent, uri=f"coap://{host}/echo")
    response = await client.request(request).response
    check(sent, response.payload)
    await client.shutdown()
