"""PostgreSQL and Redis themselves, behind a slow, lossy path with a partition in the middle.

The servers are this machine's, started by the tests in a directory of their own: PostgreSQL on a
free port of loopback, Redis on a Unix socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis as blocking_redis
import redis.asyncio as redis
from lossy_path import lossy_path
from networks import check_accounts
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from netsim import Network

pytestmark = pytest.mark.xdist_group("databases")

ROWS = 40


def _bin(program: str) -> str:
    """Debian has PostgreSQL's server programs in a directory for each version."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return str(places[-1]) if places else shutil.which(program) or program


def _as_user(user: str) -> list[str]:
    """Before a command: it ends with these tests, and is not root's."""
    own = ["--reuid", user, "--regid", user, "--init-groups"] if os.getuid() == 0 else []
    return ["setpriv", *own, "--pdeathsig", "KILL", "--"]


@contextlib.contextmanager
def _running(command: list[str], ready: str) -> Iterator[None]:
    """Until the end of the block, from when it has printed `ready` on."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    try:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if ready in line:
                break
        else:
            pytest.fail("".join(["it did not start:\n", *said]))
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short, for the sockets in it, and PostgreSQL's own user may write to it."""
    made = Path(tempfile.mkdtemp(prefix="netsim-db-", dir="/tmp"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL that trusts everybody on loopback; its place."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "postgres"
    user = _as_user("postgres")
    made = [_bin("initdb"), "-D", str(data), "-U", "shop", "--auth=trust", "--no-sync"]
    subprocess.run([*user, *made], check=True, stdout=subprocess.DEVNULL, cwd="/")
    listens = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-F"]
    run = [*user, _bin("postgres"), "-D", str(data), *listens]
    with _running(run, "ready to accept connections"):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def redis_socket(folder: Path) -> Iterator[str]:
    """A Redis that keeps nothing; its place."""
    path = folder / "redis.sock"
    kept = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    run = ["setpriv", "--pdeathsig", "KILL", "--", "redis-server", "--port", "0", *kept]
    with _running([*run, "--unixsocket", str(path)], "eady to accept connections"):
        yield f"unix:{path}"


def at(folder: Path, place: str) -> Path:
    return lossy_path(folder, f"services: {{5432: {{upstream: '{place}'}}}}")


async def connected(network: Network) -> None:
    """Until a program is at it: none connects in a partition, as no way leads there."""
    async with asyncio.timeout(30):
        while not (await network.inspect_node("server"))["upstreams"][0]["active"]:
            await asyncio.sleep(0.02)


async def partitioned(network: Network) -> None:
    """While a program is at it, for half a second."""
    await connected(network)
    async with network.partition(["client"], ["server"]):
        await asyncio.sleep(0.5)


async def by_asyncpg() -> list[Any]:
    connection = await asyncpg.connect("postgresql://shop@server:5432/postgres", timeout=30)
    await connection.execute("CREATE TEMPORARY TABLE orders (id int PRIMARY KEY, note text)")
    for number in range(ROWS):
        await connection.execute("INSERT INTO orders VALUES ($1, $2)", number, f"note {number}")
    with contextlib.suppress(asyncpg.UniqueViolationError):
        async with connection.transaction():
            await connection.execute("DELETE FROM orders")
            await connection.execute("INSERT INTO orders VALUES (1), (1)")
    counted = await connection.fetchval("SELECT count(*) FROM orders")
    large = await connection.fetchval("SELECT repeat('x', 1000000)")
    copied = await connection.copy_records_to_table(
        "orders", records=[(ROWS + number, "y" * 1000) for number in range(1000)]
    )
    await connection.close()
    return [counted, len(large), copied]


def test_asyncpg(postgres: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(at(tmp_path, postgres)) as network:
            asking = asyncio.create_task(network["client"].run(by_asyncpg))
            await partitioned(network)
            assert await asking == [ROWS, 1_000_000, "COPY 1000"]
            await check_accounts(network)

    asyncio.run(main())


async def by_sqlalchemy() -> list[Any]:
    engine = create_async_engine("postgresql+asyncpg://shop@server:5432/postgres", pool_size=4)

    async def ask(number: int) -> int:
        async with engine.begin() as connection:
            answer = await connection.execute(
                text("SELECT CAST(:n AS int) * CAST(:n AS int)"), {"n": number}
            )
            return int(answer.scalar_one())

    squares = await asyncio.gather(*map(ask, range(ROWS)))
    await engine.dispose()
    return list(squares)


def test_sqlalchemy_with_a_pool(postgres: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(at(tmp_path, postgres)) as network:
            asking = asyncio.create_task(network["client"].run(by_sqlalchemy))
            await connected(network)
            async with network.isolate(["client"], ["server"]):  # others connect meanwhile
                await asyncio.sleep(0.5)
            assert await asking == [number * number for number in range(ROWS)]
            (facts,) = (await network.inspect_node("server"))["upstreams"]
            assert 1 < facts["connections"] <= 14  # the pool, and what it may overflow by
            assert facts["failures"] == 0

    asyncio.run(main())


async def by_redis() -> list[Any]:
    client = redis.Redis(host="server", port=5432)
    counted = [await client.incr("orders") for _ in range(ROWS)]
    await client.set("large", b"z" * 1_000_000)
    async with client.pipeline() as pipeline:
        for number in range(100):
            pipeline.rpush("list", number)
        lengths = await pipeline.execute()
    async with client.pubsub() as channel:
        await channel.subscribe("news")
        await client.publish("news", "hello")
        heard = await _first_message(channel)
    large = await client.get("large")
    assert large is not None
    await client.aclose()
    return [counted, lengths[-1], heard, len(large)]


async def _first_message(channel: Any) -> bytes:
    async for each in channel.listen():
        if each["type"] == "message":
            return bytes(each["data"])
    raise AssertionError("the channel has ended")


def test_redis(redis_socket: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(at(tmp_path, redis_socket)) as network:
            asking = asyncio.create_task(network["client"].run(by_redis))
            await partitioned(network)
            assert await asking == [list(range(1, ROWS + 1)), 100, b"hello", 1_000_000]

    asyncio.run(main())


def _ask_by_pg8000() -> list[Any]:
    engine = create_engine("postgresql+pg8000://shop@server:5432/postgres")
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE orders (id int PRIMARY KEY)"))
        for number in range(ROWS):
            connection.execute(text("INSERT INTO orders VALUES (:n)"), {"n": number})
        counted = connection.execute(text("SELECT count(*) FROM orders")).scalar_one()
        large = connection.execute(text("SELECT repeat('x', 1000000)")).scalar_one()
    engine.dispose()
    return [counted, len(large)]


def _ask_by_redis() -> list[Any]:
    client = blocking_redis.Redis(host="server", port=5432)
    counted = [client.incr("blocking") for _ in range(ROWS)]
    client.set("blocking-large", b"z" * 1_000_000)
    large = client.get("blocking-large")
    client.close()
    assert isinstance(large, bytes)
    return [counted[-1], len(large)]


async def by_pg8000() -> list[Any]:
    return await asyncio.to_thread(_ask_by_pg8000)


async def by_blocking_redis() -> list[Any]:
    return await asyncio.to_thread(_ask_by_redis)


@pytest.mark.parametrize(
    ("place", "program"), [("postgres", by_pg8000), ("redis_socket", by_blocking_redis)]
)
def test_blocking_drivers_in_threads(
    place: str,
    program: Callable[[], Awaitable[list[Any]]],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    file = at(tmp_path, request.getfixturevalue(place))

    async def main() -> None:
        async with Network(file) as network:
            asking = asyncio.create_task(network["client"].run(program))
            await partitioned(network)
            assert await asking == [ROWS, 1_000_000]

    asyncio.run(main())


async def hold() -> None:
    """A session that does nothing."""
    await asyncpg.connect("postgresql://shop@server:5432/idle", timeout=30)
    await asyncio.Event().wait()


async def sessions(place: str) -> int:
    """Those of the database `idle`, asked from outside of the network."""
    connection = await asyncpg.connect(f"postgresql://shop@{place}/postgres")
    try:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'idle'"
        return int(await connection.fetchval(asked))
    finally:
        await connection.close()


def test_a_crash_of_the_computer_ends_its_sessions(postgres: str, tmp_path: Path) -> None:
    async def until(number: int) -> None:
        async with asyncio.timeout(20):
            while await sessions(postgres) != number:
                await asyncio.sleep(0.05)

    async def main() -> None:
        outside = await asyncpg.connect(f"postgresql://shop@{postgres}/postgres")
        await outside.execute("CREATE DATABASE idle")
        await outside.close()
        async with Network(at(tmp_path, postgres)) as network:
            holding = asyncio.create_task(network["client"].run(hold))
            await until(1)
            await network["server"].crash()
            await until(0)
            holding.cancel()

    asyncio.run(main())
