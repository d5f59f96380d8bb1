"""Networks whose links take packets of different sizes: pings, datagrams and TCP come through."""

from __future__ import annotations

import random

import pytest
from memory_network import MemoryNetwork
from memory_runs import Transfer, ping, running
from plans import plan_of

from netsim.core.time import SECOND
from netsim.stack.icmp_layer import EchoReply
from netsim.stack.path_mtu import LIFETIME
from netsim.topology.plan import NetworkPlan
from netsim.wire import icmp

TEXT = random.Random(2).randbytes(200_000)


def narrowing(*mtus: int, attributes: str = "delay=1ms") -> NetworkPlan:
    """c1, a router before each further link, c2."""
    routers = [f"r{number}" for number in range(1, len(mtus))]
    names = ["c1", *routers, "c2"]
    links = zip(names, names[1:], mtus, strict=False)
    return plan_of(*(f"{a} {b} mtu={mtu} {attributes}" for a, b, mtu in links))


def silence(network: MemoryNetwork, *names: str) -> None:
    """These routers report nothing."""
    for name in names:

        def send_error(kind: int, code: int, packet: bytes, now: int, *, rest: int = 0) -> None:
            pass

        network.host(name).icmp.send_error = send_error  # type: ignore[method-assign]


@pytest.mark.parametrize("mtus", [(1500, 1500), (1500, 576, 1500), (1500, 1000, 576, 68, 9000)])
@pytest.mark.parametrize("size", [1472, 4000, 20_000])
def test_a_large_ping_comes_through(mtus: tuple[int, ...], size: int) -> None:
    with running(narrowing(*mtus)) as network:
        for _ in range(4):  # the first ones resolve the neighbours and learn what the path takes
            back = ping(network, "c1", "c2", size=size)
        assert back is not None
        assert isinstance(back[0], EchoReply)
        assert len(back[0].data) == size
        network.run_for(60 * SECOND)
        for host in ("c1", "c2"):
            assert len(network.host(host).ip_input.reassembly) == 0


def test_fragments_that_are_lost_take_their_ping_with_them_and_nothing_else() -> None:
    with running(
        narrowing(1500, 576, 1500, attributes="delay=1ms loss=2% duplicate=2%")
    ) as network:
        answered = sum(
            isinstance(back[0], EchoReply)
            for _ in range(60)
            if (back := ping(network, "c1", "c2", size=3000)) is not None
        )
        assert 10 < answered < 55
        network.run_for(60 * SECOND)
        for name in ("c1", "c2"):
            assert len(network.host(name).ip_input.reassembly) == 0
        drops = network.host("c2").drops
        assert drops["reassembly-timeout"] > 0


def test_a_large_datagram_comes_through() -> None:
    with running(narrowing(1500, 600, 1500)) as network:
        ping(network, "c1", "c2")
        socket = network.host("c2").udp.bind(None, 53)
        speaker = network.host("c1").udp.bind(None, 0)
        speaker.send(TEXT[:60_000], (network.plan.hosts["c2"], 53), network.now)
        network.run_for(SECOND)
        got = socket.receive()
        assert got is not None
        assert got.payload == TEXT[:60_000]
        assert network.host("r1").ip.fragmented > 0


@pytest.mark.parametrize(
    "mtus", [(1500, 576, 1500), (576, 1500), (1500, 1400, 1000, 576), (1500, 296, 1500)]
)
def test_tcp_fits_itself_to_the_path_that_tells(mtus: tuple[int, ...]) -> None:
    with running(narrowing(*mtus)) as network:
        transfer = Transfer(network, "c1", "c2", TEXT)
        assert transfer.run(20 * SECOND) == TEXT
        assert network.now < 5 * SECOND
        counters = network.host("c1").tcp.counters
        assert (counters.timeouts, counters.black_holes) == (0, 0)


def test_tcp_finds_the_size_that_a_silent_path_takes() -> None:
    with running(narrowing(1500, 576, 1500)) as network:
        silence(network, "r1", "r2")
        transfer = Transfer(network, "c1", "c2", TEXT)
        assert transfer.run(60 * SECOND) == TEXT
        counters = network.host("c1").tcp.counters
        assert counters.black_holes == 2
        assert network.host("r1").drops["too-big"] > 0
        assert network.now < 20 * SECOND


def test_tcp_finds_a_larger_size_where_it_can() -> None:
    with running(narrowing(1500, 1300, 1500)) as network:
        silence(network, "r1")
        transfer = Transfer(network, "c1", "c2", TEXT * 5)
        assert transfer.run(60 * SECOND) == TEXT * 5
        assert 1300 - 52 - 8 <= transfer.sender.sender.mss <= 1300 - 52


def test_two_connections_share_what_one_was_told() -> None:
    with running(narrowing(1500, 1000, 1500)) as network:
        first = network.host("c1").tcp
        listener = network.host("c2").tcp.listen(None, 81)
        other = first.connect((network.plan.hosts["c2"], 81), network.now)
        network.run_for(SECOND)
        assert other.connected
        assert other.sender.mss == 1448
        transfer = Transfer(network, "c1", "c2", TEXT)
        assert transfer.run(20 * SECOND) == TEXT
        assert other.sender.mss == 948
        refused = network.host("r1").drops["too-big"]
        other.send(TEXT[:50_000])
        network.flush()
        network.run_for(2 * SECOND)
        taken = listener.accept()
        assert taken is not None
        assert taken.receive() == TEXT[:50_000]
        assert network.host("r1").drops["too-big"] == refused


def test_a_connection_tries_larger_segments_when_the_path_is_forgotten() -> None:
    with running(narrowing(1500, 1000, 1500)) as network:
        tcp = network.host("c1").tcp
        network.host("c2").tcp.listen(None, 81)
        connection = tcp.connect((network.plan.hosts["c2"], 81), network.now)
        network.run_for(SECOND)
        connection.send(TEXT[:5000])
        network.flush()
        network.run_for(SECOND)
        assert connection.sender.mss == 948
        network.run_for(LIFETIME)
        assert connection.sender.mss == 1448
        connection.send(TEXT[:5000])
        network.flush()
        network.run_for(SECOND)
        assert (connection.sender.mss, connection.buffered_bytes) == (948, 0)
        assert tcp.counters.timeouts == 0


def test_a_ping_whose_fragment_is_lost_hears_of_it() -> None:
    """RFC 1122 3.3.2: the target has waited long enough."""
    with running(narrowing(1500, 1500)) as network:
        c1, c2 = network.host("c1"), network.host("c2")
        socket = c1.icmp.open_echo(9)
        ping(network, "c1", "c2")
        socket.send(network.plan.hosts["c2"], 1, bytes(3000), network.now)
        c1.outbox.pop()
        network.flush()
        network.run_for(40 * SECOND)
        (error,) = socket.inbox
        assert not isinstance(error, EchoReply)
        assert (error.message.type, error.message.code) == (
            icmp.TIME_EXCEEDED,
            icmp.REASSEMBLY_TIME_EXCEEDED,
        )
        assert c2.drops["reassembly-timeout"] == 2
