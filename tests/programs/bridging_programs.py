"""Programs that hand work between loops, threads and another library's scheduler."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import trio
from asgiref.sync import async_to_sync, sync_to_async

Told = list[Any]
SIZE = 50_000
ORDERS = """
from contextlib import asynccontextmanager

import aiosqlite
from fastapi import FastAPI, UploadFile
from fastapi.responses import FileResponse

@asynccontextmanager
async def life(app):
    async with aiosqlite.connect("orders.db") as app.state.database:
        await app.state.database.execute("CREATE TABLE orders (item TEXT)")
        yield

app = FastAPI(lifespan=life)

@app.post("/orders/{item}")
async def order(item: str):
    await app.state.database.execute("INSERT INTO orders VALUES (?)", [item])
    await app.state.database.commit()

@app.get("/orders")
async def orders():
    rows = await app.state.database.execute_fetchall("SELECT item FROM orders ORDER BY item")
    return [item for item, in rows]

@app.post("/upload")
def upload(file: UploadFile):
    return len(file.file.read())

@app.get("/file")
async def file():
    return FileResponse(__file__)
"""


async def echo() -> None:
    """On the server."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    await asyncio.start_server(answer, port=7)


async def _echoed() -> int:
    """How much came back."""
    reader, writer = await asyncio.open_connection("server", 7)
    writer.write(bytes(SIZE))
    writer.write_eof()
    data = await reader.read()
    writer.close()
    return len(data)


async def keep_orders() -> Told:
    """aiosqlite, and what anyio's workers do of FastAPI's."""
    async with httpx.AsyncClient(base_url="http://server", timeout=60) as client:
        items = [f"item {number}" for number in range(8)]
        await asyncio.gather(*(client.post(f"/orders/{item}") for item in items))
        sent = await client.post("/upload", files={"file": ("x", bytes(SIZE))})
        text = (await client.get("/file")).text
        return [(await client.get("/orders")).json() == items, sent.json(), text == ORDERS]


async def cross_with_asgiref() -> Told:
    """From a coroutine to a thread, from there to the loop, and to a loop of the thread's own."""

    def work(number: int) -> tuple[bool, int]:
        time.sleep(number / 10)
        return threading.current_thread() is not threading.main_thread(), async_to_sync(_echoed)()

    there = sync_to_async(work, thread_sensitive=False)
    return [
        await asyncio.gather(*(there(number) for number in range(3))),
        await asyncio.to_thread(async_to_sync(_echoed)),
        await sync_to_async(work)(1),
    ]


async def ask_from_an_executor() -> Told:
    """`run_coroutine_threadsafe(…).result()`, several at once."""
    loop = asyncio.get_running_loop()

    def ask(number: int) -> int:
        time.sleep(number / 100)
        return asyncio.run_coroutine_threadsafe(_echoed(), loop).result()

    with ThreadPoolExecutor(2) as pool:
        return await asyncio.gather(*(loop.run_in_executor(pool, ask, n) for n in range(4)))


async def hand_over() -> Told:
    """Two threads and a queue between them."""
    goods, told = queue.Queue[int | None](1), list[int | None]()

    def make() -> None:
        for number in range(5):
            time.sleep(0.01)
            goods.put(number)
        goods.put(None)

    def take() -> None:
        while (number := goods.get()) is not None:
            told.append(number)

    await asyncio.gather(asyncio.to_thread(make), asyncio.to_thread(take))
    return told


async def have_a_guest() -> Told:
    """trio on the computer's loop: timers, channels, threads, cancellation, and its own sockets."""

    async def produce(channel: trio.MemorySendChannel[int]) -> None:
        async with channel:
            for number in range(3):
                await trio.sleep(0.1)
                await channel.send(number)

    async def main() -> Told:
        told: Told = []
        async with trio.open_nursery() as nursery:
            sending, receiving = trio.open_memory_channel[int](0)
            nursery.start_soon(produce, sending)
            told.append([number async for number in receiving])
        told.append(await trio.to_thread.run_sync(lambda: threading.active_count() > 1))
        with trio.move_on_after(0.2) as scope:
            await trio.sleep_forever()
        told.append(scope.cancelled_caught)
        stream = await trio.open_tcp_stream("server", 7)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, bytes(SIZE))
            came = 0
            while came < SIZE:
                came += len(await stream.receive_some())
        told.append(came)
        return told

    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    trio.lowlevel.start_guest_run(
        main,
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        done_callback=done.set_result,
        host_uses_signal_set_wakeup_fd=True,
    )
    told: Told = (await done).unwrap()
    return told


PROGRAMS: dict[Callable[[], Awaitable[Told]], Told] = {
    keep_orders: [True, SIZE, True],
    cross_with_asgiref: [[(True, SIZE)] * 3, SIZE, (True, SIZE)],
    ask_from_an_executor: [SIZE] * 4,
    hand_over: [*range(5)],
    have_a_guest: [[0, 1, 2], True, True, SIZE],
}
"""And what each of them has to tell."""
