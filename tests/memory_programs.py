"""A program that tells the network every order that hangs on hashes and addresses."""

from __future__ import annotations

PROGRAMS = """\
import asyncio, random, uuid, weakref

class Client:
    def __init__(self, number):
        self.number = number

MADE = uuid.uuid4()

async def tell():
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("web", 9)
    )
    for told in [told async for told in everything()]:
        transport.sendto(str(told).encode())
        await asyncio.sleep(0.001)

async def everything():
    for client in {Client(number) for number in range(60)}:
        yield client.number
    clients = [Client(number) for number in range(60)]
    for client in weakref.WeakSet(clients):
        yield client.number
    for name in {f"host-{number}" for number in range(60)}:
        yield name
    for key in {b"%d" % number for number in range(60)}:
        yield key
    for done in asyncio.as_completed([job(number) for number in range(300)]):
        yield await done
    yield MADE
    yield hash("key") % 1000

async def job(number):
    await asyncio.sleep(random.random() / 100)
    return number
"""
