"""A site in real time: any number of nodes on one agenda, cables that stay inside or lead away."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from plans import plan_of

from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.observe.link_account import LinkAccount
from netsim.realtime.cut import Counters
from netsim.realtime.engine import Engine
from netsim.realtime.event_loop import SiteSelector
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.wire import WireQueue
from netsim.site.accounting import Accounting
from netsim.stack.icmp_layer import EchoReply
from netsim.topology.plan import NetworkPlan

PLAN = plan_of("alice r1 delay=1ms", "r1 r2 delay=2ms", "r2 web delay=3ms")


class TwoSites:
    """The network on two sites of this process, cut between r1 and r2."""

    def __init__(self, plan: NetworkPlan) -> None:
        clock = NetworkClock(time.monotonic_ns())
        self.sites = [Engine(plan, clock), Engine(plan, clock)]
        self.counters: dict[str, Counters] = {}
        for engine, names in zip(self.sites, (("alice", "r1"), ("r2", "web")), strict=True):
            for name in names:
                engine.add(name)
        left, right = self.port("r1", "r2"), self.port("r2", "r1")
        there, back = WireQueue(), WireQueue()
        for engine, port, inbound, outbound in (
            (self.sites[0], left, back, there),
            (self.sites[1], right, there, back),
        ):
            engine.connect(port, os.dup(inbound.reader_fileno), os.dup(outbound.writer_fileno))
        for queue in (there, back):
            queue.close_reader()
            queue.close_writer()
        self.selectors = [SiteSelector(engine, lambda: False) for engine in self.sites]

    def engine_of(self, node: str) -> Engine:
        return next(engine for engine in self.sites if node in engine.site.nodes)

    def port(self, node: str, peer: str) -> Port:
        ports = self.engine_of(node).site.nodes[node].ports
        return next(port for port in ports if port.peer == peer)

    def run_until_time(self, seconds: float) -> None:
        """Serve both sites, for so long by the clock."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for selector in self.selectors:
                selector.select(min(left, 0.0002))

    def accounts(self) -> list[LinkAccount]:
        """At one consistent cut."""
        done: dict[int, Counters] = {}
        for number, engine in enumerate(self.sites):

            def keep(_: int, counters: Counters, number: int = number) -> None:
                done[number] = counters

            engine.on_cut = keep
        for engine in self.sites:
            engine.cut(1)
        while len(done) < 2:
            self.run_until_time(0.001)
        return Accounting(PLAN).accounts(done[0] | done[1])

    def close(self) -> None:
        for engine in self.sites:
            for node in engine.site.nodes.values():
                for port in node.ports:
                    engine.hang_up(port)
        for selector in self.selectors:
            selector.close()


@pytest.fixture
def network() -> Iterator[TwoSites]:
    two = TwoSites(PLAN)
    yield two
    two.close()


def test_a_ping_crosses_cables_inside_a_site_and_between_sites(network: TwoSites) -> None:
    engine = network.engine_of("alice")
    alice = engine.site.nodes["alice"]
    assert isinstance(alice, HostNode)
    echo = alice.host.icmp.open_echo(7)
    for sequence in (1, 2):
        echo.inbox.clear()
        echo.send(PLAN.hosts["web"], sequence, bytes(56), engine.program_time())
        network.selectors[0].select(0)
        sent_at = engine.last
        for _ in range(1000):
            network.run_until_time(0.01)
            if echo.inbox:
                break
        (reply,) = echo.inbox
        assert isinstance(reply, EchoReply)
    if not any(engine.resynced for engine in network.sites):
        assert reply.now - sent_at == 12_000_000, "the delays of links, to the nanosecond"
    for account in network.accounts():
        account.check()
        assert account.delivered > 0
        assert account.in_flight == 0


def test_a_cut_finds_what_is_on_the_way_on_every_kind_of_cable(network: TwoSites) -> None:
    engine = network.engine_of("alice")
    alice = engine.site.nodes["alice"]
    assert isinstance(alice, HostNode)
    echo = alice.host.icmp.open_echo(7)
    for sequence in range(200):
        echo.send(PLAN.hosts["web"], sequence, bytes(56), engine.program_time())
        network.run_until_time(0.0001)
        if sequence % 50 == 49:
            for account in network.accounts():
                account.check()


def test_a_site_that_goes_takes_the_carrier_of_cables_that_lead_to_it(network: TwoSites) -> None:
    changed: list[tuple[str, str, bool]] = []
    near, far = network.sites
    near.site.on_carrier_changed = lambda node, port, _: changed.append((node, port.peer, port.up))
    far.hang_up(network.port("r2", "r1"))
    network.run_until_time(0.01)
    assert changed == [("r1", "r2", False)]
    assert network.port("alice", "r1").up, "the cable inside the site is as it was"
