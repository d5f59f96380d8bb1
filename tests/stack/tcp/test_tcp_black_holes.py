"""Paths that swallow large segments in silence (RFC 4821, Linux tcp_mtu_probing=1)."""

from __future__ import annotations

from tcp_dialogue import Dialogue, established, in_phase

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.mtu_search import PAUSE
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket

LARGE = 1460


class Path:
    """The peer at the end of a path that lets through what is not too large."""

    def __init__(self, takes: int, settings: TcpSettings) -> None:
        self.takes = takes
        self.dialogue, self.connection = large(settings)
        self.got: dict[int, int] = {}
        """start -> end of what arrived beyond `edge`."""
        self.edge = 1
        self.sizes: list[int] = []
        """Of all that was sent."""

    def run(self, until: int, rtt: int = 10 * MILLISECOND) -> None:
        """Round trips until then."""
        d = self.dialogue
        while d.now < until:
            d.run(min(d.now + rtt, until))
            while d.sent:
                segment = d.sent.pop(0).segment
                size = len(segment.payload)
                self.sizes.append(size)
                if segment.timestamp is not None:
                    d.echo = segment.timestamp
                if 0 < size <= self.takes:
                    start = (segment.sequence - d.iss) & 0xFFFFFFFF
                    self._arrived(start, start + size)

    def _arrived(self, start: int, end: int) -> None:
        if start > self.edge:
            self.got[start] = max(end, self.got.get(start, 0))
        self.edge = max(self.edge, end) if start <= self.edge else self.edge
        for begin in sorted(self.got):
            if begin <= self.edge:
                self.edge = max(self.edge, self.got.pop(begin))
        sack = [(begin, self.got[begin]) for begin in sorted(self.got)][:3]
        if not self.connection.transmitter.sack:
            sack = []
        self.dialogue.send("A", seq=1, ack=self.edge, sack=sack)


def large(settings: TcpSettings) -> tuple[Dialogue, TcpSocket]:
    d, connection = established(settings, window=60_000)
    d.wire.mtu = 1500
    connection.peer_mss = LARGE
    connection.sender.set_mss(LARGE)
    return d, connection


PLAIN = TcpSettings(selective_acknowledgement=False, timestamps=False, window_scaling=False)
SACK = TcpSettings(timestamps=False, window_scaling=False)


def test_full_segments_that_vanish_are_made_smaller() -> None:
    path = Path(1100, SACK)
    path.connection.send(bytes(20_000))
    path.run(20 * SECOND)
    assert path.edge == 20_001
    assert path.connection.shared.counters.black_holes == 1
    assert path.connection.sender.search is not None


def test_and_once_more_if_that_is_not_enough() -> None:
    for settings in (SACK, PLAIN):
        path = Path(512, settings)
        path.connection.send(bytes(20_000))
        path.run(30 * SECOND)
        assert path.edge == 20_001
        assert path.connection.shared.counters.black_holes == 2


def test_the_size_is_not_blamed_at_the_first_loss_nor_when_it_is_small() -> None:
    d, connection = large(SACK)
    connection.send(bytes(500))
    d.run(30 * SECOND)
    assert connection.sender.retries > 4
    assert connection.shared.counters.black_holes == 0
    d, connection = large(SACK)
    connection.send(bytes(5000))
    d.run(SECOND + 999 * MILLISECOND)
    assert connection.sender.retries in (1, 2, 3)
    assert connection.sender.mss == LARGE


def test_larger_segments_are_found_again_as_far_as_the_path_takes_them() -> None:
    for settings in (SACK, PLAIN):
        path = Path(1300, settings)
        connection = path.connection
        for _ in range(100):
            connection.send(bytes(20_000))
            path.run(path.dialogue.now + SECOND)
        path.run(path.dialogue.now + 60 * SECOND)
        assert path.edge == 2_000_001
        assert 1300 - 8 <= connection.sender.mss <= 1300
        counters = connection.shared.counters
        assert counters.black_holes == 1
        assert 5 < counters.mtu_probes < 15
        assert counters.timeouts < 8, "a probe that is lost is mended at once"


def test_a_lost_probe_does_not_slow_the_sender_down() -> None:
    path = Path(1100, SACK)
    path.connection.send(bytes(5000))
    path.run(20 * SECOND)
    sender = path.connection.sender
    sender.congestion.window = window = 40_000
    path.connection.send(bytes(30_000))
    path.run(path.dialogue.now + 2 * SECOND)
    assert path.connection.shared.counters.mtu_probes >= 1
    assert sender.congestion.window >= window
    assert in_phase(path.connection, Phase.OPEN)


def test_a_link_that_was_down_is_no_black_hole_for_long() -> None:
    path = Path(0, SACK)
    connection = path.connection
    connection.send(bytes(200_000))
    path.run(60 * SECOND)
    assert connection.shared.counters.black_holes == 2
    path.takes = 9000
    path.run(200 * SECOND)
    assert path.edge == 200_001
    assert connection.sender.mss == LARGE
    assert connection.sender.search is None


def test_the_search_begins_again_after_ten_minutes() -> None:
    path = Path(1100, SACK)
    connection = path.connection
    for _ in range(40):
        connection.send(bytes(20_000))
        path.run(path.dialogue.now + SECOND)
    assert 1092 <= connection.sender.mss <= 1100
    before = connection.shared.counters.mtu_probes
    connection.send(bytes(20_000))
    path.run(path.dialogue.now + SECOND)
    assert connection.shared.counters.mtu_probes == before
    path.takes = 9000
    path.run(path.dialogue.now + PAUSE)
    for _ in range(3):
        connection.send(bytes(20_000))
        path.run(path.dialogue.now + SECOND)
    assert connection.sender.mss == LARGE


def test_a_path_that_tells_is_believed_instead() -> None:
    path = Path(1100, SACK)
    connection = path.connection
    connection.send(bytes(5000))
    path.run(20 * SECOND)
    assert connection.sender.search is not None
    path.dialogue.wire.mtu = 1140
    path.dialogue.tcp.path_changed(None, path.dialogue.now)
    path.run(21 * SECOND)
    assert connection.sender.search is None
    assert connection.sender.mss == 1100
