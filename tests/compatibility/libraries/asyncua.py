"""asyncua (OPC UA)."""

from __future__ import annotations

import asyncio

import asyncua
from partners import ALL, check, text_of

KIND = "IoT"
PACKAGES = ("asyncua",)
ROLES = "both"
PORT = 4840


async def serve() -> None:
    server = asyncua.Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://{ALL}:{PORT}/")
    variable = await server.nodes.objects.add_variable("ns=2;s=kept", "kept", b"")
    await variable.set_writable()
    async with server:
        await asyncio.Event().wait()


async def exchange(host: str, size: int) -> None:
    url = f"opc.tcp://{host}:{PORT}/"  # what is asked each second waits behind the megabyte
    async with asyncua.Client(url, timeout=30, watchdog_intervall=30) as client:
        node = client.get_node("ns=2;s=kept")
        await node.write_value(text_of(size))
        received = await node.read_value()
        check(text_of(len(received)), received)
