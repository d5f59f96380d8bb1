"""All about one scenario: timeline, plots, failures with their packets, steps, logs."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from netsim.drawing.trace_svg import trace_svg
from netsim.network.log_lines import LogLine
from netsim.observe.request_trace import Trace
from netsim.scenario.html.axes import time_axis
from netsim.scenario.html.ladder import ladder
from netsim.scenario.html.markup import clean, count, duration, table
from netsim.scenario.html.plots import plots
from netsim.scenario.html.timeline_chart import step_name, timeline
from netsim.scenario.results import ScenarioResult, StepResult
from netsim.scenario.text_report import again, seconds, swap_lines

_MOST_FAILURES: Final = 20
_MOST_STEPS: Final = 600
_MOST_LINES: Final = 200
_MOST_NOTICES: Final = 50


def verdict(held: bool) -> str:
    """In words, and coloured."""
    if held:
        return '<span class="good-text">✓ held</span>'
    return '<span class="bad-text">✗ did not hold</span>'


def section(number: int, result: ScenarioResult, *, drawing: str = "", folded: bool) -> str:
    """The scenario with this number, from 1; `folded` shows its heading only.

    `drawing` is its topology as HTML.
    """
    body = "\n".join(_body(number, result, drawing))
    if folded:
        body = f"<details><summary>steps, plots, logs</summary>{body}</details>"
    return (
        f'<section id="scenario-{number}" aria-labelledby="name-{number}">\n'
        f'<h2 id="name-{number}">{clean(result.name)} <small>{verdict(result.held)}</small></h2>\n'
        f'<p class="dim">{clean(result.file)}, seed {result.seed}, {clean(result.time)} time, '
        f"{duration(result.network_ns)} of network time in {result.wall_seconds:.2f} s</p>\n"
        f"<p>Again: <code>{clean(again(result))}</code></p>\n{body}\n</section>"
    )


def _body(number: int, result: ScenarioResult, drawing: str) -> Iterator[str]:
    if result.problem:
        yield f'<div class="problem" role="note"><pre>{clean(result.problem)}</pre></div>'
    axis = time_axis(result)
    if result.steps or result.faults or result.errors:
        yield f"<h3>Timeline</h3>{timeline(result, axis)}"
    if drawing:
        yield f"<h3>Network</h3>{drawing}"
    drawn = plots(result.samples, result.faults, axis)
    if drawn:
        yield f"<h3>Measured</h3>{drawn}"
    yield from _failures(number, result)
    if result.swaps:
        head, *lines = swap_lines(result.swaps)
        swaps = "\n".join(clean(line.removeprefix("    ")) for line in lines)
        yield f"<h3>Order of tasks</h3><p>{clean(head.strip())}</p><pre>{swaps}</pre>"
    if result.steps:
        yield f"<h3>Steps</h3>{_steps(number, result)}"
    if result.errors:
        yield f"<h3>Errors that programs logged</h3>{_lines(result.errors[:_MOST_LINES])}"
        yield _left_out(result.errors, _MOST_LINES)
    if result.logs:
        last = result.logs[-_MOST_LINES:]
        what = f"the last {count(len(last), 'line')} that nodes and programs logged"
        yield f"<h3>Log</h3><details{'' if result.held else ' open'}><summary>{what}</summary>"
        yield f"{_lines(last)}</details>"
    if result.notices:
        notices = "".join(f"<li>{clean(each)}</li>" for each in result.notices[:_MOST_NOTICES])
        yield f"<h3>Notes</h3><ul>{notices}</ul>{_left_out(result.notices, _MOST_NOTICES)}"


def _failures(number: int, result: ScenarioResult) -> Iterator[str]:
    failures = result.failures
    if not failures:
        return
    yield "<h3>What did not hold</h3>"
    for index, step in enumerate(failures[:_MOST_FAILURES], 1):
        place = f"{result.file}:{step.line}:{step.column}"
        yield (
            f'<article id="failure-{number}-{index}"><h4 class="bad-text">✗ '
            f"{clean(step_name(step))}</h4>"
            f'<p class="dim">{clean(place)}, at {seconds(step.ended_ns)} s</p>'
            f'<div class="problem">{_expected(step)}</div>'
        )
        if step.trace is not None:
            yield '<p class="note">Where its time went, and its packets on every hop:</p>'
            yield _trace_picture(step.trace)
        drawn = ladder(step.frames, f"Packets around {step.text}")
        if drawn:
            yield f'<p class="note">The packets around it, one arrow per link:</p>{drawn}'
        yield "</article>"
    yield _left_out(failures, _MOST_FAILURES)


def _trace_picture(trace: Trace) -> str:
    data = base64.b64encode(trace_svg(trace).encode()).decode()
    return (
        f'<img class="trace" alt="{clean(trace.title())}" src="data:image/svg+xml;base64,{data}">'
    )


def _expected(step: StepResult) -> str:
    told = (("expected", step.expected), ("seen", step.seen), ("but", step.untrusted))
    return "".join(f"<pre><b>{name}:</b> {clean(text)}</pre>" for name, text in told if text)


def _steps(number: int, result: ScenarioResult) -> str:
    anchors = {id(step): index for index, step in enumerate(result.failures[:_MOST_FAILURES], 1)}
    steps = result.steps
    if len(steps) > _MOST_STEPS:
        failed_first = sorted(range(len(steps)), key=lambda index: (steps[index].held, index))
        steps = tuple(steps[index] for index in sorted(failed_first[:_MOST_STEPS]))
    rows = [_step_row(number, step, anchors.get(id(step))) for step in steps]
    heads = ("line", "step", "outcome", "expected and seen", "from, s", "took")
    caption = count(len(result.steps), "step")
    if len(rows) < len(result.steps):
        caption += f", {len(rows)} of them shown"
    return table(caption, heads, rows)


def _step_row(number: int, step: StepResult, anchor: int | None) -> str:
    outcome = verdict(step.held)
    if anchor is not None:
        outcome = f'<a href="#failure-{number}-{anchor}">{outcome}</a>'
    return (
        f'<tr class="{"held" if step.held else "failed"}">'
        f'<td class="place">{step.line}:{step.column}</td>'
        f'<th scope="row" class="what" style="padding-left:{min(step.depth, 8) * 16}px">'
        f'{clean(step_name(step), 300)}</th><td class="place">{outcome}</td>'
        f'<td class="what">{_expected(step)}</td>'
        f'<td class="number">{seconds(step.started_ns)}</td>'
        f'<td class="number">{duration(step.ended_ns - step.started_ns)}</td></tr>'
    )


def _lines(lines: Sequence[LogLine]) -> str:
    rows = [
        f'<tr><td class="number">{seconds(first.time_ns)}</td>'
        f'<th scope="row">{clean(first.node)}</th>'
        f'<td class="place">{clean(logging.getLevelName(first.level).lower())}</td>'
        f'<td class="what"><pre>{clean(text, 4000)}</pre></td></tr>'
        for first, text in _messages(lines)
    ]
    return table(count(len(lines), "line"), ("at, s", "node", "level", "text"), rows)


def _messages(lines: Iterable[LogLine]) -> Iterator[tuple[LogLine, str]]:
    """Lines of one level that a node logged at one time stand together."""
    first, texts = None, list[str]()
    for line in lines:
        if first and (line.node, line.time_ns, line.level) != (
            first.node,
            first.time_ns,
            first.level,
        ):
            yield first, "\n".join(texts)
            first, texts = None, []
        first = first or line
        texts.append(line.text)
    if first:
        yield first, "\n".join(texts)


def _left_out(things: Sequence[object], shown: int) -> str:
    more = len(things) - shown
    return f'<p class="note">{more:,} more are not shown.</p>' if more > 0 else ""
