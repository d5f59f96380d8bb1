"""A whole network in memory: times, order, carriers, accounts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from heapq import heappop
from pathlib import Path
from typing import Any

import memory_runs
import pytest
from memory_network import MemoryNetwork
from memory_runs import busy_trace, check_accounts, ping, running, watch
from plans import chain, plan_of

from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.node.switch import Switch
from netsim.observe.tap import Direction
from netsim.stack.icmp_layer import EchoError, EchoReply
from netsim.topology.load_topology import load_plan
from netsim.wire import icmp
from netsim.wire.address import format_ip

ROOT = Path(__file__).parents[2]


def test_a_ping_takes_exactly_the_delays_and_serialisation_of_its_links() -> None:
    plan = plan_of(
        "alice s1 delay=200us bandwidth=1gbit",
        "s1 r1 delay=300us bandwidth=100mbit",
        "r1 r2 delay=7ms bandwidth=10mbit",
        "r2 s2 delay=11us",
        "s2 web delay=1ns bandwidth=8mbit",
    )
    frame_bits = (14 + 20 + 8 + 56) * 8
    delays = 200_000 + 300_000 + 7_000_000 + 11_000 + 1
    serialisation = sum(frame_bits * SECOND // rate for rate in (10**9, 10**8, 10**7, 8 * 10**6))
    with running(plan) as network:
        first = ping(network, "alice", "web")
        assert first is not None, "neighbours are resolved on the way"
        assert first[1] > 2 * (delays + serialisation)
        for _ in range(3):
            network.run_for(123_457)
            answered = ping(network, "alice", "web")
            assert answered is not None
            reply, rtt = answered
            assert isinstance(reply, EchoReply)
            assert (reply.ttl, rtt) == (62, 2 * (delays + serialisation))


def test_the_campus_ping_takes_what_its_file_says() -> None:
    with running(load_plan(ROOT / "topologies" / "campus.yaml")) as network:
        ping(network, "alice", "web")
        answered = ping(network, "alice", "web")
        assert answered is not None
        serialisation = 10 * 98 * 8
        assert answered[1] == 5_600 * MICROSECOND + serialisation


def test_traceroute_shows_each_router() -> None:
    seen = []
    with running(chain()) as network:
        hosts = {address: name for name, address in network.plan.hosts.items() if "." not in name}
        for ttl in range(1, 5):
            answered = ping(network, "alice", "web", ttl=ttl)
            assert answered is not None
            back, rtt = answered
            node = next(
                plan.name
                for plan in network.plan.nodes
                if back.source in {interface.address for interface in plan.interfaces}
            )
            seen.append((node, type(back)))
            assert rtt >= 2 * MILLISECOND * min(ttl + 1, 5)
            if isinstance(back, EchoReply):
                assert hosts[back.source] == "web"
                break
            assert back.message.type == icmp.TIME_EXCEEDED
    assert seen == [("r1", EchoError), ("r2", EchoError), ("web", EchoReply)]


def test_a_host_that_is_not_there_is_unreachable() -> None:
    with running(chain()) as network:
        socket = network.host("alice").icmp.open_echo(1)
        absent = network.plan.hosts["web"][:3] + b"\xc8"
        socket.send(absent, 1, b"", 0)
        network.run_until(10 * SECOND)
        (error,) = socket.inbox
        assert isinstance(error, EchoError)
        assert (error.message.type, error.message.code) == (3, icmp.HOST_UNREACHABLE)
        hosts = network.plan.hosts
        router = next(name for name, address in hosts.items() if address == error.source)
        assert router == "r2", format_ip(error.source)
        # Three questions, one second apart, and the way there and back.
        assert 3 * SECOND < error.now < 3 * SECOND + 20 * MILLISECOND


def test_a_switch_floods_once_and_then_knows() -> None:
    plan = plan_of("c1 s1", "c2 s1", "c3 s1", "c4 s1")
    with running(plan) as network:
        switch = network.nodes["s1"]
        assert isinstance(switch, Switch)
        for _ in range(5):
            assert ping(network, "c1", "c2") is not None
        assert switch.flooded == 1, "the ARP question"
        assert network.host("c3").drops == Counter()
        assert len(switch.table.entries(network.now)) == 2


def test_the_same_seed_gives_the_same_frames_at_the_same_times() -> None:
    assert busy_trace(7) == busy_trace(7)
    assert busy_trace(7) != busy_trace(8)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_trace_does_not_depend_on_the_order_of_sets(hash_seed: str) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    script = memory_runs.__file__
    run = subprocess.run(
        [sys.executable, script, "7"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout == busy_trace(7)


def test_events_are_handled_in_order_of_time_source_and_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handled: list[tuple[int, int, int]] = []

    def record(agenda: list[Any]) -> Any:
        entry = heappop(agenda)
        handled.append(entry[:3])
        return entry

    monkeypatch.setattr("memory_network.heappop", record)
    ends = ("c1 s1", "c2 s1", "c3 s1", "c4 s1", "s1 r1", "r1 c5")
    # With a delay nothing is caused at the time at which it happens: all is known before.
    plan = plan_of(*(f"{link} delay=1ms" for link in ends))
    with running(plan) as network:
        for source in ("c4", "c1", "c3", "c2"):
            socket = network.host(source).icmp.open_echo(1)
            socket.send(network.plan.hosts["c5"], 1, b"", 0)
        network.run_until(SECOND)
    assert len(set(handled)) == len(handled) > 50
    assert len({due for due, _, _ in handled}) < len(handled) / 2
    assert handled == sorted(handled)


def test_frames_that_arrive_at_one_time_are_handled_in_the_order_of_their_cables() -> None:
    orders = set()
    for senders in (("c1", "c2", "c3"), ("c3", "c1", "c2"), ("c2", "c3", "c1")):
        with running(plan_of("c1 r1", "c2 r1", "c3 r1")) as network:
            ring = watch(network)
            for sender in senders:
                network.host(sender).udp.bind(None, 1).send(b"", (b"\xff" * 4, 9), 0)
            network.run_until(0)
            inbound = [row for row in ring.frames if row.direction is Direction.INBOUND]
            orders.add(tuple(row.interface for row in inbound))
    assert orders == {("r1/eth0", "r1/eth1", "r1/eth2")}


def test_time_goes_on_to_the_end_and_stops_where_it_is_told() -> None:
    with running(chain()) as network:
        network.run_until(5 * SECOND)
        assert network.now == 5 * SECOND
        network.run_until(SECOND)
        assert network.now == 5 * SECOND, "it never goes back"
        socket = network.host("alice").icmp.open_echo(1)
        socket.send(network.plan.hosts["web"], 1, b"", network.now)
        network.run_for(SECOND, lambda: bool(socket.inbox))
        assert network.now == socket.inbox[0].now < 6 * SECOND


def test_the_accounts_balance_while_frames_are_on_their_way() -> None:
    with running(chain("delay=5ms bandwidth=1mbit")) as network:
        ping(network, "alice", "web")
        host = network.host("alice")
        socket = host.udp.bind(None, 0)
        for _ in range(20):
            socket.send(bytes(1000), (network.plan.hosts["web"], 9), network.now)
        in_flight = set()
        for _ in range(60):
            network.run_for(3 * MILLISECOND)
            check_accounts(network)
            in_flight.add(network.accounts()["alice/eth0"].in_flight)
        assert max(in_flight) > 10
        assert min(in_flight) == 0


# Carriers


def test_what_is_in_flight_is_lost_with_the_carrier_though_it_comes_back() -> None:
    with running(plan_of("c1 c2 delay=10ms")) as network:
        ping(network, "c1", "c2")
        socket = network.host("c2").udp.bind(None, 9)
        sender = network.host("c1").udp.bind(None, 0)
        for _ in range(3):
            sender.send(b"lost", (network.plan.hosts["c2"], 9), network.now)
        network.run_for(5 * MILLISECOND)
        network.set_link("c2", "eth0", up=False)
        network.set_link("c1", "eth0", up=False)
        check_accounts(network)
        network.run_for(1 * MILLISECOND)
        network.set_link("c1", "eth0", up=True)
        network.run_for(SECOND)
        assert not socket.inbox
        account = network.accounts()["c1/eth0"]
        assert (account.dropped, account.in_flight) == ({"carrier": 3}, 0)
        assert ping(network, "c1", "c2") is not None


def test_what_waits_in_a_queue_is_lost_with_the_carrier() -> None:
    with running(plan_of("c1 c2 bandwidth=100kbit")) as network:
        ping(network, "c1", "c2")
        sender = network.host("c1").udp.bind(None, 0)
        for _ in range(10):
            sender.send(bytes(1200), (network.plan.hosts["c2"], 9), network.now)
        network.run_for(MILLISECOND)
        network.set_link("c1", "eth0", up=False)
        assert network.accounts()["c1/eth0"].dropped == {"carrier": 10}


def test_a_cable_that_flaps_while_it_is_busy_delivers_what_is_sent_next_in_time() -> None:
    # Its next departure was seconds away before the queue was lost.
    with running(plan_of("c1 c2 bandwidth=10kbit")) as network:
        ping(network, "c1", "c2", size=0)
        hosts = network.plan.hosts
        sender = network.host("c1").udp.bind(None, 0)
        for _ in range(5):
            sender.send(bytes(1400), (hosts["c2"], 9), network.now)
        network.run_for(MILLISECOND)
        network.set_link("c1", "eth0", up=False)
        network.set_link("c1", "eth0", up=True)
        asked = network.now
        answered = ping(network, "c1", "c2", size=0)
        assert answered is not None
        for _ in range(3):
            sender.send(b"", (hosts["c2"], 9), network.now)
        network.run_for(SECOND)
        assert network.accounts()["c1/eth0"].in_flight == 0
        assert network.now - asked < 3 * SECOND


def test_routes_over_a_dead_link_are_not_used() -> None:
    with running(chain()) as network:
        assert ping(network, "alice", "web") is not None
        interface = next(each for each in network.plan.node("r1").interfaces if each.peer == "r2")
        network.set_link("r1", interface.name, up=False)
        answered = ping(network, "alice", "web")
        assert answered is not None
        error, _ = answered
        assert isinstance(error, EchoError)
        assert error.message.code == icmp.NETWORK_UNREACHABLE
        network.set_link("r1", interface.name, up=True)
        answered = ping(network, "alice", "web")
        assert answered is not None
        assert isinstance(answered[0], EchoReply)


# Names


def test_what_is_not_there_has_no_port() -> None:
    with pytest.raises(KeyError):
        MemoryNetwork(chain()).port("alice", "eth7")
