"""Every number in the golden ladders is one that a capture of the same request has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from networks import CAMPUS
from request_ladders import GOLDEN, LOSSY, on

from netsim import CapturedFrame, Direction, Network
from netsim.core.time import MILLISECOND, SECOND
from netsim.observe.frame_lines import FrameLines
from netsim.observe.packet_paths import key_of

MS = re.compile(r"\d+\.\d{3}")


@dataclass
class Link:
    delay_ns: int
    bps: int


@dataclass
class Captured:
    """A packet at each interface that it has passed, in order: node, interface, way, time."""

    frame: bytes
    passed: list[CapturedFrame] = field(default_factory=list)

    def out_of(self, node: str) -> CapturedFrame:
        return next(each for each in self.passed if is_at(each, node, Direction.OUTBOUND))

    def into(self, node: str) -> CapturedFrame | None:
        inbound = (each for each in self.passed if is_at(each, node, Direction.INBOUND))
        return next(inbound, None)

    def waited_at(self, node: str) -> int:
        came = self.into(node)
        return 0 if came is None else self.out_of(node).time_ns - came.time_ns


def is_at(passed: CapturedFrame, node: str, direction: Direction) -> bool:
    return passed.interface.startswith(f"{node}:") and passed.direction is direction


def follows(passed: CapturedFrame, before: CapturedFrame) -> bool:
    """Whether a packet that was seen there may be seen here next."""
    if before.dropped:
        return False
    if passed.direction is Direction.INBOUND:
        return before.direction is Direction.OUTBOUND
    if before.direction is Direction.INBOUND:
        return is_at(before, passed.interface.partition(":")[0], Direction.INBOUND)
    return bool(passed.dropped) and passed.interface == before.interface


def captured(frames: Sequence[CapturedFrame], until_ns: int) -> list[Captured]:
    """In the order in which they were sent, those that were sent before the request had ended."""
    packets: list[Captured] = []
    for each in frames:
        came = [
            packet
            for packet in packets
            if key_of(packet.frame) == key_of(each.frame) and follows(each, packet.passed[-1])
        ]
        if not came:
            came = [Captured(each.frame)]
            packets += came if each.time_ns < until_ns else []
        came[-1].passed.append(each)
    return packets


class Ladder:
    """The text, taken apart."""

    def __init__(self, text: str) -> None:
        self.title, rest = text.split("\n\n", 1)
        self.elapsed = self.title.rpartition(", ")[2].removesuffix(" ms")
        ladder, _, self.table = rest.partition("\n\nWhere the ")
        heads, lanes, *self.lines = ladder.split("\n")
        self.names = heads.split()[1:]
        self.columns = [place for place, each in enumerate(lanes) if each == "│"]

    def between(self, line: str) -> list[str]:
        """What stands between each two nodes."""
        ends = zip(self.columns, self.columns[1:], strict=False)
        return [line[left + 1 : right].strip(" ─◀▶●│┼") for left, right in ends]


def ms(ns: int) -> str:
    return f"{ns / MILLISECOND:.3f}"


@pytest.mark.parametrize(
    ("name", "url", "links"),
    [
        (
            "campus",
            "http://web/ip",
            [Link(200_000, 10**9)] * 2 + [Link(2_000_000, 10**9)] + [Link(200_000, 10**9)] * 2,
        ),
        ("lossy", "http://web/bytes/30000", [Link(1_000_000, 0), Link(10_000_000, 5_000_000)]),
    ],
)
def test_every_number_is_in_the_capture(
    name: str, url: str, links: list[Link], tmp_path: Path
) -> None:
    topology = CAMPUS
    if name == "lossy":
        topology = tmp_path / "lossy.yaml"
        topology.write_text(LOSSY)
    ladder = Ladder((GOLDEN / f"{name}.txt").read_text())
    frames: list[CapturedFrame] = []

    async def work(network: Network) -> None:
        everywhere = [
            f"{node.name}:{each.name}"
            for node in network.plan.nodes
            if node.name in ladder.names
            for each in node.interfaces
            if network.plan.links[each.link].a[0] in ladder.names
            and network.plan.links[each.link].b[0] in ladder.names
        ]
        async with network.live_capture(*everywhere) as capture:
            await network.trace("alice", url)
        frames.extend([each async for each in capture])

    on(topology, work)
    check = _Check(ladder, frames, links)
    check.title()
    check.packets()
    check.table()


class _Check:
    def __init__(self, ladder: Ladder, frames: list[CapturedFrame], links: Sequence[Link]) -> None:
        self._ladder = ladder
        self._links = links
        self._start = frames[0].time_ns
        data = [each for each in frames if is_at(each, "alice", Direction.INBOUND)]
        ends = [each.time_ns for each in data if self._since(each) == ladder.elapsed]
        assert ends, "the last byte of the reply came then"
        self._end = ends[0]
        self._left = captured(frames, self._end)
        self._all = list(self._left)
        self._words = FrameLines(brief=True)
        self._cables = {
            (sent.interface, came.interface)
            for packet in self._all
            for sent, came in pairwise(packet.passed)
        }

    def _since(self, passed: CapturedFrame) -> str:
        return ms(passed.time_ns - self._start)

    def _next(self, count: int) -> list[Captured]:
        taken, self._left = self._left[:count], self._left[count:]
        assert len(taken) == count
        return taken

    def title(self) -> None:
        """What was asked, and what came."""
        sent = b"".join(packet.frame for packet in self._all)
        asked = re.search(rb"(GET) (\S+) HTTP/1\.1\r\nHost: (\S+)\r\n", sent)
        came = re.search(rb"HTTP/1\.1 (\d+ \w+)\r\n(?:.+\r\n)*?Content-Length: (\d+)\r\n", sent)
        assert asked is not None
        assert came is not None
        method, path, host, status, size = (
            each.decode() for each in (*asked.groups(), *came.groups())
        )
        outcome = f"{status}, {size} bytes, {self._ladder.elapsed} ms"
        assert self._ladder.title == f"{method} http://{host}{path} from alice: {outcome}"

    def packets(self) -> None:
        """Line by line, in the order of the capture."""
        packets: list[Captured] = []
        for line in self._ladder.lines:
            if (note := re.fullmatch(r"[ ]+· (.*?) *│?[ │]*", line)) is not None:
                self._note(note[1], packets)
            elif (label := re.match(r" *(\d+\.\d{3})  (.*)", line)) is not None:
                folded = re.match(r"… (\d+) packets like these", label[2])
                packets = self._next(int(folded[1]) if folded else 1)
                assert self._since(packets[0].passed[0]) == label[1]
                words = [self._words.words(packet.frame) for packet in packets]
                if not folded:
                    self._label(label[2], words[0])
            elif any(each in line for each in "▶◀✗"):
                self._arrows(line, packets[-1])
            else:
                assert not MS.search(line), line
        assert not self._left, "all are told"

    def _label(self, label: str, words: str) -> None:
        label = label.removeprefix("again: ").rstrip(" │").removesuffix("…")
        told = words if words.startswith("ARP") else words.partition(": ")[2]
        assert told.startswith(label), (told, label)

    def _arrows(self, line: str, packet: Captured) -> None:
        names, told = self._ladder.names, self._ladder.between(line)
        hops = list(zip(names, names[1:], told, strict=False))
        is_back = "◀" in line or line.index("●") > line.index("✗" if "✗" in line else "●")
        if is_back:
            hops = [(far, near, words) for near, far, words in reversed(hops)]
        assert packet.passed[0].interface.startswith(f"{names[_place(self._ladder, line)]}:")
        for sender, receiver, words in hops:
            if words == "✗":
                assert packet.passed[-1].dropped == "loss"
                assert is_at(packet.passed[-1], sender, Direction.OUTBOUND)
            elif words == "…":
                came = packet.into(receiver)
                assert came is None or came.time_ns >= self._end
            elif words:
                came = packet.into(receiver)
                assert came is not None
                assert ms(came.time_ns - packet.out_of(sender).time_ns) == words
        arrived = line[self._ladder.columns[-1] + 1 :].strip()
        if arrived:
            assert self._since(packet.passed[-1]) == arrived

    def _note(self, note: str, packets: list[Captured]) -> None:
        number, _, where = note.removeprefix("at most ").partition(" ms ")
        match where.split():
            case ["at", node]:
                assert ms(packets[0].waited_at(node)) == number
            case ["in", "the", "queue", "of", interface]:
                waits = [self._queued(packet, interface) for packet in packets]
                assert ms(max(waits)) == number
            case _:
                lost = re.fullmatch(r"lost: loss, from (\S+) to (\S+)", note)
                assert lost is not None
                assert lost[1] == packets[0].passed[-1].interface
                assert (lost[1], lost[2]) in self._cables

    def _queued(self, packet: Captured, interface: str) -> int:
        """What the time on a link leaves beside its delay and bandwidth."""
        for sent, came in pairwise(packet.passed):
            if sent.interface == interface and sent.direction is Direction.OUTBOUND:
                ends = sorted(
                    self._ladder.names.index(each.interface.partition(":")[0])
                    for each in (sent, came)
                )
                link = self._links[ends[0]]
                took = len(packet.frame) * 8 * SECOND // link.bps
                return came.time_ns - sent.time_ns - link.delay_ns - took
        return 0

    # Where the time went

    def table(self) -> None:
        """Its rows are what lies between arrivals; its columns add up."""
        elapsed, head, *lines = self._ladder.table.replace("\n\n", "\n").splitlines()
        assert elapsed.split()[0] == self._ladder.elapsed
        rows = {line[:11].strip(): line[11:].rstrip(" █").split() for line in lines}
        kinds, shares = head.split(), rows.pop("")
        numbers = {
            phase: {kind: float(each.replace("–", "0")) for kind, each in zip(kinds, cells)}  # noqa: B905  # a bar may follow
            for phase, cells in rows.items()
        }
        total = numbers.pop("sum")
        for row in (*numbers.values(), total):
            assert sum(row.values()) - row["sum"] == pytest.approx(row["sum"], abs=0.003)
        for kind, each in total.items():
            assert sum(row[kind] for row in numbers.values()) == pytest.approx(each, abs=0.003)
        parts = [total[kind] for kind in kinds if kind != "sum"]
        assert shares == [f"{100 * part / total['sum']:.1f}%" for part in parts]
        self._rows(numbers)

    def _rows(self, numbers: dict[str, dict[str, float]]) -> None:
        tcp = [packet for packet in self._all if packet.frame[12:14] == b"\x08\x00"]
        opened = next(each for each in tcp if " [S.]," in self._words.words(each.frame))
        came = opened.into("alice")
        syns = [each for each in tcp if " [S]," in self._words.words(each.frame)]
        answered = next(each for each in syns if each.into("web"))
        asked = next(each for each in tcp if b"GET /" in each.frame and each.into("web"))
        at_web = asked.into("web")
        assert came is not None
        assert at_web is not None
        waited = sum(map(answered.waited_at, self._ladder.names[1:-1]))
        arp = syns[0].passed[0].time_ns - self._start + waited
        expected = {
            "ARP": arp,
            "handshake": came.time_ns - self._start - arp,
            "request": at_web.time_ns - came.time_ns,
            "response": self._end - at_web.time_ns,
        }
        assert {phase: ms(ns) for phase, ns in expected.items()} == {
            phase: f"{row['sum']:.3f}" for phase, row in numbers.items()
        }
        way = sum(link.delay_ns for link in self._links) / MILLISECOND
        ways = {phase: row["propagation"] / way for phase, row in numbers.items()}
        assert ways["handshake"] == pytest.approx(2)
        assert ways["request"] == pytest.approx(1)
        assert all(each == pytest.approx(round(each)) for each in ways.values())


def _place(ladder: Ladder, line: str) -> int:
    return ladder.columns.index(line.index("●"))
