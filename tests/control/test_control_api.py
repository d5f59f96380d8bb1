from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, cast

import aiohttp
import pytest
from fake_network import ENDLESS, VERY_LATE, Served

from netsim import Timing, UnknownNameError
from netsim.control.control_client import ControlClient, ControlError
from netsim.network.events import BACKLOG

pytest_plugins = ("served_network",)


def client_of(served: Served) -> ControlClient:
    return ControlClient(served.state)


@pytest.mark.asyncio
async def test_facts(served: Served) -> None:
    client = client_of(served)
    assert await asyncio.to_thread(client.summary) == served.network.summary()
    facts = await served.network.inspect()
    links = [link | {"flaps": False} for link in facts["links"]]
    assert await asyncio.to_thread(client.inspect) == facts | {"links": links}
    node = await asyncio.to_thread(client.inspect_node, "web")
    assert node == await served.network.inspect_node("web")


@pytest.mark.asyncio
async def test_nodes_and_links_have_resources(served: Served, http: aiohttp.ClientSession) -> None:
    async with http.get("/v1/nodes") as response:
        assert [node["name"] for node in await response.json()] == ["alice", "web"]
    async with http.get("/v1/links") as response:
        assert await response.json() == [link | {"flaps": False} for link in served.network.links()]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "hint"),
    [
        ("GET", "/v1/nodes/alcie", None, 404, "unknown-name", "write `alice`"),
        ("POST", "/v1/nodes/alcie/exec", {"argv": ["ping"]}, 404, "unknown-name", "write `alice`"),
        ("POST", "/v1/nodes/alice/exec", {"argv": []}, 400, "bad-request", "send"),
        ("POST", "/v1/nodes/alice/exec", {"argv": "ping"}, 400, "bad-request", "send"),
        ("POST", "/v1/nodes/alice/exec", ["ping"], 400, "bad-request", "send"),
        ("POST", "/v1/exec/99/interrupt", None, 404, "unknown-name", "it may have ended"),
        ("GET", "/v1/elsewhere", None, 404, "not-found", "see docs"),
        ("PUT", "/v1/network", {}, 405, "not-allowed", "use DELETE, GET"),
    ],
)
async def test_errors_say_what_to_do(
    http: aiohttp.ClientSession,
    method: str,
    path: str,
    body: Any,
    status: int,
    code: str,
    hint: str,
) -> None:
    async with http.request(method, path, json=body) as response:
        assert response.status == status
        error = (await response.json())["error"]
        assert error["code"] == code
        assert error["message"]
        assert hint in error["hint"]


@pytest.mark.asyncio
async def test_a_body_that_is_no_json_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/nodes/alice/exec", data=b"{") as response:
        assert response.status == 400


@pytest.mark.asyncio
async def test_a_bug_is_reported_and_logged(
    served: Served, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.network, "links", None)
    async with http.get("/v1/links") as response:
        assert response.status == 500
        assert (await response.json())["error"]["code"] == "internal"


def run(client: ControlClient, *argv: str, node: str = "alice") -> tuple[bytes, bytes, int | None]:
    streams = {"stdout": b"", "stderr": b""}
    with client.exec(node, list(argv), cwd="/somewhere", json=True) as execution:
        for stream, data in execution:
            streams[stream] += data
    return streams["stdout"], streams["stderr"], execution.code


@pytest.mark.asyncio
async def test_exec_streams_every_byte_and_the_exit_code(served: Served) -> None:
    client = client_of(served)
    assert await asyncio.to_thread(run, client, "bytes") == (
        bytes(range(256)),
        "gr\u00fc\u00dfe\n".encode(),
        0,
    )
    assert await asyncio.to_thread(run, client, "crash") == (b"", b"", 7)
    assert served.network.executions[0] == ("alice", ["bytes"], "/somewhere", True)


@pytest.mark.asyncio
async def test_exec_at_an_unknown_node(served: Served) -> None:
    with pytest.raises(UnknownNameError, match="no node 'a b/c'; write `alice`"):
        await asyncio.to_thread(run, client_of(served), "echo", "x", node="a b/c")


@pytest.mark.asyncio
@pytest.mark.parametrize(("tool", "message"), [("fail", "the tool broke"), ("break", "a bug")])
async def test_a_tool_that_breaks(served: Served, tool: str, message: str) -> None:
    with pytest.raises(ControlError, match=message):
        await asyncio.to_thread(run, client_of(served), tool)


@pytest.mark.asyncio
async def test_an_interrupted_tool_says_its_last_words(served: Served) -> None:
    def interrupt_and_read() -> bytes:
        with client_of(served).exec("alice", ["wait"], cwd="/") as execution:
            execution.interrupt()
            heard = b"".join(data for _, data in execution)
            execution.interrupt()  # after its end: no error
            return heard

    assert await asyncio.to_thread(interrupt_and_read) == b"statistics\n"


@pytest.mark.asyncio
async def test_a_client_that_hangs_up_interrupts_the_tool(served: Served) -> None:
    execution = await asyncio.to_thread(lambda: client_of(served).exec("alice", ["ping"], cwd="/"))
    assert not served.network.interrupted.is_set()
    execution.close()
    await asyncio.wait_for(served.network.interrupted.wait(), 10)


@pytest.mark.asyncio
async def test_a_stopping_network_ends_its_tools(served: Served) -> None:
    client = client_of(served)
    running = await asyncio.to_thread(lambda: client.exec("alice", ["wait"], cwd="/"))
    reading = asyncio.create_task(asyncio.to_thread(list, running))
    await served.server.close()
    with pytest.raises(ControlError, match=r"stopping|ended while"):
        await reading
    running.close()


@pytest.mark.asyncio
async def test_stop_is_passed_on(served: Served) -> None:
    await asyncio.to_thread(client_of(served).stop)
    assert served.stop_requests == 1


@pytest.mark.asyncio
async def test_events_come_over_a_websocket(served: Served, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/v1/events") as events:
        served.network.say("hello")
        event = await events.receive_json(timeout=10)
        assert event["text"] == "hello"
        assert event["kind"] == "log"
        await served.server.close()
        last = await events.receive(timeout=10)
        assert last.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert not served.network.hub.subscriptions


@pytest.mark.asyncio
async def test_a_tool_waits_for_a_client_that_does_not_read_until_that_is_gone(
    served: Served,
) -> None:
    network = served.network
    running = await asyncio.to_thread(lambda: client_of(served).exec("alice", ["much"], cwd="/"))
    async with asyncio.timeout(60):
        await network.stands_still.wait()
        assert network.printed < 10 * 2**20
        running.close()
        await network.interrupted.wait()


@pytest.mark.asyncio
async def test_lines_of_an_execution_are_json(http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/nodes/alice/exec", json={"argv": ["echo", "hi"]}) as response:
        assert response.content_type == "application/x-ndjson"
        lines = [json.loads(line) async for line in response.content]
    assert lines == [{"stdout": "hi"}, {"exit": 0}]


@pytest.mark.asyncio
async def test_pingall_comes_ping_by_ping(served: Served, http: aiohttp.ClientSession) -> None:
    client = client_of(served)
    lines = await asyncio.to_thread(lambda: list(client.ping_all(routers=True, timeout=0.5)))
    assert served.network.asked_to_ping == [(True, 0.5)]
    assert lines == [
        {"from": "web", "to": "alice", "rtt_ms": 1.5, "of": 2},
        {"from": "alice", "to": "web", "rtt_ms": None, "of": 2},
        {
            "nodes": ["alice", "web"],
            "sent": 2,
            "received": 1,
            "dropped_percent": 50.0,
            "timing": Timing({"web": VERY_LATE}).as_dict(),
        },
    ]
    async with http.post("/v1/pingall") as response:
        assert response.status == 200
        assert len((await response.text()).splitlines()) == 3
    assert served.network.asked_to_ping[-1] == (False, 2.0)


@pytest.mark.asyncio
async def test_a_client_that_hangs_up_ends_pingall(served: Served) -> None:
    lines = client_of(served).ping_all(routers=False, timeout=3600)
    assert (await asyncio.to_thread(next, lines))["from"] == "web"
    await asyncio.to_thread(lines.close)  # type: ignore[attr-defined]
    await asyncio.wait_for(served.network.interrupted.wait(), 10)


@pytest.mark.asyncio
async def test_pingall_ends_when_its_client_reads_nothing(served: Served) -> None:
    lines = client_of(served).ping_all(routers=False, timeout=ENDLESS)
    await asyncio.to_thread(next, lines)
    await asyncio.wait_for(served.network.interrupted.wait(), 60)
    with pytest.raises(ControlError, match="20,000 pings wait to be read of"):
        await asyncio.to_thread(list, lines)


@pytest.mark.asyncio
async def test_a_stopping_network_ends_pingall(served: Served) -> None:
    lines = client_of(served).ping_all(routers=False, timeout=3600)
    await asyncio.to_thread(next, lines)
    reading = asyncio.create_task(asyncio.to_thread(list, lines))
    await served.server.close()
    with pytest.raises(ControlError, match=r"stopping|ended before"):
        await reading


@pytest.mark.asyncio
async def test_logs(served: Served) -> None:
    client = client_of(served)
    for number in range(5):
        served.network.say(f"line {number}")
    document = await asyncio.to_thread(client.logs)
    assert document["dropped"] == 2
    assert [line["text"] for line in document["lines"]] == ["line 2", "line 3", "line 4"]
    assert set(document["lines"][0]) == {"time_ns", "wall", "node", "level", "text", "kind"}
    assert (await asyncio.to_thread(lambda: client.logs(["web"], last=1)))["lines"][0][
        "text"
    ] == "line 4"
    assert (await asyncio.to_thread(client.logs, ["alice"]))["lines"] == []
    with pytest.raises(UnknownNameError, match="write `alice`"):
        await asyncio.to_thread(client.logs, ["alice", "alcie"])
    assert await asyncio.to_thread(client.kinds) == {"alice": "computer", "web": "computer"}


@pytest.mark.asyncio
async def test_logs_can_be_followed_until_the_network_ends(served: Served) -> None:
    served.network.say("before")
    lines = client_of(served).follow_logs(["web"])
    assert (await asyncio.to_thread(next, lines))["text"] == "before"
    served.network.say("after")
    assert (await asyncio.to_thread(next, lines))["text"] == "after"
    reading = asyncio.create_task(asyncio.to_thread(list, lines))
    await served.server.close()
    assert await asyncio.wait_for(reading, 10) == []


@pytest.mark.asyncio
async def test_events_are_followed_as_lines_beside_a_client_that_does_not_read(
    served: Served, http: aiohttp.ClientSession
) -> None:
    network = served.network
    words = {"events": "true", "level": "warning"}
    async with http.get("/v1/logs?events=true&follow=true") as silent:
        lines = client_of(served).follow_logs(["web"], **words)
        network.happens("node-died", "alice", "alice is gone")
        network.happens("routes", "", "routes have changed")
        network.happens("carrier", "web", "web:eth0 carrier lost")
        first = await asyncio.to_thread(next, lines)
        assert (first["kind"], first["level"], first["node"]) == ("carrier", "warning", "web")
        network.say("fine")
        for _ in range(BACKLOG + 10_000):
            network.happens("link", "", "x" * 4000)
        network.say("bad", logging.ERROR)
        seen = first
        missed = 0
        while seen["text"] != "bad":
            seen = await asyncio.to_thread(next, lines)
            missed += seen["kind"] == "missed"
            assert seen["text"] != "fine"
        assert missed == 1
        cast(Any, lines).close()
        async for line in silent.content:
            if json.loads(line)["kind"] == "missed":
                break
        assert json.loads(line)["kind"] == "missed", "it is told, too"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/logs?last=some", None),
        ("GET", "/v1/logs?follow=1", None),
        ("GET", "/v1/logs?events=1", None),
        ("GET", "/v1/top?interval=soon", None),
        ("GET", "/v1/top?count=1.5", None),
        ("GET", "/v1/top?interval=nan", None),
        ("GET", "/v1/logs?since=ago", None),
        ("GET", "/v1/logs?level=loud", None),
        ("GET", "/v1/logs?level=loud&follow=true", None),
        ("POST", "/v1/pingall", {"timeout": 0}),
        ("POST", "/v1/pingall", {"timeout": True}),
        ("POST", "/v1/pingall", {"routers": "r1"}),
        ("POST", "/v1/pingall", []),
    ],
)
async def test_wrong_requests(
    http: aiohttp.ClientSession, method: str, path: str, body: Any
) -> None:
    async with http.request(method, path, json=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["hint"]


@pytest.mark.asyncio
async def test_exec_at_many_names_the_node_of_each_line(
    served: Served, http: aiohttp.ClientSession
) -> None:
    body = {"nodes": ["*"], "argv": ["echo", "hi"]}
    async with http.post("/v1/exec", json=body) as response:
        lines = [json.loads(line) async for line in response.content]
    assert lines[0] == {"nodes": ["alice", "web"]}
    assert lines[-1] == {"exit": 0}
    assert {"node": "web", "stdout": "hi"} in lines
    assert {"node": "alice", "exit": 0} in lines
    async with http.post("/v1/exec", json={"argv": ["break"]}) as response:
        lines = [json.loads(line) async for line in response.content]
    assert lines[-1] == {"exit": 1}
    assert lines[1]["error"] == {"code": "failed", "message": "a bug"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "status", "hint"),
    [
        ({"nodes": ["x*"], "argv": ["ping"]}, 404, "netsim inspect lists them"),
        ({"nodes": ["alcie"], "argv": ["ping"]}, 404, "write `alice`"),
        ({"nodes": "alice", "argv": ["ping"]}, 400, "send"),
        ({"nodes": [1], "argv": ["ping"]}, 400, "send"),
        ({"kind": ["router"], "argv": ["ping"]}, 400, "send"),
        ({"kind": "hub", "argv": ["ping"]}, 400, "write computer"),
        ({"kind": "router", "argv": ["ping"]}, 404, ""),
        ({"nodes": ["alice"], "argv": []}, 400, "send"),
    ],
)
async def test_wrong_choices_of_nodes(
    http: aiohttp.ClientSession, body: Any, status: int, hint: str
) -> None:
    async with http.post("/v1/exec", json=body) as response:
        assert response.status == status
        assert hint in (await response.json())["error"]["hint"]


@pytest.mark.asyncio
async def test_one_interrupt_reaches_the_tools_of_all_nodes(served: Served) -> None:
    def interrupt_and_read() -> list[str]:
        client = client_of(served)
        with client.exec_at_many([], None, ["wait"], cwd="/") as execution:
            execution.interrupt()
            return [
                node for node, said in execution.by_node() if said == ("stdout", b"statistics\n")
            ]

    assert sorted(await asyncio.to_thread(interrupt_and_read)) == ["alice", "web"]


@pytest.mark.asyncio
async def test_a_client_that_does_not_read_holds_the_tools_of_all_nodes_up(served: Served) -> None:
    network = served.network
    running = await asyncio.to_thread(
        lambda: client_of(served).exec_at_many([], None, ["much"], cwd="/")
    )
    async with asyncio.timeout(60):
        await network.stands_still.wait()
        assert network.printed < 20 * 2**20
        running.close()
        await network.interrupted.wait()
