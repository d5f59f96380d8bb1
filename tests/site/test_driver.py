"""What the driver of one node puts into the agenda, and when."""

from __future__ import annotations

from functools import partial
from heapq import heappop

from frames_seen import FramesSeen
from plans import plan_of

from netsim.core.time import MILLISECOND, SECOND
from netsim.link.simplex_link import Departure
from netsim.node.port import Port
from netsim.site.build import build_node, direction_source, node_source
from netsim.site.driver import LOOKAHEAD, Agenda, Driver
from netsim.stack.timers import Timer
from netsim.topology.plan import NetworkPlan


class Bench:
    """One node with its driver; the far ends of its cables are lists."""

    def __init__(self, plan: NetworkPlan, name: str) -> None:
        self.agenda: Agenda = []
        self.carried: list[tuple[int, str, Departure]] = []
        self.now = 0
        self.node = build_node(plan, name)
        node_plan = plan.node(name)
        self.driver = Driver(
            self.node,
            self.agenda,
            {port: partial(self._transmit, port) for port in self.node.ports},
            node_source(plan, name),
            [direction_source(node_plan, each, plan) for each in node_plan.interfaces],
            {},
        )

    def _transmit(self, port: Port, departures: list[Departure]) -> None:
        self.carried += [(self.now, port.name, departure) for departure in departures]

    def run(self, until: int) -> None:
        while self.agenda and self.agenda[0][0] <= until:
            self.now, _, _, action, argument, frame = heappop(self.agenda)
            action(self.now, argument, frame)
        self.now = until

    def send(self, count: int, size: int = 1000) -> None:
        for _ in range(count):
            frame = b"\xff" * 6 + bytes(6) + b"\x88\xb5" + bytes(size - 14)
            self.node.ports[0].transmit(frame, self.now)
            self.node.sending[self.node.ports[0]] = None
        self.driver.settle(self.now)


def test_frames_are_carried_before_they_depart_but_not_much() -> None:
    bench = Bench(plan_of("s1 c2 bandwidth=8mbit"), "s1")
    bench.send(10)
    bench.run(SECOND)
    assert len(bench.carried) == 10
    for number, (at, _, (departs_at, deliver_at, _)) in enumerate(bench.carried):
        assert (departs_at, deliver_at) == (number * MILLISECOND, (number + 1) * MILLISECOND)
        assert departs_at - LOOKAHEAD <= at <= departs_at


def test_departures_batch_on_a_busy_link() -> None:
    bench = Bench(plan_of("s1 c2 bandwidth=1gbit"), "s1")
    bench.send(500)
    bench.run(SECOND)
    assert len(bench.carried) == 500
    assert len({at for at, _, _ in bench.carried}) <= 10


def test_an_earlier_departure_does_not_wait_for_a_later_one() -> None:
    bench = Bench(plan_of("s1 c2 bandwidth=8kbit"), "s1")
    (port,) = bench.node.ports
    bench.send(3)
    bench.run(10 * MILLISECOND)
    for up in (False, True):
        bench.driver.set_carrier(port, up, bench.now)
    bench.carried.clear()
    bench.send(3, size=14)
    bench.run(10 * SECOND)
    assert [departs_at for _, _, (departs_at, _, _) in bench.carried] == [
        10 * MILLISECOND,
        24 * MILLISECOND,
        38 * MILLISECOND,
    ]
    assert all(at <= departs_at for at, _, (departs_at, _, _) in bench.carried)


def test_arrivals_are_handled_when_they_are_due_and_in_order() -> None:
    bench = Bench(plan_of("s1 c2", "s1 c3"), "s1")
    tap = FramesSeen()
    for port in bench.node.ports:
        port.taps.append(tap)
    one, two = bench.node.ports
    frames = [bytes([2, 0, 0, 0, 0, 9]) + bytes([2, 0, 0, 0, 0, n]) + b"\x88\xb5" for n in range(4)]
    bench.driver.arrive(two, [(0, 5, frames[0]), (1, 7, frames[1])])
    bench.driver.arrive(one, [(0, 5, frames[2]), (0, 5, frames[3])])
    assert (one.received, one.in_flight, two.in_flight) == (2, 2, 2)
    bench.run(100)
    inbound = [(row.time_ns, row.frame) for row in tap.frames if row.direction == 1]
    assert inbound == [(5, frames[2]), (5, frames[3]), (5, frames[0]), (7, frames[1])]
    assert (one.in_flight, one.delivered) == (0, 2)


def test_the_carrier_takes_what_is_in_flight_on_its_port_alone() -> None:
    bench = Bench(plan_of("s1 c2", "s1 c3"), "s1")
    one, two = bench.node.ports
    frame = bytes([2, 0, 0, 0, 0, 9]) + bytes([2, 0, 0, 0, 0, 8]) + b"\x88\xb5"
    for port in (one, two):
        bench.driver.arrive(port, [(0, due, frame) for due in (30, 10, 20)])
    bench.driver.set_carrier(one, False, 0)
    assert (one.in_flight, one.ingress_dropped) == (0, {"carrier": 3})
    bench.run(100)
    assert (two.delivered, one.delivered) == (3, 0)


def test_what_departed_before_the_carrier_came_is_lost_until_something_departed_later() -> None:
    bench = Bench(plan_of("s1 c2"), "s1")
    (port,) = bench.node.ports
    frame = bytes([2, 0, 0, 0, 0, 9]) + bytes([2, 0, 0, 0, 0, 8]) + b"\x88\xb5"
    bench.driver.set_carrier(port, False, 10)
    bench.driver.set_carrier(port, True, 20)
    bench.driver.arrive(port, [(15, 30, frame), (25, 40, frame)])
    bench.driver.arrive(port, [(26, 41, frame)])
    bench.run(100)
    assert (port.delivered, port.ingress_dropped) == (2, {"carrier": 1})
    assert not bench.driver._up_since, "nothing stays of a carrier that came back"


def test_the_timer_of_the_stack_is_in_the_agenda_once_however_often_it_moves() -> None:
    plan = plan_of("c1 c2")
    bench = Bench(plan, "c1")
    host = bench.node.host  # type: ignore[attr-defined]
    socket = host.udp.bind(None, 0)
    for _ in range(10):
        socket.send(b"", (plan.hosts["c2"], 9), 0)
        bench.driver.flush(0)
    assert [entry[0] for entry in bench.agenda] == [SECOND]
    bench.run(10 * SECOND)
    assert host.drops == {"host-unreachable": 10}
    assert not bench.agenda


def test_a_far_timer_behind_many_near_ones_is_in_the_agenda_once() -> None:
    bench = Bench(plan_of("c1 c2"), "c1")
    host = bench.node.host  # type: ignore[attr-defined]
    fired: list[int] = []
    Timer(host.timers, fired.append).start(7200 * SECOND)
    near = Timer(host.timers, fired.append)
    for tick in range(1, 1000):
        near.start(tick * MILLISECOND)
        bench.driver.settle(bench.now)
        bench.run(tick * MILLISECOND)
        assert len(bench.agenda) == 1
    bench.run(7200 * SECOND)
    assert len(fired) == 1000
    assert fired[-1] == 7200 * SECOND
    assert not bench.agenda


def test_a_timer_for_a_time_that_has_passed_fires_at_once() -> None:
    bench = Bench(plan_of("c1 c2"), "c1")
    host = bench.node.host  # type: ignore[attr-defined]
    fired: list[int] = []
    Timer(host.timers, fired.append).start(5)
    bench.now = 20
    bench.driver.settle(20)
    bench.run(30)
    assert fired == [20]


def test_the_numbers_of_sources_are_unique_and_cables_come_before_nodes() -> None:
    plan = plan_of("c1 s1", "c2 s1", "s1 r1", "r1 c3")
    directions = [
        direction_source(node, interface, plan)
        for node in plan.nodes
        for interface in node.interfaces
    ]
    nodes = [node_source(plan, node.name) for node in plan.nodes]
    assert sorted(directions) == list(range(2 * len(plan.links)))
    assert len({*directions, *nodes}) == len(directions) + len(nodes)
    assert max(directions) < min(nodes)
