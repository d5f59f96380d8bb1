"""What a switch does with a frame: learn, forward, flood, filter."""

from __future__ import annotations

from collections import Counter

import pytest
from frames_seen import FramesSeen
from hypothesis import given
from hypothesis import strategies as st

from netsim.core.link_attributes import LinkAttributes
from netsim.core.streams import RandomStreams
from netsim.link.simplex_link import SimplexLink
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.observe.tap import Direction
from netsim.switching.mac_table import AGEING_TIME

A = bytes.fromhex("02000000000a")
B = bytes.fromhex("02000000000b")
C = bytes.fromhex("02000000000c")
BROADCAST = b"\xff" * 6


def frame(destination: bytes, source: bytes, payload: bytes = b"payload") -> bytes:
    return destination + source + b"\x88\xb5" + payload


class Bench:
    """A switch with cables that a test looks into."""

    def __init__(self, ports: int = 3) -> None:
        self.now = 0
        self.ports = [
            Port(
                index,
                f"eth{index}",
                bytes([2, 0, 0, 0, 9, index]),
                1500,
                SimplexLink(LinkAttributes(), RandomStreams(index)),
                f"c{index}",
                "eth0",
            )
            for index in range(ports)
        ]
        self.switch = Switch("s1", self.ports)

    def receive(self, on: int, content: bytes) -> dict[int, list[bytes]]:
        """What leaves where, in answer to a frame."""
        port = self.ports[on]
        port.received += 1
        if port.deliver(content, self.now):
            self.switch.receive_frame(port, content, self.now)
        sending = [each.index for each in self.switch.sending]
        self.switch.sending.clear()
        out = {
            each.index: [departure[2] for departure in each.egress.dequeue(self.now)]
            for each in self.ports
        }
        assert {index for index, frames in out.items() if frames} <= set(sending)
        return {index: frames for index, frames in out.items() if frames}


def test_an_unknown_station_is_looked_for_everywhere_else() -> None:
    bench = Bench()
    content = frame(B, A)
    assert bench.receive(0, content) == {1: [content], 2: [content]}
    assert bench.switch.flooded == 1


def test_a_station_that_was_heard_is_sent_to_alone() -> None:
    bench = Bench()
    bench.receive(0, frame(BROADCAST, A))
    content = frame(A, B)
    assert bench.receive(2, content) == {0: [content]}
    assert bench.switch.flooded == 1
    assert not bench.switch.drops


def test_broadcasts_and_groups_go_everywhere_else() -> None:
    bench = Bench()
    for group in (BROADCAST, bytes.fromhex("01005e0000fb"), bytes.fromhex("0180c2000010")):
        assert list(bench.receive(1, frame(group, A))) == [0, 2]


def test_a_station_behind_the_same_port_has_the_frame_already() -> None:
    bench = Bench()
    bench.receive(0, frame(BROADCAST, A))
    assert bench.receive(0, frame(A, B)) == {}
    assert bench.switch.drops == {"same-port": 1}


@pytest.mark.parametrize("last", range(16))
def test_reserved_groups_stay_on_their_link(last: int) -> None:
    bench = Bench()
    assert bench.receive(0, frame(b"\x01\x80\xc2\0\0" + bytes([last]), A)) == {}
    assert bench.switch.drops == {"reserved-group": 1}


def test_a_group_is_no_sender() -> None:
    bench = Bench()
    assert bench.receive(0, frame(B, BROADCAST)) == {}
    assert bench.switch.drops == {"group-source": 1}
    assert bench.switch.table.entries(0) == []


def test_half_a_header_is_no_frame() -> None:
    bench = Bench()
    assert bench.receive(0, frame(B, A)[:13]) == {}
    assert bench.receive(0, b"") == {}
    assert bench.switch.drops == {"ethernet-truncated": 2}


def test_a_station_that_moves_is_found_at_its_new_port() -> None:
    bench = Bench()
    bench.receive(0, frame(BROADCAST, A))
    bench.receive(2, frame(BROADCAST, A))
    assert list(bench.receive(1, frame(A, B))) == [2]


def test_a_station_that_falls_silent_is_forgotten() -> None:
    bench = Bench()
    bench.receive(0, frame(BROADCAST, A))
    bench.now = AGEING_TIME - 1
    assert list(bench.receive(1, frame(A, B))) == [0]
    bench.now = AGEING_TIME
    assert list(bench.receive(1, frame(A, B))) == [0, 2]


def test_a_lost_carrier_forgets_the_stations_behind_it_and_is_not_flooded_to() -> None:
    bench = Bench(4)
    bench.receive(0, frame(BROADCAST, A))
    bench.receive(1, frame(BROADCAST, B))
    bench.switch.set_carrier(bench.ports[0], False, 0)
    assert list(bench.receive(2, frame(A, C))) == [1, 3]
    assert list(bench.receive(2, frame(B, C))) == [1]
    assert bench.receive(0, frame(BROADCAST, A)) == {}
    assert bench.ports[0].ingress_dropped == {"carrier": 1}
    assert bench.ports[0].egress.counters.sent == 1, "the question of B, before"
    bench.switch.set_carrier(bench.ports[0], True, 0)
    assert list(bench.receive(2, frame(A, C))) == [0, 1, 3]


def test_a_switch_waits_for_nothing() -> None:
    bench = Bench()
    bench.receive(0, frame(BROADCAST, A))
    assert bench.switch.timers.next_due() is None
    bench.switch.handle_timer(0)
    bench.switch.flush(0)
    assert not bench.switch.has_output
    assert not bench.switch.sending


def test_taps_see_what_passes_a_port_and_nothing_on_a_dead_one() -> None:
    bench = Bench(2)
    tap = FramesSeen()
    for port in bench.ports:
        port.taps.append(tap)
    content = frame(B, A)
    bench.receive(0, content)
    assert [(row.interface, row.direction, row.frame) for row in tap.frames] == [
        ("eth0", Direction.INBOUND, content),
        ("eth1", Direction.OUTBOUND, content),
    ]
    bench.switch.set_carrier(bench.ports[1], False, 0)
    bench.ports[1].transmit(content, 0)
    bench.receive(1, content)
    assert len(tap.frames) == 2
    assert bench.ports[1].egress.counters.dropped == {"carrier": 1}


MACS = st.sampled_from([A, B, C, BROADCAST, b"\x01\x80\xc2\0\0\x01", b"\x01\0\x5e\0\0\x01"])
FRAMES = st.one_of(
    st.binary(max_size=40),
    st.builds(frame, MACS, MACS, st.binary(max_size=20)),
)


@given(st.lists(st.tuples(st.integers(0, 3), FRAMES)))
def test_every_frame_is_forwarded_unchanged_flooded_or_counted(
    arrivals: list[tuple[int, bytes]],
) -> None:
    bench = Bench(4)
    for on, content in arrivals:
        drops = Counter(bench.switch.drops)
        flooded = bench.switch.flooded
        out = bench.receive(on, content)
        assert on not in out
        assert all(frames == [content] for frames in out.values())
        dropped = sum((bench.switch.drops - drops).values())
        if bench.switch.flooded > flooded:
            assert (len(out), dropped) == (3, 0)
        else:
            assert len(out) + dropped == 1
