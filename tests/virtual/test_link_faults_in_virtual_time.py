"""Faults of links at their logical times: which frames are lost, and that no other is."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import plan_of

from netsim import Network, NetworkPlan, run
from netsim.core.link_attributes import LinkCondition
from netsim.core.time import MILLISECOND, SECOND

DELAY = 10 * MILLISECOND
PLAN = plan_of("alice web delay=10ms")
RING = plan_of(
    "alice r1 delay=1ms bandwidth=10mbit queue=20",
    "r1 r2 delay=2ms bandwidth=5mbit queue=10",
    "r1 r3 delay=2ms bandwidth=5mbit jitter=1ms",
    "r3 r2 delay=2ms loss=2%",
    "r2 web delay=1ms bandwidth=10mbit",
    nodes={"web": {"services": {80: "netsim.services.httpbin:create_app"}}},
)


class Receiver(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: list[tuple[int, int]] = []

    def datagram_received(self, data: bytes, addr: Any) -> None:
        loop: Any = asyncio.get_running_loop()
        self.received.append((int.from_bytes(data[:4], "big"), loop.network_now()))


class Traffic:
    """Datagrams from alice to web, numbered; when each is sent and received, ns."""

    def __init__(self, network: Network, size: int = 100) -> None:
        self.network = network
        self.size = size
        self.sent: dict[int, int] = {}
        self.receiver = Receiver()

    async def listen(self) -> None:
        receiver = self.receiver

        async def program() -> None:
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(lambda: receiver, ("0.0.0.0", 9000))

        await self.network["web"].run(program)
        await self.send(1)
        await asyncio.sleep(1)
        self.sent.clear()
        assert self.received, "the neighbours know each other now"
        self.received.clear()

    @property
    def received(self) -> list[tuple[int, int]]:
        return self.receiver.received

    async def send(self, count: int, interval: float = 0) -> None:
        sent, size = self.sent, self.size

        async def program() -> None:
            loop: Any = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=("web", 9000)
            )
            for number in range(count):
                sent[number] = loop.network_now()
                transport.sendto(number.to_bytes(4, "big") + bytes(size - 4))
                if interval:
                    await asyncio.sleep(interval)
            await asyncio.sleep(0)
            transport.close()

        await self.network["alice"].run(program)


async def balance(network: Network) -> Counter[str]:
    """Every frame is accounted for; how many were dropped in all, by reason."""
    dropped: Counter[str] = Counter()
    for account in await network.accounts():
        account.check()
        dropped.update(account.dropped)
    return dropped


def both_ways(network: Network, link: int, **what: Any) -> list[tuple[int, str, LinkCondition]]:
    plan = network.plan.links[link]
    return [
        (link, node, replace(network.condition(link, node), **what))
        for node in (plan.a[0], plan.b[0])
    ]


def traffic_over(plan: NetworkPlan, test: Any, size: int = 100) -> None:
    async def main() -> None:
        async with Network(plan, time="virtual") as network:
            traffic = Traffic(network, size)
            await traffic.listen()
            await test(network, traffic)
            await asyncio.sleep(5)
            await balance(network)
            assert network.errors == []

    run(main())


def test_what_is_in_flight_as_the_carrier_goes_is_lost_and_nothing_else() -> None:
    async def test(network: Network, traffic: Traffic) -> None:
        sending = asyncio.create_task(traffic.send(100, interval=0.001))
        await asyncio.sleep(0.0305)
        changing = asyncio.create_task(network.set_conditions(both_ways(network, 0, up=False)))
        down = network.now() + MILLISECOND
        await changing
        assert network.now() == down, "when it returns, that time is over"
        await asyncio.sleep(0.02)
        up = network.now() + MILLISECOND
        await network.set_conditions(both_ways(network, 0, up=True))
        assert network.now() == up
        await sending
        await asyncio.sleep(1)
        arrived = [number for number, _ in traffic.received]
        expected = [number for number, at in traffic.sent.items() if at + DELAY < down or at >= up]
        assert arrived == expected
        assert 15 < len(arrived) < 85
        in_flight = [at for at in traffic.sent.values() if down - DELAY <= at < down]
        assert (await balance(network))["carrier"] == len(in_flight) == 10

    traffic_over(PLAN, test)


@pytest.mark.parametrize(("interval", "mean"), [(0.02, 20.0), (0.0001, 28.3)])
def test_jitter_that_keeps_the_order_makes_dense_traffic_late(interval: float, mean: float) -> None:
    """As docs/topology.md says of 20 ± 10 ms."""

    async def test(network: Network, traffic: Traffic) -> None:
        await traffic.send(10_000, interval)
        await asyncio.sleep(1)
        delays = [at - traffic.sent[number] for number, at in traffic.received]
        assert [number for number, _ in traffic.received] == list(range(10_000))
        assert sum(delays) / len(delays) == pytest.approx(mean * MILLISECOND, rel=0.02)

    traffic_over(plan_of("alice web delay=20ms jitter=10ms"), test)


def test_what_is_held_arrives_in_order_and_none_is_lost() -> None:
    async def test(network: Network, traffic: Traffic) -> None:
        link = network.link("alice", "web")
        await link.hold()
        await traffic.send(100, interval=0.001)
        await asyncio.sleep(3)
        assert traffic.received == []
        assert sum(account.in_flight for account in await network.accounts()) >= 100
        await link.release()
        released = network.now()
        await asyncio.sleep(1)
        assert [number for number, _ in traffic.received] == list(range(100))
        # 142 octets at 1 Mbit/s, one after the other.
        step = 142 * 8 * 1000
        times = [at for _, at in traffic.received]
        assert times == [released + DELAY + (n + 1) * step for n in range(100)]
        # Now the queue has its limit again.
        await traffic.send(100)
        await asyncio.sleep(1)
        assert (await balance(network))["queue"] > 50

    traffic_over(plan_of("alice web delay=10ms bandwidth=1mbit queue=10"), test)


def test_what_is_on_its_way_is_not_held() -> None:
    async def test(network: Network, traffic: Traffic) -> None:
        sending = asyncio.create_task(traffic.send(50, interval=0.001))
        await asyncio.sleep(0.0205)
        held = network.now() + MILLISECOND
        await network.link("alice", "web").hold()
        await sending
        await asyncio.sleep(1)
        expected = [number for number, at in traffic.sent.items() if at < held]
        assert [number for number, _ in traffic.received] == expected
        await network.link("alice", "web").release()
        await asyncio.sleep(1)
        assert [number for number, _ in traffic.received] == list(range(50))

    traffic_over(PLAN, test)


def test_another_bandwidth_is_that_of_what_waits() -> None:
    async def test(network: Network, traffic: Traffic) -> None:
        await traffic.send(20)  # of 1042 octets: 83.36 ms each
        await asyncio.sleep(0.5)
        before = len(traffic.received)
        await network.link("alice", "web").set(bandwidth="100mbit")
        at = network.now()
        await asyncio.sleep(0.5)
        assert before in (5, 6)
        assert len(traffic.received) == 20
        # The one in the transmitter keeps its time; the others take 83.36 us each.
        assert traffic.received[-1][1] - at < 83_360_000 + DELAY + 20 * 83_360

    traffic_over(plan_of("alice web delay=10ms bandwidth=100kbit"), test, size=1000)


def test_another_delay_is_that_of_what_comes() -> None:
    async def test(network: Network, traffic: Traffic) -> None:
        sending = asyncio.create_task(traffic.send(40, interval=0.001))
        await asyncio.sleep(0.0205)
        at = network.now() + MILLISECOND
        await network.link("alice", "web").set(delay="1ms")
        await sending
        await asyncio.sleep(1)
        times = dict(traffic.received)
        for number, sent in traffic.sent.items():
            assert times[number] == sent + (DELAY if sent < at else MILLISECOND)
        order = [number for number, _ in traffic.received]
        assert order != sorted(order), "what was sent after the change has overtaken"

    traffic_over(PLAN, test)


def test_down_while_held() -> None:
    async def test(network: Network, traffic: Traffic) -> None:
        link = network.link("alice", "web")
        await link.hold()
        await traffic.send(10)
        async with link.down():
            await asyncio.sleep(1)
            assert (await balance(network))["carrier"] == 10
        await traffic.send(5)
        await asyncio.sleep(1)
        assert traffic.received == [], "it is held still"
        await link.release()
        await asyncio.sleep(1)
        assert [number for number, _ in traffic.received] == list(range(5))

    traffic_over(PLAN, test)


def test_both_ends_lose_the_carrier_at_one_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(RING, time="virtual") as network:
            before = network.now()
            await network.link("r1", "r2").down()
            lost = [event for event in network.timeline if event.kind == "carrier"]
            assert [event.node for event in lost] == ["r1", "r2"]
            assert {event.time_ns for event in lost} == {before + MILLISECOND}
            assert [link["up"] for link in network.links()].count(False) == 1
            await asyncio.sleep(1)
            assert await network["alice"].path("web") == ["r1", "r3", "r2"]
            changed = next(event for event in network.timeline if event.kind == "routes")
            assert changed.time_ns <= before + SECOND

    run(main())


def test_the_trace_tells_the_fate_of_every_frame(tmp_path: Path) -> None:
    trace = tmp_path / "trace"

    async def main() -> None:
        async with Network(RING, time="virtual", seed=3) as network:
            network.trace_frames(trace)
            await network["alice"].get("http://web/bytes/20000")
            pings = asyncio.create_task(network["alice"].ping("web", count=300, interval=0.003))
            await asyncio.sleep(0.2)
            async with network.link("r1", "r2").down():
                await asyncio.sleep(0.3)
            await pings
            await network["r2"].restart()
            await network["alice"].ping("web", count=3)
            await asyncio.sleep(1)
            dropped = await balance(network)
            delivered = sum(account.delivered for account in await network.accounts())
        fates = Counter(json.loads(line)["fate"] for line in trace.read_text().splitlines())
        assert fates.pop("delivered") == delivered
        assert fates == {reason: count for reason, count in dropped.items() if count}
        assert fates["carrier"]

    run(main())


# Any faults

_WAIT = st.floats(0.0005, 0.4)
_WORDS = st.sampled_from(
    [
        {"delay": "30ms"},
        {"delay": "100us", "jitter": "1ms"},
        {"loss": "30%"},
        {"bandwidth": "1mbit"},
        {"bandwidth": "100mbit", "queue": 2},
        {"duplicate": "20%", "reorder": "20%"},
        {"corrupt": "5%"},
    ]
)
_FAULTS = st.one_of(
    st.tuples(st.sampled_from(["down", "up", "hold", "release", "reset"]), st.integers(0, 4)),
    st.tuples(_WORDS, st.integers(0, 4)),
    st.tuples(st.sampled_from(["crash", "start"]), st.sampled_from(["r1", "r2", "r3", "web"])),
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
)
@given(faults=st.lists(st.tuples(_FAULTS, _WAIT), max_size=12), seed=st.integers(0, 1 << 16))
def test_any_sequence_of_faults(faults: list[Any], seed: int) -> None:
    """Under traffic the counters balance after each; mended, everything works again."""

    async def main() -> None:
        async with Network(RING, time="virtual", seed=seed) as network:
            load = [
                asyncio.create_task(network["alice"].run(_load)),
                asyncio.create_task(network["r3"].ping("web", count=10_000, interval=0.004)),
            ]
            for (what, where), wait in faults:
                if isinstance(where, str):
                    down = network.describe(where)["state"] != "running"
                    if what == "crash" and not down:
                        await network.crash(where)
                    elif what == "start" and down:
                        await network.start_node(where)
                else:
                    plan = network.plan.links[where]
                    link = network.link(plan.a[0], plan.b[0])
                    await (getattr(link, what)() if isinstance(what, str) else link.set(**what))
                await balance(network)
                await asyncio.sleep(wait)
                await balance(network)
            for task in load:
                task.cancel()
            await asyncio.wait(load)
            for name in network.kinds():
                if network.describe(name)["state"] != "running":
                    await network.start_node(name)
            for plan in network.plan.links:
                await network.link(plan.a[0], plan.b[0]).reset()
            await asyncio.sleep(2)
            assert network.state == "running"
            reply = await network["alice"].get("http://web/bytes/5000")
            assert (reply.status, len(reply.body)) == (200, 5000)
            assert await network["alice"].path("web") == ["r1", "r2"]
            await asyncio.sleep(5)
            await balance(network)
            assert network.errors == []

    run(main())


async def _load() -> None:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=0.5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            try:
                async with session.get("http://web/bytes/30000") as response:
                    await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("node", ["r2", "web"])
def test_a_fault_of_a_link_whose_node_is_down_counts_when_it_is_back(node: str) -> None:
    async def main() -> None:
        async with Network(RING, time="virtual") as network:
            await network.crash(node)
            await network.link("r2", "web").down()
            await network.start_node(node)
            await asyncio.sleep(1)
            assert (await network["alice"].ping("web", count=1, timeout=1)).received == 0
            await network.link("r2", "web").up()
            await asyncio.sleep(1)
            assert (await network["alice"].ping("web", count=1, timeout=1)).received == 1
            await balance(network)

    run(main())
