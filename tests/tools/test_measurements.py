"""Measurements that run on computers: replies, round trips, paths, transfers, and failures."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from aiohttp import web
from plans import chain, plan_of
from resets import reset
from virtual_computers import World, world

from netsim import (
    HttpFailedError,
    HttpReply,
    HttpTimings,
    PingReport,
    TransferFailedError,
    UnknownNameError,
)
from netsim.core.link_attributes import LinkAttributes
from netsim.core.time import MILLISECOND, SECOND
from netsim.tools.http_exchange import http_exchange
from netsim.tools.path_trace import PathTrace, trace_path
from netsim.tools.ping_measurement import ping
from netsim.tools.resolve import resolve
from netsim.tools.transfer import Transfer, close_sink, drain_sink, open_sink, send_bytes

__all__ = ["world"]


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Copied = TypeVar("Copied")


def copy_of(value: Copied) -> Copied:
    copy: Copied = pickle.loads(pickle.dumps(value))  # noqa: S301
    return copy


async def serve(handler: Handler) -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, 80).start()


async def echo(request: web.Request) -> web.StreamResponse:
    """What was asked, after 50 ms."""
    await asyncio.sleep(0.05)
    if request.path == "/away":
        raise web.HTTPFound("/here")
    headers = [("X-One", "1"), ("X-One", "2"), ("X-Method", request.method)]
    text = f"{request.path} {request.headers.get('X-Mine')} {await request.text()}"
    return web.Response(text=text, status=418, headers=headers)


async def talk(lines: bytes, then: str) -> Any:
    """A server that reads a request, says `lines` and closes or resets."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(lines)
        await writer.drain()
        await asyncio.sleep(0.1)
        if then == "reset":
            reset(writer.transport)
        writer.close()

    return await asyncio.start_server(handle, None, 80)


def failure(world: World, url: str, **options: Any) -> str:
    with pytest.raises(HttpFailedError) as caught:
        world.run("alice", http_exchange("GET", url, **options))
    copy = copy_of(caught.value)
    assert (str(copy), copy.reason) == (str(caught.value), caught.value.reason)
    return caught.value.reason


# HTTP -----------------------------------------------------------------------------------------


def test_a_reply_is_whole_timed_and_can_be_copied(world: World) -> None:
    world.run("web", serve(echo))
    world.run("alice", ping("web", 1, 1.0, 1.0, 56))  # resolves the neighbours
    reply = world.run(
        "alice", http_exchange("post", "http://web/x", {"X-Mine": "yes"}, "größer".encode())
    )
    assert (reply.status, reply.reason, reply.version) == (418, "I'm a Teapot", "1.1")
    assert reply.text == "/x yes größer"
    assert reply.headers["x-method"] == "POST"
    assert reply.headers.getall("X-ONE") == ["1", "2"]
    assert reply.url == "http://web/x"
    # 1 ms on each of two cables: a round trip to connect, another and 50 ms for the reply.
    expected = [4, 4, 58, 58]
    timings = reply.timings
    seen = [timings.connected_ns, timings.sent_ns, timings.first_byte_ns, timings.done_ns]
    assert [ns / MILLISECOND for ns in seen] == expected
    assert reply.elapsed_ns == 58 * MILLISECOND
    copy = copy_of(reply)
    assert copy == reply
    assert copy.headers.getall("x-one") == ["1", "2"]


def test_redirects_are_followed_when_asked(world: World) -> None:
    world.run("web", serve(echo))
    assert world.run("alice", http_exchange("GET", "http://web/away")).status == 302
    reply = world.run("alice", http_exchange("GET", "http://web/away", follow_redirects=True))
    assert (reply.status, reply.url) == (418, "http://web/here")


def test_bodies_decode_as_they_say() -> None:
    def reply(kind: str, body: bytes) -> HttpReply:
        from multidict import CIMultiDict

        headers = CIMultiDict({"Content-Type": kind})
        return HttpReply(200, "OK", "1.1", headers, body, "", HttpTimings(0, 0, 0, 0))

    assert reply("text/plain; charset=latin-1", b"\xe4").text == "ä"
    assert reply("text/plain; charset=nonsense", b"\xe4a").text == "\ufffda"
    assert reply("", "ä".encode()).text == "ä"
    assert reply("application/json", b'{"a": [1]}').json() == {"a": [1]}
    with pytest.raises(ValueError, match="Expecting"):
        reply("", b"no").json()


def test_what_can_go_wrong_with_http_is_said(world: World) -> None:
    world.run("web", serve(echo))
    assert failure(world, "http://web:81/") == "connection refused"
    assert failure(world, "http://nobody/") == "could not resolve host nobody"
    assert failure(world, "http://10.0.1.99/") == "no route to host"
    assert failure(world, "http://web/", timeout=0.02) == "timed out after 0.02 s"
    assert failure(world, "http:///") == "this is no URL; write for example `http://web/`"
    assert "header" in failure(world, "http://web/", headers={"A": "b\r\nc: d"}).lower()


@pytest.mark.parametrize(
    ("lines", "then", "reason"),
    [
        (b"", "close", "empty reply"),
        (b"", "reset", "connection reset by peer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "close", "before the end"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "reset", "connection reset by peer"),
        (b"nonsense\r\n\r\n", "close", "malformed reply"),
    ],
)
def test_servers_that_fail_halfway(world: World, lines: bytes, then: str, reason: str) -> None:
    world.run("web", talk(lines, then))
    assert reason in failure(world, "http://web/")
    world.run_for(1)  # the server has ended


def test_a_connection_to_nobody_times_out_in_network_time(world: World) -> None:
    world.run("alice", ping("web", 1, 1.0, 1.0, 56))
    world.network.port("web", "eth0").egress.change(LinkAttributes(loss=1.0), world.now)
    started = world.now
    assert failure(world, "http://web/") in ("no route to host", "connection timed out")
    assert world.now - started > SECOND


# ping -----------------------------------------------------------------------------------------


def test_ping_counts_and_times(world: World) -> None:
    world.run("alice", ping("web", 1, 1.0, 1.0, 56))
    started = world.now
    report = world.run("alice", ping("web", 3, 0.5, 2.0, 56))
    assert report == PingReport(
        3,
        3,
        0,
        (4 * MILLISECOND,) * 3,
        arrived_at=tuple(started + n * SECOND // 2 + 4 * MILLISECOND for n in range(3)),
        ttls=(63,) * 3,
    )
    assert world.now - started == SECOND + 4 * MILLISECOND
    assert (report.loss, report.min_ns, report.max_ns) == (0.0, 4_000_000, 4_000_000)
    assert (report.avg_ns, report.median_ns, report.stddev_ns) == (4e6, 4e6, 0.0)
    assert copy_of(report) == report


def test_statistics_of_round_trips() -> None:
    report = PingReport(5, 4, 0, (1, 2, 3, 10))
    assert report.loss == pytest.approx(0.2)
    assert (report.min_ns, report.avg_ns, report.median_ns, report.max_ns) == (1, 4.0, 2.5, 10)
    assert report.stddev_ns == pytest.approx(12.5**0.5)
    nothing = PingReport(2, 0, 0, ())
    assert nothing.loss == 1.0
    assert nothing.min_ns is nothing.avg_ns is nothing.median_ns is nothing.stddev_ns is None


def test_what_is_lost_is_waited_for_as_long_as_was_asked(world: World) -> None:
    world.run("alice", ping("web", 1, 1.0, 1.0, 56))
    world.network.port("web", "eth0").egress.change(LinkAttributes(loss=1.0), world.now)
    started = world.now
    report = world.run("alice", ping("web", 2, 0.5, 3.0, 56))
    assert report == PingReport(2, 0, 0, (), lost=(1, 2))
    assert world.now - started == 3.5 * SECOND


def test_answers_that_are_late_do_not_count(world: World) -> None:
    world.run("alice", ping("web", 1, 1.0, 1.0, 56))
    late = LinkAttributes(delay_ns=SECOND)
    world.network.port("web", "eth0").egress.change(late, world.now)
    assert world.run("alice", ping("web", 4, 0.5, 0.6, 56)).received == 0


def test_duplicates_are_counted_apart(world: World) -> None:
    world.run("alice", ping("web", 1, 1.0, 1.0, 56))
    world.network.port("web", "eth0").egress.change(LinkAttributes(duplicate=1.0), world.now)
    report = world.run("alice", ping("web", 3, 1.0, 2.0, 56))
    # The last one comes when everything was seen.
    assert (report.received, report.duplicates, len(report.rtts_ns)) == (3, 2, 3)


def test_no_route_is_loss_until_there_is_one() -> None:
    world = World(plan_of("alice bob"))
    report = world.run("alice", ping("10.9.9.9", 2, 1.0, 1.0, 56))
    assert (report.sent, report.received, report.loss) == (2, 0, 1.0)
    assert report.errors == ("sendmsg: Network is unreachable",) * 2
    world.close()


def test_errors_of_routers_are_told(world: World) -> None:
    report = world.run("alice", ping("10.99.0.1", 1, 1.0, 1.0, 56))
    assert report.errors == ("Destination Net Unreachable (from 10.0.1.1)",)
    with pytest.raises(UnknownNameError, match="'nobody'"):
        world.run("alice", ping("nobody", 1, 1.0, 1.0, 56))


# Paths and names ------------------------------------------------------------------------------


def test_a_path_is_the_routers_on_the_way() -> None:
    world = World(chain())
    assert world.run("alice", trace_path("web")) == PathTrace("10.0.3.10", ("10.0.1.1", "10.0.2.2"))
    assert world.run("alice", trace_path("10.0.1.1")).hops == ()
    assert world.run("alice", trace_path("alice")) == PathTrace("10.0.1.10", ())
    world.close()


def test_a_path_is_found_though_probes_are_lost() -> None:
    world = World(plan_of("alice r1 loss=20%", "r1 r2", "r2 web", seed=5))
    trace = world.run("alice", trace_path("web"))
    assert (len(trace.hops), trace.problem) == (2, "")
    world.close()


def test_a_path_that_ends_says_where(world: World) -> None:
    assert world.run("alice", trace_path("10.99.0.1")) == PathTrace(
        "10.99.0.1", ("10.0.1.1",), "network unreachable", "10.0.1.1"
    )
    assert world.run("alice", trace_path("10.0.1.99")).problem == "host unreachable"
    world.network.port("r1", "eth1").egress.change(LinkAttributes(loss=1.0), world.now)
    trace = world.run("alice", trace_path("web"))
    assert (trace.hops, bool(trace.problem)) == (("10.0.1.1",), True)


def test_names_resolve_as_programs_see_them(world: World) -> None:
    assert world.run("alice", resolve("web")) == "10.0.2.10"
    assert world.run("alice", resolve("WEB.")) == "10.0.2.10"
    assert world.run("alice", resolve("10.0.1.7")) == "10.0.1.7"
    assert world.run("alice", resolve("nobody")) is None
    assert world.run("alice", resolve("")) is None


# Transfers ------------------------------------------------------------------------------------


def test_a_transfer_is_timed_from_syn_to_the_last_byte(world: World) -> None:
    world.run("alice", ping("web", 1, 1.0, 1.0, 56))
    port = world.run("web", open_sink(1000))
    draining = world.start("web", drain_sink(port))
    started = world.now
    sent = world.run("alice", send_bytes("10.0.2.10", port, 1000))
    # SYN, SYN-ACK, data: three times one way.
    progress = draining.result()
    assert (sent.started_at, progress[-1]) == (started, (started + 6 * MILLISECOND, 1000))
    assert sent.retransmissions == 0
    world.run("web", close_sink(port))
    world.run("web", close_sink(port))
    with pytest.raises(TransferFailedError, match="0 of 5 bytes sent: connection refused"):
        world.run("alice", send_bytes("10.0.2.10", port, 5))


def test_progress_is_kept_in_so_many_marks_and_says_when_nothing_arrived() -> None:
    world = World(plan_of("alice r1 bandwidth=10mbit", "r1 web bandwidth=10mbit"))
    port = world.run("web", open_sink(3_000_000))
    draining = world.start("web", drain_sink(port))
    sending = world.start("alice", send_bytes("10.0.2.10", port, 3_000_000))
    world.run_for(1.0)
    world.network.port("r1", "eth1").egress.change(LinkAttributes(loss=1.0), world.now)
    world.run_for(1.0)
    world.network.port("r1", "eth1").egress.change(LinkAttributes(bandwidth_bps=10**7), world.now)
    world.run_for(10)
    sent, progress = sending.result(), draining.result()
    assert 50 <= len(progress) <= 200
    assert progress == tuple(sorted(progress))
    transfer = Transfer(3_000_000, progress[-1][0] - sent.started_at, 0, progress)
    rates = transfer.rates()
    assert 12 <= len(rates) <= 50
    width = (progress[-1][0] - progress[0][0]) / len(rates)
    assert all(
        later - earlier == pytest.approx(width) for (earlier, _), (later, _) in pairwise(rates)
    )
    carried = sum(bps * (width / SECOND) / 8 for _, bps in rates)
    assert carried == pytest.approx(3_000_000, rel=1e-3)
    fastest = max(bps for _, bps in rates)
    assert 9e6 < fastest < 12.5e6
    outage = [bps for at, bps in rates if 1.3 < (at - sent.started_at) / SECOND < 1.9]
    assert outage
    assert not any(outage)
    world.run("web", close_sink(port))
    world.close()


def test_rates_of_what_took_no_time_and_of_what_has_no_progress() -> None:
    assert Transfer(8, 0, 0, ((5, 0), (5, 8))).rates() == [(5, float("inf"))]
    assert Transfer(8, SECOND, 0, ((0, 0), (SECOND, 8))).rates() == [(SECOND, 64.0)]
    assert Transfer(8, SECOND, 0).rates() == []


def test_lost_segments_are_sent_again_and_counted() -> None:
    world = World(plan_of("alice r1 delay=1ms loss=3%", "r1 web delay=1ms", seed=2))
    port = world.run("web", open_sink(500_000))
    draining = world.start("web", drain_sink(port))
    sent = world.run("alice", send_bytes("10.0.2.10", port, 500_000))
    assert draining.done()
    assert sent.retransmissions > 0
    world.run("web", close_sink(port))
    world.close()


def test_a_transfer_that_is_cut_off_says_how_far_it_got(world: World) -> None:
    port = world.run("web", open_sink(10_000))

    async def half() -> None:
        _, writer = await asyncio.open_connection("10.0.2.10", port)
        writer.write(bytes(4_000))
        await asyncio.sleep(1)
        reset(writer.transport)

    draining = world.start("web", drain_sink(port))
    world.run("alice", half())
    world.run_for(1)
    with pytest.raises(TransferFailedError, match="4000 of 10000 bytes arrived: connection reset"):
        draining.result()
    world.run("web", close_sink(port))


def test_a_sink_that_closes_fails_the_sender(world: World) -> None:
    port = world.run("web", open_sink(10_000_000))
    sending = world.start("alice", send_bytes("10.0.2.10", port, 10_000_000))
    world.run_for(0.02)
    world.run("web", close_sink(port))
    world.run_for(10)
    with pytest.raises(TransferFailedError, match="of 10000000 bytes sent"):
        sending.result()
