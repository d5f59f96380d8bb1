"""Links, partitions and nodes through the control API, of a network that only writes down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from fake_network import Served

from netsim import UnknownNameError
from netsim.control.control_client import ControlClient, ControlError, RefusedError
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import QueueLimit

pytest_plugins = ("served_network",)

pytestmark = pytest.mark.asyncio
FIRST = ("/v1/links/alice:eth0/web", "/v1/links/web/alice:eth0")
AS_PLANNED = {
    "up": True,
    "held": False,
    "flaps": False,
    "delay": "2ms",
    "jitter": "0s",
    "loss": "0%",
    "duplicate": "0%",
    "reorder": "0%",
    "corrupt": "0%",
    "overhead": "0B",
    "bandwidth": None,
    "queue": 1000,
    "mtu": 1500,
}


async def change(served: Served, order: dict[str, Any], a: str = "alice:eth0") -> dict[str, Any]:
    return await asyncio.to_thread(ControlClient(served.state).change_link, a, "web", order)


@pytest.mark.parametrize("path", FIRST)
async def test_a_link_is_shown_in_the_words_of_the_file(
    http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(path) as response:
        document = await response.json()
    assert document["link"] == {
        "index": 0,
        "a": {"node": "alice", "interface": "eth0"},
        "b": {"node": "web", "interface": "eth0"},
        "up": True,
        "changes": [],
    }
    assert document["now"] == [
        {"from": "alice", "to": "web", **AS_PLANNED},
        {"from": "web", "to": "alice", **AS_PLANNED, "loss": "1%"},
    ]


async def test_only_what_is_named_changes(served: Served) -> None:
    document = await change(served, {"set": {"delay": "80ms", "queue": 7}})
    assert [each["delay"] for each in document["before"]] == ["2ms", "2ms"]
    for before, after in zip(document["before"], document["after"], strict=True):
        assert after == {**before, "delay": "80ms", "queue": 7}
    assert served.network.condition(0, "web").attributes == LinkAttributes(
        delay_ns=80_000_000, loss=0.01, queue=QueueLimit(packets=7)
    )
    # Both directions in one go, at one time.
    assert [len(changes) for changes in served.network.changes] == [2]


async def test_one_direction(served: Served) -> None:
    document = await change(served, {"set": {"loss": "5%"}, "from": "alice"})
    assert [each["loss"] for each in document["after"]] == ["5%", "1%"]
    burst = {"gilbert_elliott": {"p": "1%", "r": "20%"}}
    document = await change(served, {"set": {"loss": burst}, "from": "web"})
    assert document["after"][1]["loss"] == {
        "gilbert_elliott": {"p": "1%", "r": "20%", "loss_bad": "100%", "loss_good": "0%"}
    }


@pytest.mark.parametrize(
    ("verbs", "up", "held"),
    [
        (["down"], False, False),
        (["down", "up"], True, False),
        (["hold"], True, True),
        (["hold", "down"], False, True),
        (["hold", "down", "up"], True, True),
        (["hold", "release"], True, False),
        (["hold", "down", "reset"], True, False),
    ],
)
async def test_verbs(served: Served, verbs: list[str], up: bool, held: bool) -> None:
    for verb in verbs:
        document = await change(served, {verb: True})
    assert {(each["up"], each["held"]) for each in document["after"]} == {(up, held)}
    assert document["link"]["up"] == up


async def test_reset_brings_back_what_the_file_has(served: Served) -> None:
    await change(served, {"set": {"loss": "50%", "bandwidth": "1kbit"}})
    document = await change(served, {"reset": True})
    assert [each["loss"] for each in document["after"]] == ["0%", "1%"]
    assert {each["bandwidth"] for each in document["after"]} == {None}


async def test_a_link_flaps_in_the_background_until_it_is_told_otherwise(served: Served) -> None:
    document = await change(served, {"flap": {"period": "2ms"}})
    assert document["after"][0]["flaps"]
    await number_of_changes(served, 20)
    document = await change(served, {"down": True})
    assert document["before"][0]["flaps"]
    assert not document["after"][0]["flaps"]
    assert served.network.down_links() == [0]
    assert not flapping_tasks()


async def test_a_link_flaps_as_often_as_is_said(served: Served) -> None:
    await change(served, {"flap": {"period": "2ms", "times": 3}})
    await number_of_changes(served, 6)
    while (await change(served, {"set": {"delay": "2ms"}}))["after"][0]["flaps"]:
        await asyncio.sleep(0)
    assert len(served.network.changes) == 6
    assert served.network.down_links() == []


def flapping_tasks() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if "object _flap " in repr(task.get_coro())]


async def number_of_changes(served: Served, number: int) -> None:
    await until(served, lambda: len(served.network.changes) >= number)


async def until(served: Served, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            served.network.changed.clear()
            await served.network.changed.wait()


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/v1/links/alice/wbe", {"down": True}, 404, "write `web`"),
        ("/v1/links/alice/alice", {"down": True}, 404, "no link leads from alice to alice"),
        ("/v1/links/alice/web", {"down": True}, 404, "alice:eth0, alice:eth1"),
        ("/v1/links/alice:eth7/web", {"down": True}, 404, "no interface 'eth7'"),
        (FIRST[0], {"set": {"delay": "1ms"}, "from": "bob"}, 404, "write 'alice' or 'web'"),
        (FIRST[0], None, 400, "asks 0 things"),
        (FIRST[0], [], 400, "no JSON object"),
        (FIRST[0], {"up": True, "down": True}, 400, "asks 2 things"),
        (FIRST[0], {"dwon": True}, 400, "`dwon`"),
        (FIRST[0], {"down": False}, 400, "either true or left out"),
        (FIRST[0], {"down": True, "from": "alice"}, 400, "only `set`"),
        (FIRST[0], {"set": {"delay": "1ms"}, "from": 1}, 400, "only `set`"),
        (FIRST[0], {"set": {}}, 400, "says nothing"),
        (FIRST[0], {"set": {"delay": 80}}, 400, "has no unit; write a duration in ns, us"),
        (FIRST[0], {"set": {"dealy": "80ms"}}, 400, "write `delay`"),
        (FIRST[0], {"set": {"mtu": 500}}, 400, "mtu"),
        (FIRST[0], {"set": {"loss": "101%"}}, 400, "more than 100%"),
        (FIRST[0], {"set": {"queue": "20B"}}, 400, "at least `1514B`"),
        (FIRST[0], {"set": {"from_": "alice"}}, 400, "beside `set`"),
        (FIRST[0], {"flap": {}}, 400, '"period"'),
        (FIRST[0], {"flap": {"period": "2s", "times": 0}}, 400, '"times"'),
        (FIRST[0], {"flap": {"period": "2"}}, 400, "has no unit"),
        (FIRST[0], {"flap": {"period": "0s"}}, 400, "a period of 0"),
    ],
)
async def test_wrong_orders_change_nothing(
    served: Served, http: aiohttp.ClientSession, path: str, body: Any, status: int, text: str
) -> None:
    async with http.patch(path, json=body) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert text in f"{error['message']}; {error['hint']}"
    assert served.network.changes == []


async def test_the_client_tells_wrong_values_from_wrong_names(served: Served) -> None:
    with pytest.raises(RefusedError, match="more than 100%"):
        await change(served, {"set": {"loss": "101%"}})
    with pytest.raises(UnknownNameError, match="eth7"):
        await change(served, {"down": True}, "alice:eth7")


async def test_a_node_that_stands_still_is_reported(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsim.control.fault_handlers.LINK_TIMEOUT", 0.01)
    served.network.is_stuck.set()
    with pytest.raises(ControlError, match="does not answer"):
        await change(served, {"down": True})


# Partitions -----------------------------------------------------------------------------------


async def test_a_partition_tells_which_links_it_cut_and_repair_brings_back_those(
    served: Served,
) -> None:
    client = ControlClient(served.state)
    await change(served, {"down": True}, "alice:eth1")
    cut = await asyncio.to_thread(client.partition, ["alice"], ["web"])
    assert [link["index"] for link in cut] == [0]
    assert not cut[0]["up"]
    assert await asyncio.to_thread(client.partition, ["alice"], ["web"]) == []
    healed = await asyncio.to_thread(client.repair)
    assert [link["index"] for link in healed["links"]] == [0]
    assert served.network.down_links() == [1]
    assert await asyncio.to_thread(client.repair) == {"links": [], "healed": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"groups": [["alice"], ["wbe"]]}, 404),
        ({"groups": [["alice"], ["alice"]]}, 400),
        ({"groups": [["alice"], []]}, 400),
        ({"groups": [["alice"]]}, 400),
        ({"groups": [["alice"], [1]]}, 400),
        ({"groups": ["alice", "web"]}, 400),
        (None, 400),
    ],
)
async def test_wrong_partitions(http: aiohttp.ClientSession, body: Any, status: int) -> None:
    async with http.post("/v1/partition", json=body) as response:
        assert response.status == status
        assert (await response.json())["error"]["hint"]


# Packets and connections ----------------------------------------------------------------------


async def test_traffic_goes_wrong_until_repair(served: Served) -> None:
    client = ControlClient(served.state)

    async def spoil(what: str, words: dict[str, Any]) -> list[str]:
        return await asyncio.to_thread(client.spoil_traffic, what, words)

    dropped = "drop alice → web, tcp, 80"
    words = {"from": "alice", "to": "web", "protocol": "tcp", "port": 80}
    assert await spoil("drop", words) == [dropped]
    assert served.network.host_faults["web"].packets[0].port == 80
    isolated = "isolate alice | web"
    assert await spoil("isolate", {"groups": [["alice"], ["web"]]}) == [dropped, isolated]
    service = {"to": "web", "port": 80}
    # Those that are open are reset at once, and then it is over.
    assert await spoil("connections", {**service, "reset": True}) == [dropped, isolated]
    cut = "cut alice → web:80, after 64KiB"
    order = {**service, "from": "alice", "cut": {"after": "64KiB"}}
    assert await spoil("connections", order) == [dropped, isolated, cut]
    (fault,) = served.network.host_faults["web"].connections
    assert (fault.kind, fault.amount) == ("cut", 65_536)
    for verb in ({"stall": True}, {"slow_close": {"delay": "5s"}}, {"refuse": {"first": 3}}):
        await spoil("connections", {**service, **verb})
    healed = (await asyncio.to_thread(client.repair))["healed"]
    assert [text.split()[0] for text in healed] == [
        *("drop", "isolate", "cut", "stall", "slow_close", "refuse")
    ]
    assert served.network.host_faults["web"] == HostFaults()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("drop", {"from": "alice", "to": "wbe"}, 404),
        ("drop", {"from": "alice", "to": "alice"}, 400),
        ("drop", {"from": "alice"}, 400),
        ("drop", {"from": "alice", "to": "web", "protocol": "sctp"}, 400),
        ("drop", {"from": "alice", "to": "web", "port": "80"}, 400),
        ("drop", {"from": "alice", "to": "web", "prt": 80}, 400),
        ("isolate", {"groups": [["alice"]]}, 400),
        ("connections", {"to": "web", "port": 80}, 400),
        ("connections", {"to": "web", "port": 80, "reset": False}, 400),
        ("connections", {"to": "web", "port": 80, "cut": True}, 400),
        ("connections", {"to": "web", "port": 80, "cut": {"after": 5}}, 400),
        ("connections", {"to": "web", "port": 80, "cut": {"after": "5"}}, 400),
        ("connections", {"to": "web", "port": 80, "stall": True, "refuse": True}, 400),
        ("connections", {"to": "web", "port": 80, "refuse": {"first": True}}, 400),
        ("connections", {"to": "web", "port": 99999, "stall": True}, 400),
        ("connections", {"to": "wbe", "port": 80, "stall": True}, 404),
        ("connections", {"to": "web", "port": 80, "from": 7, "stall": True}, 400),
    ],
)
async def test_wrong_orders_for_traffic(
    http: aiohttp.ClientSession, path: str, body: Any, status: int
) -> None:
    async with http.post(f"/v1/{path}", json=body) as response:
        assert response.status == status
        assert (await response.json())["error"]["hint"]


async def test_what_runs_on_a_node_dies_and_stands_still(served: Served) -> None:
    client = ControlClient(served.state)
    for verb, state in (("kill-program", "killed"), ("pause", "paused"), ("resume", "running")):
        document = await asyncio.to_thread(client.change_node, "web", verb)
        assert document["before"] == document["after"]
        assert served.network.programs == {"web": state}


# Nodes ----------------------------------------------------------------------------------------


async def test_a_node_goes_and_comes(served: Served) -> None:
    client = ControlClient(served.state)
    running = {"kind": "computer", "pid": 10, "state": "running"}
    dead = {"kind": "computer", "pid": None, "state": "dead"}
    answers = [
        await asyncio.to_thread(client.change_node, "web", verb)
        for verb in ("kill", "stop", "start", "restart")
    ]
    assert answers == [
        {"node": "web", "before": running, "after": dead},
        {"node": "web", "before": dead, "after": dead},
        {"node": "web", "before": dead, "after": {**running, "pid": 11}},
        {"node": "web", "before": {**running, "pid": 11}, "after": {**running, "pid": 11}},
    ]
    with pytest.raises(ControlError, match="web is up already"):
        await asyncio.to_thread(client.change_node, "web", "start")
    with pytest.raises(UnknownNameError, match="write `alice`"):
        await asyncio.to_thread(client.change_node, "alcie", "kill")


async def test_a_node_that_does_not_come_up_is_reported(
    served: Served, http: aiohttp.ClientSession
) -> None:
    served.network.is_stuck.set()
    served.network.released.set()
    await served.network.crash("web")
    async with http.post("/v1/nodes/web/start") as response:
        assert response.status == 409
        assert "port 80" in (await response.json())["error"]["message"]


@pytest.mark.parametrize("verb", ["crash", "kil"])
async def test_other_verbs_are_not_there(http: aiohttp.ClientSession, verb: str) -> None:
    async with http.post(f"/v1/nodes/alice/{verb}") as response:
        assert response.status == 404


async def test_a_start_goes_on_when_the_client_leaves(
    served: Served, http: aiohttp.ClientSession
) -> None:
    network = served.network
    network.is_stuck.set()
    await network.crash("alice")
    with pytest.raises(TimeoutError):
        async with http.post("/v1/nodes/alice/start", timeout=aiohttp.ClientTimeout(0.05)):
            pass
    network.released.set()
    await until(served, lambda: network.pids["alice"] is not None)


async def test_whatever_goes_on_ends_with_the_network(served: Served) -> None:
    await change(served, {"flap": {"period": "1h"}})
    served.network.is_stuck.set()
    await served.network.crash("alice")
    client = ControlClient(served.state)
    starting = asyncio.create_task(asyncio.to_thread(client.change_node, "alice", "start"))
    async with asyncio.timeout(10):
        await served.network.asked_to_start.wait()
    served.network.is_stuck.clear()
    await served.server.close()
    with pytest.raises(ControlError, match=r"stopping|ended before"):
        await starting
    assert not flapping_tasks()
