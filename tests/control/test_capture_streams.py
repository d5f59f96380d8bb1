"""Captures over the control API: pcapng as it comes, and clients that read slowly or not at all."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from fake_network import Served

from netsim.control.control_client import ControlClient
from netsim.core.errors import InvalidFilterError
from netsim.network import live_captures
from netsim.observe.captured import CapturedBatch
from netsim.observe.pcapng import Packet, PcapngReader, Statistics, read_block
from netsim.observe.tap import Direction

pytest_plugins = ("served_network",)

FRAME = bytes(12) + b"\x08\x06" + bytes(1400)


def frames(number: int, dropped: str = "") -> CapturedBatch:
    passed = (1000, 0, Direction.OUTBOUND, FRAME, dropped)
    return CapturedBatch((passed,) * number)


def blocks_of(stream: bytes) -> list[object]:
    return [read_block(block) for block in PcapngReader().blocks(stream)]


@pytest.mark.asyncio
async def test_frames_come_as_they_pass_and_losses_at_the_end(
    served: Served, http: aiohttp.ClientSession
) -> None:
    network = served.network
    async with http.post("/v1/capture", json={"at": ["alice:eth0", "web:eth0"]}) as response:
        assert response.content_type == "application/x-pcapng"
        epoch_ns = int(response.headers["Netsim-Epoch"])
        network.live_captures.captured(1, frames(1, "queue"))
        stream = await response.content.readuntil(b"dropped: queue")
        network.live_captures.captured(1, CapturedBatch((), {1: 3}))
        ending = http.delete(f"/v1/captures/{response.headers['Netsim-Capture']}")
        async with ending as ended:
            assert ended.status == 200
        stream += await response.read()
    section, *interfaces, packet, one, other = blocks_of(stream)
    assert (section, interfaces) == (None, ["alice:eth0", "web:eth0"])
    assert packet == Packet(0, epoch_ns + 1000, FRAME, Direction.OUTBOUND, "queue")
    assert isinstance(one, Statistics)
    assert isinstance(other, Statistics)
    assert (one.dropped, other.dropped) == (0, 3)
    assert network.ended_captures == [1]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"at": ["alcie"]}, 404, "unknown-name"),
        ({"at": ["alice:eth7"]}, 404, "unknown-name"),
        ({"at": []}, 400, "bad-request"),
        ({"at": [1]}, 400, "bad-request"),
        ({"at": "alice", "filter": 3}, 400, "bad-request"),
        ({"at": "alice", "count": True}, 400, "bad-request"),
        ({"at": "alice", "count": 0}, 400, "bad-request"),
        ({"at": "alice", "to": "x"}, 400, "bad-request"),
        ({"at": "alice", "filter": "tcp prot 80"}, 400, "bad-filter"),
    ],
)
async def test_what_cannot_be_captured_is_refused(
    http: aiohttp.ClientSession, body: dict[str, object], status: int, code: str
) -> None:
    async with http.post("/v1/capture", json=body) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (status, code)
    async with http.delete("/v1/captures/99") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (404, "unknown-name")


@pytest.mark.asyncio
async def test_a_client_that_knows_our_errors_can_point_at_mistakes(served: Served) -> None:
    client = ControlClient(served.state)
    with pytest.raises(InvalidFilterError, match=r"write `port`\n  tcp prot 80\n      \^\^\^\^"):
        await asyncio.to_thread(client.capture, ["alice"], "tcp prot 80", None)


@pytest.mark.asyncio
async def test_after_so_many_frames_it_ends(served: Served, http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/capture", json={"at": "alice", "count": 2}) as response:
        served.network.live_captures.captured(1, frames(5))
        stream = await response.read()
    assert sum(isinstance(block, Packet) for block in blocks_of(stream)) == 2
    assert served.network.ended_captures == [1]


@pytest.mark.asyncio
async def test_a_client_that_stops_reading_loses_frames_and_holds_up_nobody(
    served: Served, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_captures, "MOST_FRAMES", 1000)
    captures = served.network.live_captures
    async with http.post("/v1/capture", json={"at": "alice:eth0"}) as response:
        capture = served.network.capturing
        assert capture is not None
        while not capture.dropped[0]:  # until the socket is full, and then the queue
            captures.captured(1, frames(500))
            await asyncio.sleep(0)
        async with asyncio.timeout(1), http.get("/v1/network") as other:
            assert other.status == 200
        await capture.end()
        blocks = blocks_of(await response.read())
    written = sum(isinstance(block, Packet) for block in blocks)
    last = blocks[-1]
    assert isinstance(last, Statistics)
    assert written + last.dropped >= 1000
    assert last.dropped == capture.dropped[0]


@pytest.mark.asyncio
async def test_a_client_that_hangs_up_ends_it(served: Served, http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/capture", json={"at": "alice:eth0"}):
        pass
    async with asyncio.timeout(10):
        while not served.network.ended_captures:
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_the_end_of_the_network_waits_for_no_reader(
    served: Served, http: aiohttp.ClientSession
) -> None:
    captures = served.network.live_captures
    async with (
        http.post("/v1/capture", json={"at": "alice:eth0"}) as stuck,
        http.post("/v1/capture", json={"at": "alice:eth0"}) as reading,
    ):
        for _ in range(100):
            captures.captured(1, frames(500))
            await asyncio.sleep(0)
        captures.captured(2, frames(1))
        async with asyncio.timeout(5):
            closing = asyncio.create_task(served.server.close())
            blocks = blocks_of(await reading.read())
            await closing
        assert [type(block) for block in blocks[-2:]] == [Packet, Statistics]
        stuck.close()
