"""A trace as SVG: the time to scale, and the ladder with a column for each node.

Self-contained: no script, no font, no picture from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from netsim.core.printable import printable
from netsim.core.time import MICROSECOND, MILLISECOND
from netsim.drawing.geometry import text_width
from netsim.drawing.svg_elements import plain
from netsim.observe.request_phases import KINDS, Kind, Phase
from netsim.observe.request_trace import Trace, TracedHop, TracedPacket

MOST_PACKETS: Final = 400
_MARGIN: Final = 32.0
_LEFT: Final = 90.0
_RIGHT: Final = 90.0
_NARROWEST: Final = 110.0
"""Between two nodes."""
_WIDTH: Final = 1000.0
_ROW: Final = 44.0
_STRIP: Final = 26.0
_COLOURS: Final[dict[Kind, str]] = {
    "propagation": "#60a5fa",
    "serialisation": "#34d399",
    "queueing": "#fbbf24",
    "waiting": "#f87171",
    "hosts": "#c4b5fd",
}
_STYLE: Final = """\
text{font-family:Inter,"Segoe UI",Helvetica,Arial,"DejaVu Sans",sans-serif;fill:#334155;\
font-size:11px}
.title{font-size:20px;font-weight:700;fill:#0f172a}
.subtitle{font-size:13px;fill:#64748b}
.name{font-size:13px;font-weight:600;fill:#0f172a;text-anchor:middle}
.phase{font-size:12px;font-weight:700;fill:#475569}
.dim{fill:#94a3b8}
.words{fill:#334155}
.bad{fill:#b91c1c;font-weight:600}
.took{font-size:10px;fill:#64748b;text-anchor:middle}
.right{text-anchor:end}
.lane{stroke:#cbd5e1;stroke-width:1.5}
.arrow{fill:none;stroke:#2563eb;stroke-width:1.6}
.arp{stroke:#94a3b8}
.again{stroke:#ea580c}
.lost{stroke:#dc2626;stroke-dasharray:4 3}
.wait{stroke:#fbbf24;stroke-width:5;stroke-linecap:round}
.rule{stroke:#e2e8f0}"""


def trace_svg(trace: Trace) -> str:
    """The whole document; of very many packets the first."""
    return _Drawing(trace).document()


class _Drawing:
    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        gaps = max(1, len(trace.nodes) - 1)
        inner = _WIDTH - 2 * _MARGIN - _LEFT - _RIGHT
        self._gap = max(_NARROWEST, inner / gaps)
        self._lanes = {
            name: _MARGIN + _LEFT + index * self._gap for index, name in enumerate(trace.nodes)
        }
        self._width = 2 * _MARGIN + _LEFT + _RIGHT + gaps * self._gap
        self._y = _MARGIN
        self._parts: list[str] = []

    def document(self) -> str:
        trace = self._trace
        self._text("title", _MARGIN, self._y + 16, f"{trace.method} {trace.url}")
        outcome = f"from {trace.client}: {trace.outcome()}, {_ms(trace.elapsed_ns)} ms"
        self._text("subtitle", _MARGIN, self._y + 38, outcome)
        self._y += 60
        if trace.untrusted:
            self._text("bad", _MARGIN, self._y, trace.untrusted)
            self._y += 24
        if trace.elapsed_ns:
            self._strip()
        self._ladder()
        height = self._y + _MARGIN / 2
        title = plain(printable(trace.title()))
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width:.0f}" '
                f'height="{height:.0f}" viewBox="0 0 {self._width:.0f} {height:.0f}" role="img" '
                f'aria-label="{title}">',
                f"<style>{_STYLE}</style>",
                f'<rect width="{self._width:.0f}" height="{height:.0f}" rx="14" fill="#fff"/>',
                *self._parts,
                "</svg>\n",
            ]
        )

    # The time, to scale

    def _strip(self) -> None:
        trace, y = self._trace, self._y
        width = self._width - 2 * _MARGIN
        scale = width / trace.elapsed_ns
        for start, end, kind in _merged(trace):
            x = _MARGIN + (start - trace.started_ns) * scale
            self._parts.append(
                f'<rect x="{x:.2f}" y="{y:.1f}" width="{max(0.3, (end - start) * scale):.2f}" '
                f'height="{_STRIP:.0f}" fill="{_COLOURS[kind]}"><title>{kind}: '
                f"{_ms(end - start)} ms from {_ms(start - trace.started_ns)} ms on</title></rect>"
            )
        for phase, start, end in _phase_runs(trace):
            left, right = ((at - trace.started_ns) * scale + _MARGIN for at in (start, end))
            below, stop = y + _STRIP + 6, max(left + 1, right - 1)
            self._parts.append(f'<path class="lane" d="M{left + 1:.1f} {below:.1f}H{stop:.1f}"/>')
            if text_width(phase, 11) < right - left:
                self._text("dim", (left + right) / 2, below + 14, phase, "middle")
        self._y = y + _STRIP + 34
        self._legend()

    def _legend(self) -> None:
        trace, x = self._trace, _MARGIN
        for kind in KINDS:
            if not (spent := trace.spent(kind=kind)):
                continue
            words = f"{kind} {_ms(spent)} ms, {100 * spent / trace.elapsed_ns:.1f}%"
            self._parts.append(
                f'<rect x="{x:.1f}" y="{self._y:.1f}" width="10" height="10" rx="2" '
                f'fill="{_COLOURS[kind]}"/>'
            )
            self._text("words", x + 15, self._y + 9, words)
            x += 15 + text_width(words, 11) + 18
        self._y += 22
        phases = ", ".join(f"{phase} {_ms(trace.spent(phase))}" for phase in trace.phases)
        self._text("dim", _MARGIN, self._y + 9, f"in ms: {phases}")
        self._y += 34

    # The ladder

    def _ladder(self) -> None:
        top = self._y
        for name, x in self._lanes.items():
            self._text("name", x, top + 4, _fitted(name, self._gap - 8))
        self._y = top + 14
        lanes = len(self._parts)
        phase: Phase | None = None
        for packet in self._trace.packets[:MOST_PACKETS]:
            if packet.phase not in (phase, "ARP"):
                phase = packet.phase
                self._y += 22
                self._text("phase", _MARGIN, self._y - 4, phase)
                self._parts.append(
                    f'<path class="rule" d="M{_MARGIN:.0f} {self._y:.1f}'
                    f'H{self._width - _MARGIN:.0f}"/>'
                )
            self._packet(packet)
        if (more := len(self._trace.packets) - MOST_PACKETS) > 0:
            self._y += 20
            self._text("dim", _MARGIN + _LEFT, self._y, f"… {more} packets more")
        self._y += 16
        self._parts[lanes:lanes] = [
            f'<path class="lane" d="M{x:.1f} {top + 12:.1f}V{self._y:.1f}"/>'
            for x in self._lanes.values()
        ]

    def _packet(self, packet: TracedPacket) -> None:
        started = self._trace.started_ns
        y = self._y + 16
        self._text("dim right", _MARGIN + _LEFT - 14, y, _ms(packet.sent_ns - started))
        words = f"again: {packet.summary}" if packet.is_resent else packet.summary
        room = self._width - 2 * _MARGIN - _LEFT - _RIGHT
        left = min(self._lanes[hop.partition(":")[0]] for hop in _ends(packet)) + 6
        lost = [hop for hop in packet.hops if hop.is_lost]
        fate = f"  ✗ {lost[0].fate}" if lost else ""
        shown = _fitted(words, room - (left - _MARGIN - _LEFT) - text_width(fate, 11))
        style = "bad" if lost else "words"
        background = text_width(shown + fate, 11.5) + 4
        self._parts.append(
            f'<rect x="{left - 2:.1f}" y="{y - 10:.1f}" width="{background:.1f}" height="13" '
            'fill="#fff" opacity="0.85"/>'
        )
        self._text(style, left, y, shown + fate)
        if packet.arrived_ns is not None:
            self._text(
                "dim", self._width - _MARGIN - _RIGHT + 14, y + 17, _ms(packet.arrived_ns - started)
            )
        line = y + 10
        for before, hop in pairwise([None, *packet.hops]):
            assert hop is not None, "only the first is"
            self._hop(packet, before, hop, line)
            line += 1.5
        self._y += _ROW

    def _hop(
        self, packet: TracedPacket, before: TracedHop | None, hop: TracedHop, y: float
    ) -> None:
        start, end = (self._lanes[each.partition(":")[0]] for each in (hop.sender, hop.receiver))
        way = 1 if end > start else -1
        kind = "again" if packet.is_resent else "arp" if packet.protocol == "ARP" else ""
        told = _told(before, hop)
        queued = hop.queueing_ns >= MICROSECOND
        if queued:
            self._parts.append(
                f'<path class="wait" d="M{start:.1f} {y - 5:.1f}V{y + 3:.1f}">'
                f"<title>{plain(told)}</title></path>"
            )
        if hop.is_lost:
            middle = (start + end) / 2
            self._parts.append(
                f'<path class="arrow lost" d="M{start:.1f} {y:.1f}L{middle:.1f} {y + 1:.1f}">'
                f"<title>{plain(told)}</title></path>"
                f'<path class="arrow lost" style="stroke-dasharray:none" '
                f'd="M{middle - 5:.1f} {y - 4:.1f}l10 10m0 -10l-10 10"/>'
            )
            return
        tip = end - way
        self._parts.append(
            f'<path class="arrow {kind}" d="M{start:.1f} {y:.1f}L{tip:.1f} {y + 1.5:.1f}">'
            f"<title>{plain(told)}</title></path>"
            f'<path class="arrow {kind}" d="M{tip - way * 6:.1f} {y - 2:.1f}L{tip:.1f} '
            f'{y + 1.5:.1f}L{tip - way * 6:.1f} {y + 4.5:.1f}"/>'
        )
        if hop.ended_ns is not None:
            took = _ms(hop.ended_ns - hop.queued_ns) + (" incl. queue" if queued else "")
            self._text("took", (start + end) / 2, y + 13, took)

    def _text(self, style: str, x: float, y: float, words: str, anchor: str = "") -> None:
        own = f' style="text-anchor:{anchor}"' if anchor else ""
        self._parts.append(
            f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{own}>{plain(printable(words))}</text>'
        )


def _merged(trace: Trace) -> Iterator[tuple[int, int, Kind]]:
    """Neighbours of one kind together."""
    run: tuple[int, int, Kind] | None = None
    for span in trace.spans:
        if run is not None and run[2] == span.kind and run[1] == span.start_ns:
            run = run[0], span.end_ns, span.kind
            continue
        if run is not None:
            yield run
        run = span.start_ns, span.end_ns, span.kind
    if run is not None:
        yield run


def _phase_runs(trace: Trace) -> Iterator[tuple[Phase, int, int]]:
    run: tuple[Phase, int, int] | None = None
    for span in trace.spans:
        if run is not None and run[0] == span.phase:
            run = run[0], run[1], span.end_ns
            continue
        if run is not None:
            yield run
        run = span.phase, span.start_ns, span.end_ns
    if run is not None:
        yield run


def _ends(packet: TracedPacket) -> Iterator[str]:
    for hop in packet.hops:
        yield hop.sender
        yield hop.receiver


def _told(before: TracedHop | None, hop: TracedHop) -> str:
    """What a pointer that rests on a hop is told."""
    parts = [f"{hop.sender} → {hop.receiver}"]
    if before is not None and before.ended_ns is not None and hop.queued_ns > before.ended_ns:
        parts.append(f"{_ms(hop.queued_ns - before.ended_ns)} ms at the node")
    if hop.queueing_ns:
        parts.append(f"{_ms(hop.queueing_ns)} ms in the queue")
    if hop.left_ns is not None and hop.serialised_ns is not None:
        parts.append(f"{_ms(hop.serialised_ns - hop.left_ns)} ms onto the cable")
        if hop.due_ns is not None and not hop.is_lost:
            parts.append(f"{_ms(hop.due_ns - hop.serialised_ns)} ms on it")
    if hop.late_ns:
        parts.append(f"taken {_ms(hop.late_ns)} ms late")
    if hop.is_lost:
        parts.append(f"lost: {hop.fate}")
    return "; ".join(parts)


def _fitted(words: str, room: float) -> str:
    while len(words) > 4 and text_width(words, 11.5) > room:
        words = f"{words[: min(len(words) - 2, int(len(words) * 0.95))]}…"
    return words


def _ms(ns: int) -> str:
    return f"{ns / MILLISECOND:.3f}"
