"""Traces over the control API, of a network that is only told of."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from fake_network import Served

from netsim import UnknownNameError
from netsim.control.control_client import ControlClient, ControlError, RefusedError

pytest_plugins = ("served_network",)


async def trace(served: Served, url: str, **given: Any) -> dict[str, Any]:
    words: dict[str, Any] = {"timeout": 5, "width": 80, "is_unicode": True} | given
    node = words.pop("node", "alice")
    return await asyncio.to_thread(ControlClient(served.state).trace, node, url, **words)


@pytest.mark.asyncio
async def test_a_trace_comes_as_facts_text_and_picture(served: Served) -> None:
    found = await trace(served, "http://web/")
    assert (found["status"], found["elapsed_ns"], found["failure"]) == (200, 10**9, None)
    assert found["spent"] == {
        "server": {
            "propagation_ns": 0,
            "serialisation_ns": 0,
            "queueing_ns": 0,
            "waiting_ns": 0,
            "hosts_ns": 10**9,
        }
    }
    assert found["text"].startswith("GET http://web/ from alice: 200 OK, 5 bytes, 1000.000 ms\n")
    assert found["svg"].startswith("<svg ")
    assert (await trace(served, "http://web:81/"))["failure"] == "connection refused"
    assert (await trace(served, "http://web/", is_unicode=False))["text"].isascii()


@pytest.mark.asyncio
async def test_nothing_is_drawn_where_nobody_asks(http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/trace", json={"node": "alice", "url": "http://web/"}) as response:
        document = await response.json()
    assert response.status == 200
    assert {"text", "svg"}.isdisjoint(document)


@pytest.mark.asyncio
async def test_what_cannot_be_traced_is_said(served: Served) -> None:
    with pytest.raises(UnknownNameError, match="no node 'bob'"):
        await trace(served, "http://web/", node="bob")
    with pytest.raises(RefusedError, match="`web` is no URL; write for example `http://web/`"):
        await trace(served, "web")
    with pytest.raises(ControlError, match="alice has ended"):
        await trace(served, "http://gone/")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"node": "alice"},
        {"node": 1, "url": "http://web/"},
        {"node": "alice", "url": "http://web/", "timeout": 0},
        {"node": "alice", "url": "http://web/", "timeout": True},
        {"node": "alice", "url": "http://web/", "draw": 80},
        {"node": "alice", "url": "http://web/", "draw": {"width": "80"}},
        {"node": "alice", "url": "http://web/", "draw": {"unicode": 1}},
    ],
)
async def test_bodies_that_say_something_else(
    http: aiohttp.ClientSession, body: dict[str, Any]
) -> None:
    async with http.post("/v1/trace", json=body) as response:
        assert response.status == 400
        assert "does not say what to trace" in (await response.json())["error"]["message"]


@pytest.mark.asyncio
async def test_whoever_hangs_up_ends_it(served: Served, http: aiohttp.ClientSession) -> None:
    body = {"node": "alice", "url": "http://web/", "timeout": 3600}
    asking = asyncio.ensure_future(http.post("/v1/trace", json=body))
    await asyncio.wait_for(served.network.tracing.wait(), 5)
    asking.cancel()
    await asyncio.wait_for(served.network.interrupted.wait(), 5)


@pytest.mark.asyncio
async def test_a_network_that_stops_says_so(served: Served, http: aiohttp.ClientSession) -> None:
    body = {"node": "alice", "url": "http://web/", "timeout": 3600}
    asking = asyncio.ensure_future(http.post("/v1/trace", json=body))
    await asyncio.wait_for(served.network.tracing.wait(), 5)
    await served.server.close()
    response = await asking
    assert response.status == 409
    assert (await response.json())["error"]["message"] == "the network is stopping"
