"""`net.trace`: exact in virtual time, the same as a capture has it, and whole whatever happens."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import networkx
import pytest
from aiohttp import web
from certificates import make_contexts
from networks import CAMPUS, ROOT
from request_ladders import GOLDEN, LOSSY, on

from netsim import (
    Direction,
    InvalidValueError,
    Network,
    NoProgramsError,
    Trace,
    UnknownNameError,
    UnrepeatableWarning,
    trace_svg,
    trace_text,
)
from netsim.core.time import MILLISECOND, SECOND
from netsim.observe.pcapng import Packet, PcapngReader, read_block
from netsim.observe.request_phases import KINDS


@pytest.fixture
def lossy(tmp_path: Path) -> Path:
    path = tmp_path / "lossy.yaml"
    path.write_text(LOSSY)
    return path


def same_as_golden(name: str, seen: str) -> None:
    """`UPDATE_GOLDEN=1` writes it anew; then read what has changed."""
    path = ROOT / name if "/" in name else GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(seen)
    assert seen == path.read_text()


# Golden files, and what is in them --------------------------------------------------------------


class Passed(NamedTuple):
    interface: str
    is_inbound: bool
    time_ns: int
    dropped: str = ""


def captured(path: Path) -> set[Passed]:
    """What a capture says of each packet; times are the wall's."""
    interfaces = list[str]()
    found = set[Passed]()
    for block in PcapngReader().blocks(path.read_bytes()):
        match read_block(block):
            case str(interface):
                interfaces.append(interface)
            case Packet() as packet:
                is_inbound = packet.direction is Direction.INBOUND
                where = interfaces[packet.number]
                found.add(Passed(where, is_inbound, packet.timestamp_ns, packet.dropped))
    return found


def traced_and_captured(
    topology: Path, client: str, url: str, path: Path, nodes: tuple[str, ...]
) -> tuple[Trace, set[Passed]]:
    """A request, and what captures at all nodes on the way have seen of it, in network time."""

    async def work(network: Network) -> Trace:
        for node in nodes:
            await network.capture(node, path)
        return await network.trace(client, url)

    trace = on(topology, work)
    seen = captured(path)
    epoch = min(each.time_ns for each in seen) - trace.packets[0].sent_ns
    return trace, {each._replace(time_ns=each.time_ns - epoch) for each in seen}


def check_against_capture(trace: Trace, seen: set[Passed]) -> None:
    """What it says of each hop is in the capture, and what the capture has until the end in it."""
    told = set[Passed]()
    for packet in trace.packets:
        for hop in packet.hops:
            if not hop.is_lost or hop.ended_ns != hop.queued_ns:
                told.add(Passed(hop.sender, False, hop.queued_ns))
            if hop.ended_ns is not None and hop.is_lost:
                assert not packet.arrived_ns
                told.add(Passed(hop.sender, False, hop.ended_ns, hop.fate))
            elif hop.ended_ns is not None:
                told.add(Passed(hop.receiver, True, hop.ended_ns))
        for before, hop in pairwise(packet.hops):
            assert before.receiver.partition(":")[0] == hop.sender.partition(":")[0]
            assert before.ended_ns is not None
            assert before.ended_ns <= hop.queued_ns
    assert told <= seen
    until_end = {each for each in seen if each.time_ns < trace.ended_ns}
    assert {each for each in told if each.time_ns < trace.ended_ns} == until_end
    assert len(told) > 40


def check_times_on_cables(trace: Trace, rates: dict[str, tuple[int, int]]) -> None:
    """Between queue and arrival there is what the link says; `rates` are delay and bit/s."""
    for packet in trace.packets:
        for hop in packet.hops:
            if hop.left_ns is None or hop.serialised_ns is None or hop.due_ns is None:
                continue
            delay, rate = rates.get(hop.sender, (0, 0)) or (0, 0)
            assert hop.due_ns - hop.serialised_ns == delay
            assert hop.queued_ns <= hop.left_ns <= hop.serialised_ns
            assert hop.late_ns == 0
            if not rate:
                assert hop.serialised_ns == hop.left_ns


def check_parts(trace: Trace) -> None:
    """They follow each other without a gap, and add up to the whole, by row and by column."""
    assert trace.spans[0].start_ns == trace.started_ns
    assert trace.spans[-1].end_ns == trace.ended_ns
    for before, after in pairwise(trace.spans):
        assert before.end_ns == after.start_ns
    assert all(span.start_ns < span.end_ns for span in trace.spans)
    assert sum(trace.spent(phase) for phase in trace.phases) == trace.elapsed_ns
    assert sum(trace.spent(kind=kind) for kind in KINDS) == trace.elapsed_ns
    assert trace.spent() == trace.elapsed_ns


def test_a_request_on_the_campus(tmp_path: Path) -> None:
    nodes = ("alice", "s1", "r1", "r2", "s3", "web")
    path = tmp_path / "campus.pcapng"
    # Interfaces to others on the switches have seen the flood of a question, and nothing else.
    where = (
        "alice",
        "s1:eth0",
        "s1:eth2",
        "r1:eth0",
        "r1:eth2",
        "r2:eth0",
        "r2:eth1",
        "s3:eth0",
        "s3:eth2",
        "web",
    )
    trace, seen = traced_and_captured(CAMPUS, "alice", "http://web/ip", path, where)
    assert trace.nodes == nodes
    assert (trace.status, trace.reason, trace.error) == (200, "OK", "")
    check_against_capture(trace, seen)
    ring = {"r1:eth2": (2 * MILLISECOND, 0), "r2:eth1": (2 * MILLISECOND, 0)}
    access = (MILLISECOND // 5, 10**9)
    others = {hop.sender: access for each in trace.packets for hop in each.hops}
    check_times_on_cables(trace, others | dict.fromkeys(ring, (2 * MILLISECOND, 10**9)))
    check_parts(trace)
    # ARP, handshake, request and response: twice to each gateway, then three times the whole way.
    whole_way = (4 * 200 + 2000) * 1000
    assert trace.spent("ARP", "propagation") == 2 * whole_way
    assert trace.spent("handshake", "propagation") == 2 * whole_way
    assert trace.spent("request", "propagation") == whole_way
    assert trace.spent("response", "propagation") == whole_way
    assert trace.spent(kind="hosts") == trace.spent(kind="waiting") == 0
    same_as_golden("campus.txt", trace_text(trace, 100))
    same_as_golden("docs/campus-trace.svg", trace_svg(trace))


def test_a_request_over_a_lossy_path(lossy: Path, tmp_path: Path) -> None:
    path = tmp_path / "lossy.pcapng"
    nodes = ("alice", "r1", "web")
    trace, seen = traced_and_captured(lossy, "alice", "http://web/bytes/30000", path, nodes)
    assert (trace.nodes, trace.status, trace.size) == (nodes, 200, 30_000)
    check_against_capture(trace, seen)
    slow = (10 * MILLISECOND, 5_000_000)
    check_times_on_cables(
        trace,
        {
            "alice:eth0": (MILLISECOND, 0),
            "r1:eth0": (MILLISECOND, 0),
            "r1:eth1": slow,
            "web:eth0": slow,
        },
    )
    for packet in trace.packets:
        for hop in packet.hops:
            if hop.sender in ("r1:eth1", "web:eth0") and hop.serialised_ns and hop.left_ns:
                assert (hop.serialised_ns - hop.left_ns) % 1600 == 0  # octets at 5 mbit
    check_parts(trace)
    lost = [each for each in trace.packets if each.is_lost]
    assert lost
    assert all(each.hops[-1].fate == "loss" for each in lost)
    assert any(each.is_resent for each in trace.packets)
    assert trace.spent(kind="waiting") > 0
    same_as_golden("lossy.txt", trace_text(trace, 100))


@pytest.mark.parametrize("seed", range(12))
def test_the_parts_add_up_whatever_is_lost(lossy: Path, seed: int) -> None:
    trace = on(lossy, lambda net: net.trace("alice", "http://web/bytes/20000"), seed)
    check_parts(trace)
    # A request waits at the server for its program alone, which takes no time here.
    assert trace.spent("server") == 0
    assert (trace.size == 20_000) == (not trace.error)


def test_a_queue_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(LOSSY.replace("loss: 8%, ", "").replace("queue: 20", "queue: 200"))

    async def work(network: Network) -> Trace:
        download = asyncio.ensure_future(network.iperf("web", "alice", udp=True, bitrate="5.4mbit"))
        await asyncio.sleep(2)
        trace = await network.trace("alice", "http://web/ip")
        download.cancel()
        await asyncio.gather(download, return_exceptions=True)
        return trace

    trace = on(path, work)
    check_parts(trace)
    # A ninth too much for two seconds waits before each packet that comes back.
    queued = [
        hop.queueing_ns for each in trace.packets for hop in each.hops if hop.sender == "web:eth0"
    ]
    assert min(queued) > 150 * MILLISECOND
    assert trace.spent(kind="queueing") == pytest.approx(2 * min(queued), rel=0.5)
    assert " ms in the queue of web:eth0" in trace_text(trace)


def test_a_syn_that_waits_at_the_first_router_is_of_the_handshake(tmp_path: Path) -> None:
    """The name takes no time, nor does the cable to the router, which asks for its neighbour."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\nnodes:\n  alice: {kind: computer}\n  r1: {kind: router}\n"
        '  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}\n'
        "links: [[alice, r1], {endpoints: [r1, web], delay: 5ms}]\n"
    )

    async def work(network: Network) -> Trace:
        await network["alice"].ping("r1")
        return await network.trace("alice", "http://web/ip")

    trace = on(path, work)
    phases = {each.phase for each in trace.packets if each.protocol != "ARP"}
    assert phases == {"handshake", "request", "response"}


# What goes wrong ---------------------------------------------------------------------------------


def failing(
    url: str, before: Callable[[Network], Awaitable[object]] | None = None, timeout: float = 30
) -> Trace:
    async def work(network: Network) -> Trace:
        if before is not None:
            await before(network)
        return await network.trace("alice", url, timeout=timeout)

    trace = on(CAMPUS, work)
    if trace.spans:
        check_parts(trace)
    assert trace.error
    assert trace_text(trace)
    assert trace_svg(trace)
    return trace


def test_a_name_that_nobody_has() -> None:
    trace = failing("http://nobody/")
    assert trace.error == "could not resolve host nobody"
    assert (trace.nodes, trace.packets, trace.elapsed_ns) == (("alice",), (), 0)


def test_a_port_that_nobody_listens_at() -> None:
    trace = failing("http://web:81/")
    assert trace.error == "connection refused"
    assert trace.packets[-1].summary.startswith("Flags [R.]")
    assert trace.packets[-1].arrived_ns == trace.ended_ns
    assert trace.phases == ["ARP", "handshake"]
    assert failing("https://web/").error == "connection refused"


def test_an_address_that_nobody_has() -> None:
    trace = failing("http://10.0.3.99/")
    assert trace.error == "no route to host"
    # r2 has asked three times; the whole wait is for the answer to that.
    asked = [each for each in trace.packets if "who-has 10.0.3.99" in each.summary]
    assert [each.hops[0].sender for each in asked] == ["r2:eth0"] * 3
    assert trace.spent("ARP", "waiting") == 3 * SECOND
    assert trace.nodes == ("alice", "s1", "r1", "r2", "s3")
    near = failing("http://10.0.1.99/")
    assert near.error == "no route to host"
    assert near.spent("ARP", "waiting") == near.elapsed_ns == 3 * SECOND


def test_no_route() -> None:
    async def cut(network: Network) -> None:
        await network.partition(["alice"], ["web"])
        await network.converged()

    trace = failing("http://web/", cut)
    assert trace.error in ("network is unreachable", "no route to host")


def test_a_server_that_thinks_for_longer_than_anybody_waits() -> None:
    trace = failing("http://web/delay/5", timeout=2)
    assert trace.error == "timed out after 2 s"
    assert trace.phases[-1] == "server"
    assert trace.spent("server", "hosts") == trace.spent("server")
    assert trace.spent("server") > 1.9 * SECOND


def test_packets_that_vanish() -> None:
    trace = failing("http://web/", lambda net: _done(net.drop("alice", "web")), timeout=5)
    assert trace.error == "timed out after 5 s"
    assert trace.spent("handshake", "waiting") == pytest.approx(5 * SECOND, rel=0.01)
    assert [each.is_resent for each in trace.packets if each.protocol == "TCP"][:3] == [
        False,
        True,
        True,
    ]


async def _done(operation: Awaitable[object]) -> None:
    await operation


def test_a_node_that_dies_meanwhile() -> None:
    async def work(network: Network) -> Trace:
        tracing = asyncio.ensure_future(network.trace("alice", "http://web/delay/9", timeout=3))
        await asyncio.sleep(1)
        await network.crash("web")
        return await tracing

    trace = on(CAMPUS, work)
    check_parts(trace)
    assert trace.error == "timed out after 3 s"

    async def client_dies(network: Network) -> Trace:
        tracing = asyncio.ensure_future(network.trace("alice", "http://web/delay/9"))
        await asyncio.sleep(1)
        await network.crash("alice")
        with pytest.raises(ConnectionError, match="alice"):
            await tracing
        return await network.trace("bob", "http://files/")  # others go on

    assert on(CAMPUS, client_dies).status == 200


def two() -> networkx.Graph[str]:
    graph: networkx.Graph[str] = networkx.Graph(name="two")
    graph.add_edge("alice", "web", delay="1ms")
    return graph


def serving(context: ssl.SSLContext | None = None) -> Callable[[], Awaitable[None]]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello " * 2000)

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/")

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/", hello)
        app.router.add_get("/old", moved)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", 443 if context else 80, ssl_context=context).start()

    return serve


def test_tls_is_a_phase_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for_server, for_client = make_contexts(tmp_path)

    async def work(network: Network) -> tuple[Trace, Trace]:
        await network["web"].run(serving(for_server))
        refused = await network.trace("alice", "https://web/")
        monkeypatch.setattr("netsim.aio.client_defaults._own_context", lambda loop: for_client)
        return refused, await network.trace("alice", "https://web/")

    with pytest.warns(UnrepeatableWarning, match="used TLS"):
        refused, trace = on(two(), work)
    assert "self-signed certificate" in refused.error
    assert refused.phases == ["ARP", "handshake", "TLS"]
    assert (trace.status, trace.size, trace.error) == (200, 12_000, "")
    spent = {phase: trace.spent(phase) // MILLISECOND for phase in trace.phases}
    assert spent == {"handshake": 2, "TLS": 2, "request": 1, "response": 1}
    for each in (refused, trace):
        check_parts(each)
        assert "── TLS ──" in trace_text(each)


def test_a_redirect_is_told() -> None:
    async def work(network: Network) -> Trace:
        await network["web"].run(serving())
        return await network.trace("alice", "http://web/old")

    trace = on(two(), work)
    assert (trace.status, trace.location) == (302, "/")
    assert "from alice: 302 Found to /, " in trace_text(trace)
    assert trace.as_dict()["location"] == "/"


def test_errors_come_to_whichever_address_of_the_client_they_are_sent() -> None:
    trace = on(CAMPUS, lambda net: net.trace("r1", "http://10.0.3.99/"))
    assert trace.error == "no route to host"
    told = [each for each in trace.packets if each.protocol == "ICMP"]
    assert {each.hops[0].sender for each in told} == {"r2:eth1"}


def test_a_long_download_with_losses_does_not_hold_up_the_network_for_long(lossy: Path) -> None:
    lossy.write_text(LOSSY.replace("5mbit, loss: 8%", "1gbit, loss: 2%").replace("20", "1000"))
    began = time.process_time()
    trace = on(lossy, lambda net: net.trace("alice", "http://web/bytes/6000000"))
    assert time.process_time() - began < 10, "a few seconds, and not a minute"
    assert (trace.size, len(trace.packets) > 5000) == (6_000_000, True)
    check_parts(trace)


def test_a_huge_body(lossy: Path) -> None:
    lossy.write_text(LOSSY.replace("5mbit, loss: 8%, queue: 20", "1gbit"))

    async def work(network: Network) -> Trace:
        return await network.trace("alice", "http://web/bytes/100000")

    whole = on(lossy, work)
    check_parts(whole)
    assert (whole.size, whole.left_out) == (100_000, 0)
    text = trace_text(whole)
    assert "packets like these" in text
    assert len(text.splitlines()) < 120


def test_what_cannot_be_traced_raises() -> None:
    async def work(network: Network) -> Trace:
        for url in ("web", "", "ftp://web/", "http://", "http://web:99999/"):
            with pytest.raises(InvalidValueError, match="is no URL; write for example `http://"):
                await network.trace("alice", url)
        with pytest.raises(InvalidValueError):
            await network.trace("alice", "http://web/", timeout=0)
        with pytest.raises(UnknownNameError):
            await network.trace("nobody", "http://web/")
        with pytest.raises(NoProgramsError):
            await network.trace("s1", "http://web/")
        return await network.trace("alice", "http://web/ip")

    assert on(CAMPUS, work).status == 200


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_nothing_is_watched_any_more(is_cancelled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(network: Network) -> None:
        if is_cancelled:
            backend, begun = network._backend, asyncio.Event()
            begin = backend.begin_hops

            async def begin_slowly(*words: Any) -> None:
                await begin(*words)
                begun.set()
                await asyncio.sleep(10)

            monkeypatch.setattr(backend, "begin_hops", begin_slowly)
            tracing = asyncio.create_task(network.trace("alice", "http://web/ip"))
            await begun.wait()
            tracing.cancel()
            await asyncio.gather(tracing, return_exceptions=True)
        else:
            await network.trace("alice", "http://web/ip")
        site = network._backend._site  # type: ignore[attr-defined]
        for node in site.nodes.values():
            for port in node.ports:
                assert (port.taps, port.departure_taps, port.on_drop) == ([], [], None)
                assert port.egress.on_drop is None

    on(CAMPUS, work)


# Text --------------------------------------------------------------------------------------------


def test_text_and_picture_say_that_timing_cannot_be_trusted() -> None:
    trace = on(CAMPUS, lambda net: net.trace("alice", "http://web/ip"))
    told = replace(trace, untrusted="timing cannot be trusted: 1 frame 40 ms late, at s1")
    assert trace_text(told).splitlines()[1] == told.untrusted
    assert f">{told.untrusted}<" in trace_svg(told)
    assert told.as_dict()["untrusted"] == told.untrusted
    assert (trace.untrusted, "trusted" in trace_text(trace) + trace_svg(trace)) == ("", False)


def test_the_text_is_as_narrow_as_it_may_be_and_prints_everywhere() -> None:
    trace = on(CAMPUS, lambda net: net.trace("alice", "http://web/anything/%1b%5b2J?q=%07"))
    for width in (80, 100, 120):
        text = trace_text(trace, width)
        assert max(map(len, text.splitlines()[1:])) <= width
        assert all(line.isprintable() for line in text.splitlines())
    plain = trace_text(trace, 80, unicode=False)
    assert plain.isascii()
    assert "o--" in plain
