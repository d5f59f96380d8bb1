"""A trace as text: a ladder with a column for each node, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from netsim.core.printable import printable
from netsim.core.time import MICROSECOND, MILLISECOND
from netsim.observe.request_phases import KINDS, Phase
from netsim.observe.request_trace import Trace, TracedHop, TracedPacket

NARROWEST: Final = 60
WIDEST: Final = 160
MOST_PACKETS: Final = 400
_FOLD: Final = 6
"""Packets that go the same way, and of which nothing is to be told, before they are folded."""
_LEFT: Final = 11
_RIGHT: Final = 11
_CELL: Final = 9
"""An arrow and a time."""
_BAR: Final = 20
_ASCII: Final = str.maketrans("│─┼●▶◀✗█·→…–", "|-+o><x#*>.-")


def trace_text(trace: Trace, width: int = 100, *, unicode: bool = True) -> str:
    """The whole document, at most so wide where the nodes are not too many for that."""
    lines = _Ladder(trace, max(NARROWEST, min(width, WIDEST))).lines()
    text = "\n".join(printable(line).rstrip() for line in lines) + "\n"
    return text if unicode else text.translate(_ASCII)


class _Ladder:
    def __init__(self, trace: Trace, width: int) -> None:
        self._trace = trace
        gaps = max(1, len(trace.nodes) - 1)
        self._cell = max(_CELL, (width - _LEFT - _RIGHT) // gaps)
        self._columns = {name: _LEFT + index * self._cell for index, name in enumerate(trace.nodes)}
        self._end = _LEFT + gaps * self._cell
        self._width = max(width, self._end + _RIGHT)

    def lines(self) -> Iterator[str]:
        trace = self._trace
        yield f"{trace.title()}, {_ms(trace.elapsed_ns)} ms"
        if trace.left_out:
            yield f"{trace.left_out} observations were too many to keep: packets are missing here"
        if trace.untrusted:
            yield trace.untrusted
        yield ""
        yield from self._heads()
        yield from self._packets()
        yield self._lifelines("")
        yield ""
        yield from _summary(trace, self._width)

    def _heads(self) -> Iterator[str]:
        """The names, on two lines where they would touch each other."""
        names = list(self._columns.items())
        rows = 1 if max(len(name) for name, _ in names) < self._cell else 2
        for row in range(rows):
            line = "   ms" if row == rows - 1 else ""
            for index, (name, column) in enumerate(names):
                if index % rows == row:
                    room = self._cell * rows - 1
                    shown = name if len(name) <= room else name[: room - 1] + "…"
                    start = max(column - len(shown) // 2, len(line) + bool(line))
                    line = line.ljust(start) + shown
            yield line
        yield self._lifelines("")

    def _lifelines(self, begin: str) -> str:
        line = [*begin.ljust(self._end + 1)]
        for column in self._columns.values():
            if column > len(begin):
                line[column] = "│"
        return "".join(line)

    def _packets(self) -> Iterator[str]:
        phase: Phase | None = None
        for packets in _folded(self._trace.packets[:MOST_PACKETS]):
            first = packets[0]
            if first.phase not in (phase, "ARP"):
                phase = first.phase
                yield self._lifelines("")
                yield self._lifelines(f"── {phase} ──")
            if len(packets) > 1:
                yield self._lifelines(self._label(first, _together(packets)))
            else:
                yield self._lifelines(self._label(first, _words(first)))
            yield self._arrows(packets[-1] if len(packets) > 1 else first)
            for note in _notes(packets):
                yield self._lifelines(" " * _LEFT + f"  · {note} ")
        if len(self._trace.packets) > MOST_PACKETS:
            more = len(self._trace.packets) - MOST_PACKETS
            yield self._lifelines(f"{' ' * _LEFT} … {more} packets more ")

    def _label(self, packet: TracedPacket, words: str) -> str:
        since = packet.sent_ns - self._trace.started_ns
        label = f"{_ms(since):>{_LEFT - 2}}  {words} "
        return label if len(label) <= self._width else f"{label[: self._width - 1]}…"

    def _arrows(self, packet: TracedPacket) -> str:
        line = [*self._lifelines("")]
        for index, hop in enumerate(packet.hops):
            self._arrow(line, hop, is_first=index == 0)
        arrived = packet.arrived_ns
        if arrived is None:
            return "".join(line)
        return "".join(line).ljust(self._end + 2) + _ms(arrived - self._trace.started_ns)

    def _arrow(self, line: list[str], hop: TracedHop, *, is_first: bool) -> None:
        start, end = (self._columns[each.partition(":")[0]] for each in (hop.sender, hop.receiver))
        way = 1 if end > start else -1
        low, high = sorted((start, end))
        for column in range(low + 1, high):
            line[column] = "┼" if line[column] in "│┼" else "─"
        if hop.is_lost:
            # It gets half way.
            for column in range((start + end) // 2, end, way):
                line[column] = " "
            line[(start + end) // 2] = "✗"
            words = hop.fate
        else:
            line[end - way] = "▶" if way > 0 else "◀"
            words = "…" if hop.ended_ns is None else _ms(hop.ended_ns - hop.queued_ns)
        if is_first:
            line[start] = "●"
        room = abs(end - start) - 3
        if words and len(words) <= room and not hop.is_lost:
            middle = low + 1 + (abs(end - start) - 1 - len(words)) // 2
            line[middle : middle + len(words)] = words


def _folded(packets: Sequence[TracedPacket]) -> Iterator[list[TracedPacket]]:
    """Runs of packets of which nothing is to be told, all but the first two of each together."""
    run: list[TracedPacket] = []
    for packet in [*packets, None]:
        if packet is not None and run and _is_plain(packet) and _is_like(packet, run[-1]):
            run.append(packet)
            continue
        if len(run) > _FOLD:
            yield from ([each] for each in run[:2])
            yield run[2:-1]
            yield [run[-1]]
        else:
            yield from ([each] for each in run)
        run = [] if packet is None else [packet]


def _is_plain(packet: TracedPacket) -> bool:
    return packet.protocol == "TCP" and packet.arrived_ns is not None and not packet.is_resent


def _is_like(packet: TracedPacket, other: TracedPacket) -> bool:
    return _is_plain(other) and packet.phase == other.phase


def _words(packet: TracedPacket) -> str:
    return f"again: {packet.summary}" if packet.is_resent else packet.summary


def _together(packets: Sequence[TracedPacket]) -> str:
    return f"… {len(packets)} packets like these; the last of them:"


def _notes(packets: Sequence[TracedPacket]) -> Iterator[str]:
    """What the arrows do not say; of several packets the longest waits."""
    queueing: dict[str, int] = {}
    late: dict[str, int] = {}
    for packet in packets:
        for hop in packet.hops:
            queueing[hop.sender] = max(queueing.get(hop.sender, 0), hop.queueing_ns)
            node = hop.receiver.partition(":")[0]
            late[node] = max(late.get(node, 0), hop.late_ns)
    most = "" if len(packets) == 1 else "at most "
    for interface, waited in queueing.items():
        if waited >= MICROSECOND:
            yield f"{most}{_ms(waited)} ms in the queue of {interface}"
    for node, waited in late.items():
        if waited >= MICROSECOND:
            yield f"{most}{_ms(waited)} ms late at {node}"
    for packet in packets:
        for before, hop in pairwise(packet.hops):
            waited = hop.queued_ns - (before.ended_ns or hop.queued_ns)
            if waited >= MICROSECOND and len(packets) == 1:
                yield f"{_ms(waited)} ms at {hop.sender.partition(':')[0]}"
        last = packet.hops[-1]
        if last.is_lost:
            yield f"lost: {last.fate}, from {last.sender} to {last.receiver}"


# Where the time went -----------------------------------------------------------------------------


def _summary(trace: Trace, width: int) -> Iterator[str]:
    kinds = [kind for kind in KINDS if trace.spent(kind=kind)]
    phases = trace.phases
    if not kinds:
        return
    yield f"Where the {_ms(trace.elapsed_ns)} ms went, in ms:"
    yield ""
    first = max(len("name lookup"), len("sum"))
    sizes = [max(len(kind), len(_ms(trace.elapsed_ns))) for kind in (*kinds, "sum")]
    with_bars = first + sum(size + 2 for size in sizes) + 2 + _BAR <= width
    yield _row("", [*kinds, "sum"], first, sizes)
    for phase in phases:
        spent = trace.spent(phase)
        row = [_some(trace.spent(phase, kind)) for kind in kinds]
        line = _row(phase, [*row, _ms(spent)], first, sizes)
        bar = "█" * round(_BAR * spent / trace.elapsed_ns) if with_bars else ""
        yield f"{line}  {bar}"
    totals = [trace.spent(kind=kind) for kind in kinds]
    yield _row("sum", [*map(_ms, totals), _ms(trace.elapsed_ns)], first, sizes)
    shares = [f"{100 * total / trace.elapsed_ns:.1f}%" for total in totals]
    yield _row("", [*shares, ""], first, sizes)


def _row(name: str, cells: Sequence[str], first: int, sizes: Sequence[int]) -> str:
    values = "".join(f"  {cell:>{size}}" for cell, size in zip(cells, sizes, strict=True))
    return f"{name:{first}}{values}"


def _some(ns: int) -> str:
    return _ms(ns) if ns else "–"


def _ms(ns: int) -> str:
    """To the microsecond."""
    return f"{ns / MILLISECOND:.3f}"
