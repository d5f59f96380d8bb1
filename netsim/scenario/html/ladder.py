"""The packets around a failure: a lane for each node, an arrow for each frame on each link."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from netsim.drawing.geometry import text_width
from netsim.observe.frame_lines import summarise
from netsim.observe.frame_log import DELIVERED, IN_FLIGHT, FrameRecord
from netsim.scenario.html.markup import clean, count, fitted, label, picture
from netsim.scenario.text_report import packet_line, seconds

_ROW: Final = 20.0
_TOP: Final = 34.0
_LEFT: Final = 130.0
_BESIDE: Final = 36.0
_WIDTH: Final = 1250.0
_WORDS: Final = 760.0
_LAST: Final = 60
_MOST: Final = 200
_MOST_LANES: Final = 16


def ladder(frames: Sequence[FrameRecord], what: str) -> str:
    """The last frames, and those before them folded up."""
    if not frames:
        return ""
    kept = frames[-_MOST:]
    names = node_order(kept)
    earlier, last = kept[:-_LAST], kept[-_LAST:]
    parts = []
    if earlier:
        parts.append(
            f"<details><summary>{count(len(earlier), 'earlier packet')}</summary>"
            f"{_draw(earlier, names, f'{what}: earlier packets')}</details>"
        )
    parts.append(_draw(last, names, f"{what}: {count(len(last), 'packet')}"))
    return "\n".join(parts)


def node_order(frames: Sequence[FrameRecord]) -> list[str]:
    """The nodes along the path: from an end, always on to a neighbour."""
    neighbours: dict[str, list[str]] = {}
    for frame in frames:
        ends = _node(frame.sender), _node(frame.receiver)
        for one, other in (ends, ends[::-1]):
            known = neighbours.setdefault(one, [])
            if other not in known:
                known.append(other)
    order: list[str] = []
    # An end of the path is first; of ends, whoever sends first.
    for start in sorted(neighbours, key=lambda name: len(neighbours[name])):
        ahead = [start]
        while ahead:
            name = ahead.pop()
            if name not in order:
                order.append(name)
                # Dead ends before the way on: lanes of the path stay side by side.
                ahead += sorted(neighbours[name], key=lambda each: -len(neighbours[each]))[::-1]
    return order


def _node(interface: str) -> str:
    return interface.split(":", 1)[0]


def _draw(frames: Sequence[FrameRecord], names: Sequence[str], title: str) -> str:
    names = names[:_MOST_LANES]
    summaries = [summarise(frame.frame) for frame in frames]
    fates = [f"✗ {f.fate}: " if _is_lost(f) else "" for f in frames]
    pairs = zip(fates, summaries, strict=True)
    longest = max(text_width(f"{fate}{words}", 11.5) for fate, words in pairs)
    longest = min(longest, _WORDS)
    gap = (_WIDTH - _LEFT - _BESIDE - longest) / max(1, len(names) - 1)
    gap = min(120.0, max(56.0, gap))
    lanes = {name: _LEFT + index * gap for index, name in enumerate(names)}
    notes = _LEFT + (len(names) - 1) * gap + _BESIDE
    width = notes + longest + 10
    bottom = _TOP + len(frames) * _ROW + 6
    parts = [label("dim", 8, 18, "network time")]
    for name, x in lanes.items():
        parts.append(f'<path class="lane" d="M{x:.0f} {_TOP - 8:.0f}V{bottom:.0f}"/>')
        parts.append(label("node mid", x, 18, fitted(name, gap - 6, 13)))
    carried: dict[str, set[str]] = {}
    """For each packet, the interfaces it has left through."""
    for row, (frame, words) in enumerate(zip(frames, summaries, strict=True)):
        y = _TOP + row * _ROW + 12
        senders = carried.setdefault(words, set())
        # On its next link it is pale; who sends it once more sends it anew.
        style = "dim" if senders and frame.sender not in senders else ""
        if not style:
            senders.clear()
        senders.add(frame.sender)
        parts.append(f"<g><title>{clean(packet_line(frame))}</title>")
        parts.append(label("tick", 8, y + 4, f"{seconds(frame.time_ns)} s"))
        parts += _arrow(frame, lanes, y)
        fate = f'<tspan class="bad-text">{clean(fates[row])}</tspan>' if fates[row] else ""
        said = clean(fitted(words, _WORDS - text_width(fates[row], 11.5), 11.5))
        parts.append(f'<text class="said {style}" x="{notes:.1f}" y="{y + 4:.1f}">{fate}{said}')
        parts.append("</text></g>")
    return picture(width, bottom + 6, title, parts)


def _is_lost(frame: FrameRecord) -> bool:
    return frame.fate not in (DELIVERED, IN_FLIGHT)


def _arrow(frame: FrameRecord, lanes: dict[str, float], y: float) -> Iterator[str]:
    start, end = lanes.get(_node(frame.sender)), lanes.get(_node(frame.receiver))
    if start is None or end is None:
        return
    way = 1 if end >= start else -1
    if not _is_lost(frame):
        style = "arrow" if frame.fate == DELIVERED else "arrow under-way"
        yield f'<path class="{style}" d="M{start:.1f} {y:.1f}H{end - way * 2:.1f}"/>'
        yield f'<path class="head" d="M{end - way:.1f} {y:.1f}l{-way * 8} -4v8z"/>'
        return
    middle = (start + end) / 2
    yield f'<path class="arrow lost" d="M{start:.1f} {y:.1f}H{middle:.1f}"/>'
    yield f'<path class="lost" d="M{middle - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"/>'
