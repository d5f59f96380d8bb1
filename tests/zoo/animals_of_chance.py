"""Ordinary programs that ask the interpreter for chance, for the time, or who they are."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import gzip
import hashlib
import logging
import os
import platform
import random
import secrets
import socket
import ssl
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

Told = AsyncIterator[Any]
_made_at_import = uuid.uuid4()


async def identifiers() -> Told:
    yield _made_at_import
    yield uuid.uuid4(), uuid.uuid1()
    yield f"{os.getpid()}-{time.time_ns()}"


async def tokens() -> Told:
    yield secrets.token_urlsafe(), secrets.randbelow(1 << 40), secrets.choice("abcdefgh")
    salt = os.urandom(16)
    yield hashlib.scrypt(b"password", salt=salt, n=2, r=1, p=1).hex()


async def the_system_generator() -> Told:
    yield random.SystemRandom().sample(range(100), 10)
    yield random.Random().random()


async def bytes_of_openssl() -> Told:
    yield ssl.RAND_bytes(16).hex()


async def temporary_files() -> Told:
    with tempfile.NamedTemporaryFile() as file:
        yield file.name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.txt")
        path.write_text("hello")
        yield path, path.stat().st_mtime


async def the_process_number() -> Told:
    yield os.getpid(), os.getppid()


async def the_host_name() -> Told:
    yield socket.gethostname(), socket.getfqdn(), platform.node(), os.uname().nodename
    yield email.utils.make_msgid()


async def a_log_with_the_process() -> Told:
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    log = logging.getLogger("zoo")
    log.propagate = False
    handler = Kept()
    handler.setFormatter(logging.Formatter("%(asctime)s [%(process)d] %(name)s: %(message)s"))
    log.addHandler(handler)
    for number in range(5):
        log.warning("visit %d", number)
        await asyncio.sleep(random.random())
    log.removeHandler(handler)
    for line in lines:
        yield line


async def answers_of_threads() -> Told:
    def slow(number: int) -> tuple[int, float]:
        time.sleep(random.random() / 100)
        return number, time.monotonic()

    loop = asyncio.get_running_loop()
    waiting = [loop.run_in_executor(None, slow, number) for number in range(10)]
    for done in asyncio.as_completed([*waiting, asyncio.to_thread(slow, 10)]):
        yield await done


async def the_time() -> Told:
    yield datetime.datetime.now(), datetime.datetime.now(datetime.UTC), time.strftime("%X")
    await asyncio.sleep(random.random())
    yield time.perf_counter(), time.monotonic_ns(), time.ctime()
    yield gzip.compress(b"hello").hex()


async def retries_with_jitter() -> Told:
    for attempt in range(6):
        await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
        yield attempt, time.monotonic()


async def a_served_file() -> Told:
    async with aiohttp.ClientSession() as session:
        for name in ("written", "found"):
            async with session.get(f"http://web/{name}") as response:
                yield response.headers["ETag"], response.headers["Last-Modified"]


async def a_form_with_a_file() -> Told:
    form = aiohttp.FormData()
    form.add_field("upload", b"x" * 1000, filename="data.bin")
    async with aiohttp.ClientSession() as session, session.post("http://web/", data=form) as answer:
        yield await answer.text()


async def many_requests_with_cookies() -> Told:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:

        async def ask(number: int) -> tuple[int, str]:
            async with session.post("http://web/", data=f"{number}") as answer:
                return number, await answer.text()

        for done in asyncio.as_completed(map(ask, range(20))):
            yield await done
        yield sorted(cookie.value for cookie in session.cookie_jar)
