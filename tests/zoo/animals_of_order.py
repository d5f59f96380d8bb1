"""Ordinary programs that hang on an order: of sets, of what ends first, of who listens."""

from __future__ import annotations

import asyncio
import enum
import itertools
import json
import random
import sqlite3
import string
import weakref
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

Told = AsyncIterator[Any]
_ids = itertools.count(1)


class Client:
    def __init__(self, number: int) -> None:
        self.number = number


@dataclass(frozen=True)
class Key:
    name: str
    shard: int


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


async def _job(number: int) -> int:
    await asyncio.sleep(random.random() / 100)
    return number


async def strings_in_a_set() -> Told:
    for name in {f"host-{number}" for number in range(40)}:
        yield name


async def bytes_in_a_set() -> Told:
    for key in {b"key-%d" % number for number in range(40)}:
        yield key


async def objects_in_a_set() -> Told:
    for client in {Client(number) for number in range(40)}:
        yield client.number


async def objects_in_a_weak_set() -> Told:
    clients = [Client(number) for number in range(40)]
    for client in weakref.WeakSet(clients):
        yield client.number


async def shards_by_hash() -> Told:
    shards: defaultdict[int, list[str]] = defaultdict(list)
    for number in range(40):
        shards[hash(f"user-{number}") % 5].append(f"user-{number}")
    yield sorted(shards.items())


async def sorted_by_id() -> Told:
    yield [client.number for client in sorted(map(Client, range(40)), key=id)]


async def keys_of_dataclasses() -> Told:
    for key in {Key(f"name-{number}", number % 3) for number in range(30)}:
        yield key.name
    yield [colour.value for colour in set(Colour)]
    yield [kind.__name__ for kind in {int, str, Client, Key, Colour, asyncio.Task}]


async def as_completed() -> Told:
    for done in asyncio.as_completed([_job(number) for number in range(300)]):
        yield await done


async def wait_for_the_first() -> Told:
    waiting = {asyncio.create_task(_job(number)) for number in range(50)}
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        yield [task.result() for task in done]


async def names_of_tasks() -> Told:
    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(_job(number)) for number in range(20)}
    yield [(task.get_name(), task.result()) for task in tasks]


async def workers_of_a_queue() -> Told:
    queue: asyncio.Queue[str] = asyncio.Queue()
    for word in {f"work-{number}" for number in range(20)}:
        queue.put_nowait(word)
    done: list[tuple[int, str]] = []

    async def work(number: int) -> None:
        while not queue.empty():
            word = await queue.get()
            await asyncio.sleep(random.random() / 100)
            done.append((number, word))

    await asyncio.gather(*map(work, range(4)))
    for each in done:
        yield each


async def listeners_by_weak_key() -> Told:
    listeners: weakref.WeakKeyDictionary[Client, int] = weakref.WeakKeyDictionary()
    clients = [Client(next(_ids)) for _ in range(20)]
    for client in set(clients):
        listeners[client] = client.number
    yield list(listeners.values())


async def json_of_sets() -> Told:
    tags = {"tags": {f"tag-{number}" for number in range(20)}, "owners": frozenset("abcdef")}
    yield json.dumps(tags, default=list)


async def most_common_words() -> Told:
    words = {f"word-{number}" for number in range(30)}
    yield Counter(word for word in words for _ in range(3)).most_common(10)


async def a_template() -> Told:
    page = string.Template("<ul>$rows</ul>")
    yield page.substitute(rows="".join(f"<li>{each}</li>" for each in set("abcdefghij")))


async def a_database_in_memory() -> Told:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table visits (id integer primary key, name text)")
        names = {f"name-{number}" for number in range(20)}
        database.executemany("insert into visits (name) values (?)", [(each,) for each in names])
        for row in database.execute("select id, name from visits"):
            yield row
    database.close()


async def a_broadcast_over_websockets() -> Told:
    """Twelve clients of one room, which keeps its members in a WeakSet."""
    async with aiohttp.ClientSession() as session:
        members = [await session.ws_connect("http://web/room") for _ in range(12)]
        await members[0].send_str("hello")
        heard = [asyncio.create_task(_hear(number, each)) for number, each in enumerate(members)]
        for each in asyncio.as_completed(heard):
            yield await each
        for member in members:
            await member.close()


async def _hear(number: int, member: aiohttp.ClientWebSocketResponse) -> tuple[int, str]:
    return number, await member.receive_str()
