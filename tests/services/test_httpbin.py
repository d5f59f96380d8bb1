"""httpbin over loopback, asked by aiohttp's client."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import FormData, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from netsim.services.httpbin import CHUNK, create_app
from netsim.services.httpbin_page import front_page

pytestmark = pytest.mark.asyncio

Client = TestClient[web.Request, web.Application]


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(**options))) as client:
        yield client


async def test_ip_is_the_address_of_the_client() -> None:
    async with serving() as client:
        answer = await client.get("/ip")
        assert answer.content_type == "application/json"
        assert await answer.json() == {"origin": "127.0.0.1"}


async def test_page_says_plainly_that_it_is_outside_netsim() -> None:
    async with serving() as client:
        answer = await client.get("/")
        assert answer.content_type == "text/html"
        text = await answer.text()
        assert "does not run inside netsim" in text
        assert "127.0.0.1" in text


class Transport(asyncio.Transport):
    """Inside netsim a transport knows the path."""

    def __init__(self, path: list[str] | None) -> None:
        super().__init__({"peername": ("10.0.1.2", 40000), "netsim.path": path})


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /bytes/50000000 HTTP/1.1\r\nHost: web\r\n\r\n",
        b"PUT /upload HTTP/1.1\r\nHost: web\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    ],
    ids=["download", "upload"],
)
async def test_a_client_that_goes_away_in_the_middle_is_no_news(
    request_head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    # As services run in netsim; the test server would cancel the handler instead.
    runner = web.AppRunner(create_app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(request_head)
    await reader.read(1)
    writer.transport.abort()
    server = runner.server
    assert server is not None
    async with asyncio.timeout(10):
        while server.connections:
            await asyncio.sleep(0)
    await runner.cleanup()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def page_asked_over(transport: asyncio.Transport) -> str:
    return front_page(make_mocked_request("GET", "/", transport=transport))


async def test_page_shows_who_asked_and_every_node_on_the_way() -> None:
    text = page_asked_over(Transport(["alice", "s1", "r<1>", "web"]))
    assert "<strong>alice</strong>" in text
    assert "10.0.1.2" in text
    items = [text.index(f"<li>{name}</li>") for name in ("alice", "s1", "r&lt;1&gt;", "web")]
    assert items == sorted(items)
    assert "does not run inside" not in text


async def test_page_without_a_path_does_not_claim_to_be_outside() -> None:
    text = page_asked_over(Transport(None))
    assert "no path" in text
    assert "does not run inside" not in text


async def test_headers_and_arguments_are_echoed() -> None:
    async with serving() as client:
        answer = await client.get("/headers", headers={"X-Colour": "blue"})
        assert (await answer.json())["headers"]["X-Colour"] == "blue"
        document = await (await client.get("/get?a=1&b=2&b=3&b=4&c=")).json()
        assert document["args"] == {"a": "1", "b": ["2", "3", "4"], "c": ""}
        assert document["origin"] == "127.0.0.1"
        assert document["url"].endswith("/get?a=1&b=2&b=3&b=4&c=")
        assert "form" not in document


@pytest.mark.parametrize("method", ["post", "put", "delete"])
async def test_bodies_are_echoed(method: str) -> None:
    async with serving() as client:
        ask = getattr(client, method)
        document = await (await ask(f"/{method}?q=1", json={"a": [1]})).json()
        assert document["args"] == {"q": "1"}
        assert document["json"] == {"a": [1]}
        assert json.loads(document["data"]) == {"a": [1]}
        document = await (await ask(f"/{method}", data={"k": "v"})).json()
        assert document["form"] == {"k": "v"}
        assert (document["data"], document["files"], document["json"]) == ("", {}, None)
        document = await (await ask(f"/{method}", data=b"\xff\x00")).json()
        assert document["data"] == "data:application/octet-stream;base64,/wA="
        document = await (await ask(f"/{method}")).json()
        assert (document["data"], document["json"]) == ("", None)


async def test_files_of_a_form_are_echoed() -> None:
    form = FormData()
    form.add_field("plain", "text")
    form.add_field("file", b"content", filename="a.txt", content_type="text/plain")
    form.add_field("file", b"\xff", filename="b.bin", content_type="application/x-b")
    async with serving() as client:
        document = await (await client.post("/post", data=form)).json()
    assert document["form"] == {"plain": "text"}
    assert document["files"] == {"file": ["content", "data:application/x-b;base64,/w=="]}


async def test_a_form_that_is_none_is_a_bad_request() -> None:
    async with serving() as client:
        for content_type in (
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded; charset=klingon",
        ):
            answer = await client.post("/post", data=b"a=1", headers={"Content-Type": content_type})
            assert answer.status == 400, content_type
            assert await answer.text()


async def test_too_large_a_body_is_refused_except_by_upload() -> None:
    async with serving(max_body=1000) as client:
        assert (await client.post("/post", data=bytes(1001))).status == 413
        assert (await client.post("/upload", data=bytes(1001))).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
@pytest.mark.parametrize("status", [200, 204, 302, 304, 401, 404, 418, 503, 599])
async def test_status_is_what_was_asked_for(method: str, status: int) -> None:
    async with serving() as client:
        answer = await client.request(method, f"/status/{status}", allow_redirects=False)
        assert answer.status == status
        assert ("Location" in answer.headers) == (status == 302)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    "path",
    [
        "/status/abc",
        "/status/199",
        "/status/600",
        "/delay/soon",
        "/delay/-1",
        "/delay/nan",
        "/delay/inf",
        "/bytes/-1",
        "/bytes/x",
        "/bytes/1e3",
        "/bytes/²",
        "/bytes/9999999999999999999",
        "/stream/many",
        "/drip?numbytes=x",
        "/drip?duration=x",
        "/drip?delay=x",
        "/drip?code=x",
        "/ws",
    ],
)
async def test_bad_input_is_answered_with_what_to_write(path: str) -> None:
    async with serving() as client:
        answer = await client.get(path)
        assert answer.status == 400
        assert len((await answer.text()).strip()) > 10


async def test_delay_waits_before_it_answers() -> None:
    async with serving() as client:
        started = asyncio.get_running_loop().time()
        answer = await client.post("/delay/0.05", data={"a": "b"})
        assert asyncio.get_running_loop().time() - started >= 0.05
        assert (await answer.json())["form"] == {"a": "b"}


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK + 7])
async def test_bytes_are_counted_and_repeat_with_a_seed(count: int) -> None:
    async with serving() as client:
        first = await client.get(f"/bytes/{count}?seed=x")
        assert first.headers["Content-Length"] == str(count)
        body = await first.read()
        assert len(body) == count
        assert await (await client.get(f"/bytes/{count}?seed=x")).read() == body
        longer = await (await client.get(f"/bytes/{count + 10}?seed=x")).read()
        assert longer.startswith(body)


async def test_bytes_without_a_seed_differ() -> None:
    async with serving() as client:
        bodies = {await (await client.get("/bytes/32")).read() for _ in range(3)}
        assert len(bodies) == 3


async def test_stream_is_a_line_for_each() -> None:
    async with serving() as client:
        answer = await client.get("/stream/4?x=y")
        assert answer.headers["Transfer-Encoding"] == "chunked"
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert [line["id"] for line in lines] == [0, 1, 2, 3]
        assert all(line["args"] == {"x": "y"} for line in lines)


async def test_drip_trickles() -> None:
    async with serving() as client:
        answer = await client.get("/drip?numbytes=4&duration=0.2&code=203")
        assert (answer.status, answer.headers["Content-Length"]) == (203, "4")
        assert await answer.content.readany() == b"*"
        assert await answer.read() == b"***"
        assert await (await client.get("/drip?numbytes=0")).read() == b""


@pytest.mark.parametrize("path", ["/", "/ip", "/bytes/100000", "/stream/3", "/drip", "/get"])
async def test_head_has_no_body_and_leaves_the_connection_usable(path: str) -> None:
    async with serving() as client:
        answer = await client.head(path)
        assert answer.status == 200
        assert await answer.read() == b""
        assert (await client.get("/ip")).status == 200


async def test_websocket_echoes_text_and_bytes_and_is_closed_on_shutdown() -> None:
    async with serving() as client:
        socket = await client.ws_connect("/ws", max_msg_size=0)
        await socket.send_str("grüße")
        assert await socket.receive_str() == "grüße"
        await socket.send_bytes(bytes(5_000_000))
        assert await socket.receive_bytes() == bytes(5_000_000)
        assert client.app is not None
        closing = asyncio.create_task(client.app.shutdown())
        message = await socket.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        await closing


@pytest.mark.parametrize("method", ["put", "post"])
async def test_upload_answers_size_and_digest(method: str) -> None:
    body = bytes(range(256)) * 8192
    digest = hashlib.sha256(body).hexdigest()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    async with serving() as client:
        ask = getattr(client, method)
        for data in (io.BytesIO(body), chunks()):
            answer = await (await ask("/upload", data=data)).json()
            assert answer == {"size": len(body), "sha256": digest}
