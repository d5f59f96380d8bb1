"""Packets that vanish and connections that go wrong: what each side sees of it, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from functools import partial

import pytest
from networks import play
from plans import plan_of

from netsim import (
    Fault,
    HttpFailedError,
    InvalidValueError,
    Network,
    NodeView,
    UnitError,
    UnknownNameError,
)
from netsim.core.time import SECOND, Time

PLAN = plan_of(
    "alice r1 delay=1ms",
    "bob r1 delay=1ms",
    "r1 s1 delay=1ms",
    "s1 web delay=1ms",
    nodes={"web": {"services": {80: "netsim.services.httpbin:create_app"}}},
)


on_a_network = partial(play, "virtual", PLAN)


async def works(node: NodeView, url: str = "http://web/get") -> bool:
    try:
        return (await node.get(url, timeout=2)).status == 200
    except HttpFailedError as error:
        if error.reason != "timed out after 2 s":
            raise
        return False


def test_packets_vanish_and_no_carrier_is_lost() -> None:
    async def test(net: Network) -> None:
        alice, bob = net["alice"], net["bob"]
        async with net.drop("alice", "web"):
            assert not await works(alice)
            assert await works(bob)
            assert (await alice.ping("web", count=1)).received == 0
            # One way only: what the other end sends arrives, and so does what answers that.
            assert (await bob.ping("alice", count=1)).received == 1
            assert all(link["up"] for link in net.links())
            assert (await net.inspect_node("web"))["drops"]["fault"] >= 3
        assert await works(alice)

    on_a_network(test)


def test_packets_of_a_protocol_or_a_port_vanish() -> None:
    async def test(net: Network) -> None:
        alice = net["alice"]
        async with net.drop("alice", "web", protocol="icmp"):
            assert await works(alice)
            assert (await alice.ping("web", count=1)).received == 0
        async with net.drop("web", "alice", port=80):  # replies
            assert not await works(alice)
            assert (await alice.ping("web", count=1)).received == 1
        async with net.drop("alice", "web", port=81):
            assert await works(alice)
        async with net.drop("alice", "web", protocol="udp", port=80):
            assert await works(alice)

    on_a_network(test)


def test_groups_are_isolated_until_repair() -> None:
    async def test(net: Network) -> None:
        await net.isolate(["alice", "r1"], ["web"])
        assert not await works(net["alice"])
        assert await works(net["bob"])
        assert (await net["web"].ping("alice", count=1)).received == 0
        assert (await net["alice"].ping("bob", count=1)).received == 1
        await net["web"].restart()  # a new stack suffers the same
        assert not await works(net["alice"])
        await net.repair()
        assert await works(net["alice"])

    on_a_network(test)


def test_faults_that_overlap_end_by_themselves() -> None:
    async def test(net: Network) -> None:
        async with net.drop("alice", "web"):
            async with net.drop("alice", "web", both_ways=True):
                pass
            assert not await works(net["alice"])
        assert await works(net["alice"])

    on_a_network(test)


SIZE = 10_000_000
_SERVERS: list[asyncio.Server] = []


async def serve_much() -> None:
    """At port 9000: as many bytes, and the end, for whoever comes."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(bytes(SIZE))
            await writer.drain()
        writer.close()

    _SERVERS.append(await asyncio.start_server(answer, "0.0.0.0", 9000))


async def keep_reading(seconds: float) -> tuple[int, str]:
    """How many bytes come in that time, and how it ends."""
    reader, writer = await asyncio.open_connection("web", 9000)
    received = 0
    try:
        async with asyncio.timeout(seconds):
            while data := await reader.read(65_536):
                received += len(data)
        return received, "end"
    except TimeoutError:
        return received, "silence"
    except OSError as error:
        return received, errno.errorcode[error.errno or 0]
    finally:
        writer.close()


def test_open_connections_are_reset_once() -> None:
    async def test(net: Network) -> None:
        await net["web"].run(serve_much)
        reading = asyncio.ensure_future(net["alice"].run(keep_reading, 60))
        others = asyncio.ensure_future(net["bob"].run(keep_reading, 60))
        await asyncio.sleep(0.02)
        await net["alice"].connections("web", 9000).reset()
        received, how = await reading
        assert how == "ECONNRESET"
        assert 0 < received < SIZE
        assert await net["alice"].run(keep_reading, 60) == (SIZE, "end")
        assert await others == (SIZE, "end")

    on_a_network(test)


@pytest.mark.parametrize(("kind", "how"), [("reset", "ECONNRESET"), ("cut", "end")])
def test_a_connection_ends_after_so_many_bytes(kind: str, how: str) -> None:
    async def test(net: Network) -> None:
        await net["web"].run(serve_much)
        connections = net.connections("web", 9000)
        fault: Fault = getattr(connections, kind)(after="100KiB")
        async with fault:
            assert await net["alice"].run(keep_reading, 60) == (100 << 10, how)
            assert await net["bob"].run(keep_reading, 60) == (100 << 10, how)
            assert await works(net["alice"])  # another port
            reading = asyncio.ensure_future(net["alice"].run(keep_reading, 60))
            await asyncio.sleep(0.0045)  # not one byte has arrived yet
        assert (await reading)[0] in (100 << 10, SIZE)
        assert await net["alice"].run(keep_reading, 60) == (SIZE, "end")

    on_a_network(test)


def test_a_connection_stalls_and_goes_on() -> None:
    async def test(net: Network) -> None:
        await net["web"].run(serve_much)
        connections = net["alice"].connections("web", 9000)
        async with connections.stall():
            assert await net["alice"].run(keep_reading, 5) == (0, "silence")
            assert await net["bob"].run(keep_reading, 60) == (SIZE, "end")
        reading = asyncio.ensure_future(net["alice"].run(keep_reading, 300))
        await asyncio.sleep(0.02)
        async with connections.stall():
            await asyncio.sleep(3)
            assert not reading.done()
        assert await reading == (SIZE, "end")

    on_a_network(test)


async def until_end() -> float:
    """Seconds from the request to the end of the connection."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    reader, writer = await asyncio.open_connection("web", 80)
    writer.write(b"GET /get HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
    await reader.read()
    writer.close()
    return loop.time() - begun


def test_a_service_closes_late() -> None:
    async def test(net: Network) -> None:
        assert await net["alice"].run(until_end) < 0.1
        async with net.connections("web", 80).slow_close("5s"):
            assert 5 < await net["alice"].run(until_end) < 5.1
        assert await net["alice"].run(until_end) < 0.1
        async with net.connections("web", 80).slow_close("60s"):
            closing = asyncio.ensure_future(net["alice"].run(until_end))
            await asyncio.sleep(1)
        assert 1 < await closing < 1.1  # healed, it closes at once

    on_a_network(test)


def test_connections_are_refused_all_or_the_first() -> None:
    async def test(net: Network) -> None:
        alice = net["alice"]
        async with alice.connections("web", 80).refuse():
            for _ in range(2):
                with pytest.raises(HttpFailedError, match="connection refused"):
                    await alice.get("http://web/get")
            assert await works(net["bob"])
        await net.connections("web", 80).refuse(first=2)
        for node in ("alice", "bob"):
            with pytest.raises(HttpFailedError, match="connection refused"):
                await net[node].get("http://web/get")
        # Another fault of the same host does not make it begin again.
        await net.drop("r1", "web")
        assert await works(alice)
        await net.repair()
        assert await works(alice)

    on_a_network(test)


def test_an_application_is_told_of_a_reset_at_its_side() -> None:
    async def test(net: Network) -> None:
        begun = net.now()
        asking = asyncio.ensure_future(net["alice"].get("http://web/delay/10"))
        await asyncio.sleep(1)
        await net.connections("web", 80).reset()
        with pytest.raises(HttpFailedError, match="connection reset by peer"):
            await asking
        assert net.now() - begun < 2 * SECOND

    on_a_network(test)


def test_mistakes_are_told_when_a_fault_is_made() -> None:
    async def test(net: Network) -> None:
        with pytest.raises(UnknownNameError, match="no node 'alise'; write `alice`"):
            net.drop("alise", "web")
        with pytest.raises(InvalidValueError, match="s1 is a switch and has no address"):
            net.drop("alice", "s1")
        with pytest.raises(InvalidValueError, match="both ends"):
            net["web"].connections("web", 80)
        with pytest.raises(InvalidValueError, match="icmp has no ports"):
            net.drop("alice", "web", protocol="icmp", port=1)
        with pytest.raises(InvalidValueError, match="no protocol 'sctp'"):
            net.drop("alice", "web", protocol="sctp")  # type: ignore[arg-type]
        with pytest.raises(InvalidValueError, match="0 is no port"):
            net.connections("web", 0)
        with pytest.raises(InvalidValueError, match="web is in both"):
            net.isolate(["web"], ["web", "alice"])
        with pytest.raises(InvalidValueError, match="empty"):
            net.isolate([], ["web"])
        connections = net.connections("web", 80)
        with pytest.raises(UnitError):
            connections.cut(after="5")
        with pytest.raises(InvalidValueError, match="none to refuse"):
            connections.refuse(first=0)

    on_a_network(test)


def test_a_program_is_killed_and_the_machine_lives() -> None:
    async def test(net: Network) -> None:
        alice, web = net["alice"], net["web"]
        asking = asyncio.ensure_future(alice.get("http://web/delay/10"))
        called = asyncio.ensure_future(web.run(asyncio.sleep, 60))
        await asyncio.sleep(1)
        async with web.kill_program():
            with pytest.raises(HttpFailedError, match="empty reply"):  # a FIN
                await asking
            with pytest.raises(ConnectionError):
                await called
            assert net.now() < 2 * SECOND
            with pytest.raises(HttpFailedError, match="connection refused"):
                await alice.get("http://web/get")
            assert (await alice.ping("web", count=1)).received == 1
            assert (await web.ping("alice", count=1)).received == 1
            assert net.describe("web")["state"] == "running"
        assert await works(alice)
        await web.kill_program()
        await web.restart()
        assert await works(alice)

    on_a_network(test)


def test_a_program_stands_still_and_goes_on() -> None:
    async def test(net: Network) -> None:
        alice, web = net["alice"], net["web"]
        assert await works(alice)
        async with web.pause():
            asking = asyncio.ensure_future(alice.get("http://web/get"))
            await asyncio.sleep(60)
            assert not asking.done()  # connected, and no answer
            assert (await alice.ping("web", count=1)).received == 1
        assert (await asking).status == 200
        await web.pause()
        assert not await works(alice)
        await web.resume()
        assert await works(alice)
        await web.pause()
        async with asyncio.timeout(60):
            await web.restart()
        assert await works(alice)

    on_a_network(test)


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_how_many_connections_went_wrong_is_told(time: Time) -> None:
    async def asks(alice: NodeView) -> None:
        with contextlib.suppress(HttpFailedError):
            await alice.get("http://web/get", timeout=2)

    async def test(net: Network) -> None:
        alice = net["alice"]

        def last() -> str:
            return [event.text for event in net.timeline if event.kind == "notice"][-1]

        def connections(kind: str, hits: str, amount: str = "") -> str:
            return f"{kind} alice → web:80{amount}: {hits}"

        view = alice.connections("web", 80)
        await view.reset()
        assert last() == connections("reset", "no connections")
        waiting = [asyncio.create_task(alice.get("http://web/delay/10")) for _ in range(2)]
        await asyncio.sleep(1)
        await view.reset()
        assert last() == connections("reset", "2 connections")
        await asyncio.gather(*waiting, return_exceptions=True)
        async with view.cut(after=10):
            await asks(alice)
            counters = (await net.inspect_node("web"))["counters"]
            assert list(counters["connection_faults"].values()) == [1]
        assert last() == connections("cut", "1 connection", ", after 10B")
        async with view.reset(after=10):
            await asks(alice)
        assert last() == connections("reset", "1 connection", ", after 10B")
        async with view.refuse(first=1):
            await asks(alice)
            await asks(alice)
        assert last() == connections("refuse", "1 connection", ", the first 1")

    on_a_network(test) if time == "virtual" else play(time, PLAN, test)


def test_what_is_in_force_is_shown() -> None:
    async def test(net: Network) -> None:
        await net.drop("alice", "web", protocol="icmp")
        await net["web"].pause()
        await net["bob"].kill_program()
        shown = ["drop alice → web, icmp", "kill_program bob", "pause web"]
        assert (await net.inspect())["faults"] == shown
        assert net.summary()["faults"] == 3
        await net["web"].resume()
        await net["bob"].restart()
        assert net.faults_in_force() == ["drop alice → web, icmp"]
        async with net["bob"].kill_program():
            assert net.faults_in_force()[1:] == ["kill_program bob"]
        await net.repair()
        assert net.faults_in_force() == []

    on_a_network(test)


def test_only_computers_that_are_up_run_programs() -> None:
    async def test(net: Network) -> None:
        with pytest.raises(InvalidValueError, match="r1 is a router and runs no program"):
            await net["r1"].pause()
        await net["web"].crash()
        with pytest.raises(ConnectionError, match="web is not running"):
            await net["web"].kill_program()

    on_a_network(test)
