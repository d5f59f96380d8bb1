"""A result in lines of text: for terminals, JUnit files and pytest."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any, Final

from netsim.core.units import format_moment
from netsim.network.log_lines import LogLine, logged_errors
from netsim.observe.frame_lines import summarise
from netsim.observe.frame_log import FrameRecord
from netsim.scenario.results import Role, ScenarioResult, StepResult

_PACKETS: Final = 20
"""That are shown of those around a step."""
_LOG_LINES: Final = 10
_FAULTS: Final = 5
_SWAPS: Final = 8
_EXITS: Final = 5
_MILLION: Final = 1_000_000
_WHAT: Final[dict[Role, str]] = {
    "step": "",
    "load": "",
    "limit": "",
    "invariant": "invariant ",
    "always": "always ",
    "errors": "errors of programs during ",
}


def verdict_line(result: ScenarioResult) -> str:
    """Whether it held, in a line."""
    what = f"{result.file}: {result.name}"
    if not result.held:
        return f"FAILED  {what} (seed {result.seed})"
    return f"ok      {what} ({_count(result)} in {format_moment(result.network_ns)})"


def failure_lines(result: ScenarioResult) -> Iterator[str]:
    """Why it did not hold: each step with what was expected and seen, and the packets around it.

    Computers that their programs have ended come first: the rest mostly follows from that.
    """
    for ended in result.exits[:_EXITS]:
        yield f"{ended.text}, at {format_moment(ended.time_ns)}"
        said = [line for line in result.logs if line.node == ended.node]
        for line in said[-_LOG_LINES:]:
            yield f"    {seconds(line.time_ns)}  {line.text}"
    for step in result.failures:
        place = f"{result.file}:{step.line}:{step.column}"
        yield f"{place}: {_WHAT[step.role]}{step.text}, at {format_moment(step.ended_ns)}"
        yield from _aligned("expected", step.expected)
        yield from _aligned("seen", step.seen)
        if step.untrusted:
            yield from _aligned("but", step.untrusted)
        for fault in _faults_before(result, step):
            yield from _aligned("broken", fault)
        said = _said_during(result, step)
        if said:
            yield f"  what programs logged{_cut(said, _LOG_LINES)}:"
            for line in said[-_LOG_LINES:]:
                yield f"    {seconds(line.time_ns)}  {line.node}: {line.text}"
        if step.frames:
            yield f"  the packets around it{_cut(step.frames, _PACKETS)}:"
            for frame in step.frames[-_PACKETS:]:
                yield f"    {packet_line(frame)}"
    yield from swap_lines(result.swaps)
    if result.problem and not any(result.problem in step.seen for step in result.failures):
        yield result.problem
    for error in logged_errors(result.errors):
        if not any(error.text in step.seen for step in result.failures):
            yield from _aligned(error.node, error.text)


def swap_lines(swaps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Which task ran before which that had been ready for longer, and where both stood."""
    if not swaps:
        return
    yield f"  which task ran before which, otherwise than in asyncio's order{_cut(swaps, _SWAPS)}:"
    for swap in swaps[-_SWAPS:]:
        ran, before = swap["ran"], swap["before"]
        names = ", ".join(each["task"] for each in before)
        more = swap["passed"] - len(before)
        names += f" and {more} more" if more else ""
        yield f"    {seconds(swap['time_ns'])}  {swap['node']}: {ran['task']} before {names}"
        for each in (ran, *before):
            yield f"      {each['task']}: {' > '.join(each['stack']) or 'no task'}"


def _faults_before(result: ScenarioResult, step: StepResult) -> Iterator[str]:
    """What was or had been broken when a step failed."""
    before = [fault for fault in result.faults if fault.started_ns <= step.ended_ns]
    for fault in before[-_FAULTS:]:
        over = fault.ended_ns is not None and fault.ended_ns <= step.ended_ns
        time = f"{format_moment(fault.started_ns)}"
        time = f"from {time} to {format_moment(fault.ended_ns or 0)}" if over else f"since {time}"
        yield f"{fault.kind} {fault.subject}, {time}"


def _said_during(result: ScenarioResult, step: StepResult) -> list[LogLine]:
    """What was logged while it went on, but for errors, which are shown by themselves."""
    return [
        line
        for line in result.logs
        if step.started_ns <= line.time_ns <= step.ended_ns and line.level < logging.ERROR
    ]


def _cut(all_of_them: Sized, shown: int) -> str:
    """What is left out of what is shown."""
    return f" (the last {shown} of {len(all_of_them)})" if len(all_of_them) > shown else ""


def again(result: ScenarioResult) -> str:
    """The command that repeats it."""
    time = " --time real" if result.time == "real" else ""
    order = f" --order {result.order}" if result.order else ""
    return f"netsim test {shlex.quote(result.file)} --seed {result.seed}{order}{time}"


def packet_line(record: FrameRecord) -> str:
    """Time, where it was, what it is, and its fate unless it was delivered."""
    fate = "" if record.fate == "delivered" else f"  [{record.fate}]"
    where = f"{record.sender} → {record.receiver}"
    return f"{seconds(record.time_ns)}  {where}  {summarise(record.frame)}{fate}"


def seconds(ns: int) -> str:
    """Network time in seconds, with microseconds."""
    micros = ns // 1000
    return f"{micros // _MILLION}.{micros % _MILLION:06d}"


def _aligned(label: str, text: str) -> Iterator[str]:
    first, *rest = text.splitlines() or [""]
    yield f"  {label + ':':<10}{first}"
    for line in rest:
        yield f"  {'':<10}{line}"


def _count(result: ScenarioResult) -> str:
    steps = sum(step.depth == 0 and step.role in ("step", "load") for step in result.steps)
    return "1 step" if steps == 1 else f"{steps} steps"
