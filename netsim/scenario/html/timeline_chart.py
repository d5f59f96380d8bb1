"""Steps, faults and errors against network time, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from netsim.drawing.geometry import text_width
from netsim.network.log_lines import LogLine
from netsim.scenario.html.axes import LEFT, RIGHT, WIDTH, TimeAxis
from netsim.scenario.html.markup import clean, count, duration, fitted, label, picture
from netsim.scenario.results import FaultRecord, ScenarioResult, StepResult
from netsim.scenario.text_report import seconds

_FIRST: Final = 8.0
_ROW: Final = 20.0
_SIZE: Final = 12.0
_BAR: Final = 14.0
_OWN_ROWS: Final = 45
"""Steps that get a row each; more share rows, with their text beside them."""
_MOST_STEPS: Final = 400
_MOST_SUBJECTS: Final = 30
_MOST_BARS: Final = 3000
_MOST_NODES: Final = 15
_CHARACTERS: Final = 34


def timeline(result: ScenarioResult, axis: TimeAxis) -> str:
    """A picture with its notes on what was left out."""
    shown = replace(result, steps=_chosen(result.steps))
    parts: list[str] = []
    y = _FIRST
    for name, draw in (("Steps", _steps), ("Faults", _faults), ("Errors of programs", _errors)):
        heading = len(parts)
        bottom = draw(shown, axis, y + _ROW, parts)
        if parts[heading:]:
            parts.insert(heading, label("part", 8, y + 14, name))
            y = bottom + 8
    title = (
        f"Timeline of {result.name}: {count(len(result.steps), 'step')}, "
        f"{count(len(result.faults), 'fault')}, {count(len(result.errors), 'line')} of errors"
    )
    drawn = picture(WIDTH, y + 24, title, [*axis.draw(4, y), *parts])
    left_out = len(result.steps) - len(shown.steps)
    if left_out:
        drawn += f'<p class="note">{count(left_out, "step")} that held are not drawn.</p>'
    return drawn


def _chosen(steps: Sequence[StepResult]) -> tuple[StepResult, ...]:
    """Those that failed and the outer ones first, where there are too many."""
    if len(steps) <= _MOST_STEPS:
        return tuple(steps)
    ranked = sorted(range(len(steps)), key=lambda i: (steps[i].held, steps[i].depth, i))
    return tuple(steps[index] for index in sorted(ranked[:_MOST_STEPS]))


def _steps(result: ScenarioResult, axis: TimeAxis, top: float, parts: list[str]) -> float:
    steps = result.steps
    if len(steps) <= _OWN_ROWS:
        for number, step in enumerate(steps):
            y = top + number * _ROW
            indent = 14.0 + 12 * min(step.depth, 6)
            words = fitted(step_name(step), LEFT - indent - 10, _SIZE)
            parts.append(label("" if step.held else "bad-text", indent, y + 14, words))
            parts.append(_step_bar(step, axis, y))
        return top + len(steps) * _ROW
    free: list[float] = []
    """For each row, from where on it is empty."""
    for step in steps:
        words = step_name(step)
        words = words if len(words) <= _CHARACTERS else f"{words[: _CHARACTERS - 1]}…"
        left, right = _ends(axis, step.started_ns, step.ended_ns)
        width = text_width(words, _SIZE)
        beside = right + 4 + width <= WIDTH
        reach = right + 4 + width + 10 if beside else right + 6
        begin = left if beside else left - width - 8
        row = next((row for row, used in enumerate(free) if used <= begin), len(free))
        free[row : row + 1] = [reach]
        y = top + row * _ROW
        parts.append(_step_bar(step, axis, y))
        style = "" if step.held else "bad-text"
        x = right + 4 if beside else left - width - 4
        parts.append(label(style, x, y + 14, words))
    return top + len(free) * _ROW


def step_name(step: StepResult) -> str:
    """What was looked at: invariants say that they are."""
    return step.text if step.role in ("step", "limit") else f"{step.role}: {step.text}"


def _step_bar(step: StepResult, axis: TimeAxis, y: float) -> str:
    left, right = _ends(axis, step.started_ns, step.ended_ns)
    middle, box_top = (left + right) / 2, y + 3
    cross = ""
    if not step.held and right - left >= 12:  # Not by colour alone.
        cross = f'<path class="cross" d="M{middle - 4:.1f} {box_top + 3:.1f}l8 8m0 -8l-8 8"/>'
    told = (
        f"line {step.line}: {step_name(step)}: {'held' if step.held else 'did not hold'}, "
        f"{seconds(step.started_ns)} s, took {duration(step.ended_ns - step.started_ns)}"
    )
    return (
        f'<g><title>{clean(told)}</title><rect class="{"good" if step.held else "bad"}" '
        f'x="{left:.1f}" y="{box_top:.1f}" width="{right - left:.1f}" height="{_BAR:.0f}" '
        f'rx="2"/>{cross}</g>'
    )


def _ends(axis: TimeAxis, start: int, end: int) -> tuple[float, float]:
    """Left and right of a bar that can be seen."""
    left, right = axis.x(start), axis.x(end)
    return (left, right) if right - left >= 3 else (min(left, RIGHT - 3), min(left + 3, RIGHT))


def _faults(result: ScenarioResult, axis: TimeAxis, top: float, parts: list[str]) -> float:
    faults = result.faults
    subjects: dict[str, list[FaultRecord]] = {}
    for fault in faults[:_MOST_BARS]:
        subjects.setdefault(fault.subject, []).append(fault)
    y = top
    for subject, its in list(subjects.items())[:_MOST_SUBJECTS]:
        kinds = ", ".join(dict.fromkeys(fault.kind for fault in its))
        parts.append(label("", 14, y + 14, fitted(f"{subject}: {kinds}", LEFT - 24, _SIZE)))
        parts += (_fault_bar(fault, axis, y) for fault in its)
        y += _ROW
    left_out = len(faults) - sum(map(len, list(subjects.values())[:_MOST_SUBJECTS]))
    if left_out:
        parts.append(label("dim", 14, y + 14, f"and {count(left_out, 'fault')} more"))
        y += _ROW
    return y


def _fault_bar(fault: FaultRecord, axis: TimeAxis, y: float) -> str:
    end = axis.end if fault.ended_ns is None else fault.ended_ns
    left, right = _ends(axis, fault.started_ns, end)
    lasted = "to the end" if fault.ended_ns is None else f"for {duration(end - fault.started_ns)}"
    told = f"{fault.kind} {fault.subject} at {seconds(fault.started_ns)} s, {lasted}"
    words = fault.kind
    style = "change" if fault.kind == "set" else "fault"
    if right - left > text_width(f"{words}, {lasted}", 11) + 8:
        words = f"{words}, {lasted}"
    fits = right - left > text_width(words, 11) + 8
    inside = label("on-fault", left + 5, y + 14, words) if fits else ""
    return (
        f'<g><title>{clean(told)}</title><rect class="{style}" x="{left:.1f}" y="{y + 3:.1f}" '
        f'width="{right - left:.1f}" height="{_BAR:.0f}"/>{inside}</g>'
    )


def _errors(result: ScenarioResult, axis: TimeAxis, top: float, parts: list[str]) -> float:
    nodes: dict[str, dict[int, list[LogLine]]] = {}
    for line in result.errors:
        nodes.setdefault(line.node, {}).setdefault(round(axis.x(line.time_ns)), []).append(line)
    y = top
    for node, places in list(nodes.items())[:_MOST_NODES]:
        parts.append(label("", 14, y + 14, fitted(node, LEFT - 24, _SIZE)))
        parts += _diamonds(places, y)
        y += _ROW
    if len(nodes) > _MOST_NODES:
        more = count(len(nodes) - _MOST_NODES, "node")
        parts.append(label("dim", 14, y + 14, f"and {more} more"))
        y += _ROW
    return y


def _diamonds(places: dict[int, list[LogLine]], y: float) -> Iterator[str]:
    for x, lines in places.items():
        told = f"{seconds(lines[0].time_ns)} s: {lines[0].text}"
        more = f" … {count(len(lines), 'line')}" if len(lines) > 1 else ""
        yield (
            f"<g><title>{clean(told, 200)}{more}</title>"
            f'<path class="error" d="M{x} {y + 3:.1f}l6 7l-6 7l-6 -7z"/></g>'
        )
