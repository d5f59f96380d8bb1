"""Whatever a client sends to the control API, the mistake is its own: 400 or 413, never 500."""

from __future__ import annotations

import errno
import io
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from fake_network import FakeNetwork, Served

from netsim.control.control_client import ControlClient, ControlError
from netsim.control.state_directory import StateDirectory

JSON = "application/json"
LINK = ("PATCH", "/v1/links/alice:eth0/web")
DIGITS = b"9" * 400
MANY_DIGITS = b"9" * 5_000
"""More than Python makes a number of."""


@pytest_asyncio.fixture
async def http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[aiohttp.ClientSession]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    served = Served(FakeNetwork(), StateDirectory.claim("campus"))
    await served.server.start(served.state.listen())
    connector = aiohttp.UnixConnector(str(served.state.path / "control.sock"))
    async with aiohttp.ClientSession("http://netsim", connector=connector) as session:
        yield session
    served.network.released.set()
    await served.server.close()
    served.state.release()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "kind", "body"),
    [
        ("POST", "/v1/pingall", JSON, b"[" * 200_000),
        ("POST", "/v1/pingall", JSON, b'{"a":' * 100_000),
        ("POST", "/v1/pingall", JSON, b'{"timeout": ' + DIGITS + b"}"),
        ("POST", "/v1/pingall", JSON, b'{"timeout": ' + MANY_DIGITS + b"}"),
        ("POST", "/v1/pingall", JSON, b'{"timeout": 1e400}'),
        ("POST", "/v1/pingall", JSON, b'{"timeout": 1e300}'),
        ("POST", "/v1/pingall", JSON, b'{"timeout": NaN}'),
        ("POST", "/v1/pingall", JSON + "; charset=nonsense", b"{}"),
        ("POST", "/v1/pingall", JSON + "; charset=zlib", b"{}"),
        ("POST", "/v1/pingall", JSON + "; charset=utf-16", b"{}"),
        ("POST", "/v1/pingall", JSON, b"\xff\xfe"),
        ("POST", "/v1/pingall", JSON, b'"' + b"x" * (2 << 20) + b'"'),
        ("POST", "/v1/nodes/alice/exec", JSON, b'{"argv": ["\\ud800"], "cwd": 1}'),
        (*LINK, JSON, b'{"set": {"loss": ' + DIGITS + b"}}"),
        (*LINK, JSON, b'{"set": {"queue": ' + DIGITS + b"}}"),
        (*LINK, JSON, b'{"set": {"mtu": ' + DIGITS + b"}}"),
        (*LINK, JSON, b'{"set": {"delay": "' + DIGITS + b'h"}}'),
        (*LINK, JSON, b'{"set": {"bandwidth": "1e400bit"}}'),
        (*LINK, JSON, b'{"set": {"delay": ' + MANY_DIGITS + b"}}"),
        (*LINK, JSON, b'{"flap": {"period": "' + DIGITS + b's"}}'),
        (*LINK, JSON, b'{"flap": {"period": "2s", "times": ' + MANY_DIGITS + b"}}"),
        (*LINK, JSON, b'{"set": ' + b'{"delay": ' * 50_000),
        ("GET", "/v1/logs?last=" + "9" * 400, JSON, b""),
        ("GET", "/v1/logs?last=\u0663", JSON, b""),
    ],
)
async def test_it_is_told_to_the_client(
    http: aiohttp.ClientSession, method: str, path: str, kind: str, body: bytes
) -> None:
    headers = {"Content-Type": kind}
    async with http.request(
        method, path, data=io.BytesIO(body) if body else None, headers=headers
    ) as response:
        document = await response.json()
    assert response.status in (400, 413), document
    assert document["error"]["code"] == "bad-request"
    assert document["error"]["message"]


@pytest.mark.asyncio
async def test_a_body_that_is_not_compressed_as_it_says(http: aiohttp.ClientSession) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": JSON}
    async with http.post("/v1/pingall", data=io.BytesIO(b"{}"), headers=headers) as response:
        assert response.status == 400
        assert "no JSON object" in (await response.json())["error"]["message"]


def test_a_full_queue_of_connections_is_a_network_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("netsim.control.control_client.ANSWER_TIMEOUT", 0.2)
    state = StateDirectory.claim("campus")
    listener = state.listen()
    listener.listen(0)
    waiting: list[socket.socket] = []
    try:
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            if client.connect_ex(str(state.path / "control.sock")) == errno.EAGAIN:
                break
        with pytest.raises(ControlError, match="campus does not answer; netsim down campus ends"):
            ControlClient(state).inspect()
    finally:
        for client in (*waiting, listener):
            client.close()
        state.release()
