"""The control API over TCP: the token, Host and Origin, and clients that mean no good."""

from __future__ import annotations

import asyncio
import contextlib
import random
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from fake_network import FakeNetwork, Served

from netsim import InvalidValueError
from netsim.control import tcp_door
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient, ControlError
from netsim.control.places import RemotePlace
from netsim.control.state_directory import StateDirectory
from netsim.control.tcp_door import TcpDoor, open_door
from netsim.core.errors import NotRunningError


@pytest_asyncio.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TcpDoor]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(tcp_door, "MOST_CONNECTIONS", 8)
    served = Served(FakeNetwork(), StateDirectory.claim("campus"))
    door = open_door("127.0.0.1:0")
    await served.server.start(served.state.listen(), door)
    yield door
    await served.server.close()
    served.state.release()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds that strangers have, in which a busy machine still comes to show the token."""
    monkeypatch.setattr(tcp_door, "LONGEST_SILENCE", 1.0)
    return tcp_door.LONGEST_SILENCE


async def say(door: TcpDoor, *lines: str) -> tuple[int, str]:
    """Status and text of the answer to a raw request."""
    request = "\r\n".join(["GET /v1/network HTTP/1.1", *lines, "Connection: close", "", ""])
    data = await exchange(door, request.encode("utf-8", "surrogateescape"))
    return int(data.split()[1]), data.decode()


async def exchange(door: TcpDoor, data: bytes) -> bytes:
    """All that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection(*door.listener.getsockname()[:2])
    try:
        writer.write(data)
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def host_of(door: TcpDoor) -> str:
    return f"Host: {door.url[7:]}"


def token_of(door: TcpDoor) -> str:
    return f"Authorization: Bearer {door.token}"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "host", ["", "localhost", "localhost:1", "127.0.0.1", "[::1]:7", "10.1.2.3"]
)
async def test_with_the_token_everything_is_answered(door: TcpDoor, host: str) -> None:
    named = f"Host: {host}" if host else host_of(door)
    status, text = await say(door, named, token_of(door))
    assert status == 200
    assert '"name": "campus"' in text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Authorization: Bearer",
        "Authorization: Bearer x",
        "Authorization: Basic YTpi",
        "Authorization: {token}",
        "Authorization: Bearer {token}x",
        "Authorization: bearer {token}",
        "Authorization: Bearer \u00fc\udcff",
        "X-Token: {token}",
    ],
)
async def test_without_it_nothing_is(door: TcpDoor, authorization: str) -> None:
    lines = [authorization.format(token=door.token)] if authorization else []
    status, text = await say(door, host_of(door), *lines)
    assert status == 401
    assert "\r\nWWW-Authenticate: Bearer\r\n" in text
    assert '"code": "unauthorized"' in text
    assert "what netsim up printed" in text
    assert "campus" not in text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "lines",
    [
        ["Host: evil.example"],
        ["Host: evil.example:80"],
        ["Host: 127.0.0.1.evil.example"],
        ["Host: localhost.evil.example"],
        ["Host: 127.0.0.1:x"],
        ["Host: [::1"],
        ["Host: "],
        ["Host: 127.0.0.1", "Host: evil.example"],
        ["Host: localhost", "Origin: http://evil.example"],
        ["Host: localhost", "Origin: null"],
        ["Host: localhost", "Origin: https://localhost"],
        ["Host: localhost:1", "Origin: http://localhost:2"],
    ],
)
async def test_pages_of_others_are_refused_even_with_it(door: TcpDoor, lines: list[str]) -> None:
    data = await exchange(
        door,
        "\r\n".join(
            ["GET /v1/network HTTP/1.1", *lines, token_of(door), "Connection: close", "", ""]
        ).encode(),
    )
    status = int(data.split()[1])
    assert status in (400, 403)  # 400: two Hosts are no HTTP
    assert b"campus" not in data


@pytest.mark.asyncio
async def test_a_page_of_ours_may_ask(door: TcpDoor) -> None:
    assert (await say(door, host_of(door), f"Origin: {door.url}", token_of(door)))[0] == 200


@pytest.mark.asyncio
async def test_what_does_not_exist_is_not_told_without_the_token(door: TcpDoor) -> None:
    data = await exchange(
        door, f"GET /v1/x HTTP/1.1\r\n{host_of(door)}\r\nConnection: close\r\n\r\n".encode()
    )
    assert data.startswith(b"HTTP/1.1 401 ")


@pytest.mark.asyncio
@pytest.mark.usefixtures("patience")
async def test_garbage_does_no_harm(door: TcpDoor) -> None:
    dice = random.Random(5)
    rubbish = [
        b"\x00" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/pingall HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        *(dice.randbytes(200) + b"\r\n\r\n" for _ in range(10)),
    ]
    for data in rubbish:
        answer = await exchange(door, data)
        assert answer == b"" or answer.split()[1] in (b"400", b"401", b"403"), answer
    assert (await say(door, host_of(door), token_of(door)))[0] == 200


@pytest.mark.asyncio
@pytest.mark.usefixtures("patience")
async def test_who_shows_no_token_is_hung_up_on(door: TcpDoor) -> None:
    """A request that never ends, and one that never begins."""
    assert await exchange(door, b"GET /v1/network HT") == b""
    assert await exchange(door, b"") == b""


@pytest.mark.asyncio
@pytest.mark.usefixtures("patience")
async def test_connections_have_a_limit_and_it_does_not_last(door: TcpDoor) -> None:
    place = door.listener.getsockname()[:2]
    silent = [await asyncio.open_connection(*place) for _ in range(8)]
    assert await exchange(door, f"GET / HTTP/1.1\r\n{host_of(door)}\r\n\r\n".encode()) == b""
    for reader, writer in silent:
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()
    assert (await say(door, host_of(door), token_of(door)))[0] == 200


@pytest.mark.asyncio
async def test_a_known_client_may_take_its_time(door: TcpDoor, patience: float) -> None:
    """A stream goes on when the time to show the token is long over."""

    def interrupt_after_a_while() -> list[str]:
        client = ControlClient(RemotePlace(door.url, door.token))
        with client.exec_at_many(["alice"], None, ["wait"], cwd="/") as execution:
            threading.Event().wait(1.5 * patience)
            execution.interrupt()
            return [node for node, said in execution.by_node() if said == 0]

    assert await asyncio.to_thread(interrupt_after_a_while) == ["alice"]


@pytest.mark.asyncio
async def test_the_client_of_the_command_line(
    door: TcpDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETSIM_CONTROL", door.url)
    with pytest.raises(ControlError, match="there is no token; set NETSIM_CONTROL_TOKEN to what"):
        await asyncio.to_thread(lambda: ControlClient(find(None)).inspect())
    monkeypatch.setenv("NETSIM_CONTROL_TOKEN", "wrong")
    with pytest.raises(ControlError, match="the token is wrong"):
        await asyncio.to_thread(lambda: ControlClient(find(None)).inspect())
    monkeypatch.setenv("NETSIM_CONTROL_TOKEN", door.token)
    assert (await asyncio.to_thread(lambda: ControlClient(find("campus")).inspect()))["nodes"]
    with pytest.raises(NotRunningError, match=f"the network at {door.url} is `campus`, not `x`"):
        await asyncio.to_thread(find, "x")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:7",
        "http://127.0.0.1",
        "http://:7",
        "ftp://a:7",
        "http://a:b",
        "http://a:7/x",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InvalidValueError, match="is no address of a network; write http://HOST"):
        RemotePlace(url, "")


@pytest.mark.parametrize("token", ["two words", "a\nb: c", "schlüssel"])
def test_tokens_that_no_header_could_carry(token: str) -> None:
    with pytest.raises(InvalidValueError, match="NETSIM_CONTROL_TOKEN holds no token; set it to"):
        RemotePlace("http://127.0.0.1:7", token)


def test_nobody_there() -> None:
    with pytest.raises(NotRunningError, match=r"nobody answers at http://127\.0\.0\.1:1: "):
        ControlClient(RemotePlace("127.0.0.1:1", "x")).summary()


@pytest.mark.parametrize(
    "written", ["", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:7", "a:b:7", ":-1"]
)
def test_places_to_listen_that_are_none(written: str) -> None:
    with pytest.raises(InvalidValueError, match="is no HOST:PORT; write for example --control"):
        open_door(written)


@pytest.mark.parametrize(
    ("written", "url", "others"),
    [
        ("0", "http://127.0.0.1:", False),
        (":0", "http://127.0.0.1:", False),
        ("localhost:0", "http://localhost:", False),
        ("0.0.0.0:0", "http://0.0.0.0:", True),
    ],
)
def test_loopback_unless_somebody_says_otherwise(written: str, url: str, others: bool) -> None:
    door = open_door(written)
    with door.listener:
        assert door.url.startswith(url)
        assert door.is_open_to_others is others
        assert door.token not in repr(door)


def test_a_place_that_is_taken() -> None:
    with open_door("0").listener as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use"):
            open_door(str(port))


def test_the_token_is_kept_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    state = StateDirectory.claim("campus")
    try:
        state.keep_token("secret")
        assert state.token_path.read_text() == "secret\n"
        assert stat.S_IMODE(state.token_path.stat().st_mode) == 0o600
    finally:
        state.release()
    assert not state.token_path.exists()
