"""Sets of faults as hypothesis draws and shrinks them, and rounder ones that say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.scenario.steps import ExploreBudget, PlannedFault

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

FaultSet = tuple[PlannedFault, ...]
_Kind = Literal["down", "hold", "crash"]

_UNITS: Final = (
    *(10 * SECOND, SECOND, 100 * MILLISECOND, 10 * MILLISECOND, MILLISECOND),
    *(100 * MICROSECOND, 10 * MICROSECOND, MICROSECOND),
)
_INSTANTS: Final = 100
"""In a scenario, at the least, at which a fault may come."""


def fault_sets(budget: ExploreBudget, duration_ns: int) -> SearchStrategy[FaultSet]:
    """Draws of what `budget` allows, the faults beginning within `duration_ns`.

    Fewer faults are simpler, then those of the first kind and subject, short ones, early ones.
    """
    from hypothesis import strategies

    tick = tick_of(duration_ns)
    longest = max(budget.lasting_ns // tick, 1)
    # As many draws in the last hundredth as beyond: what breaks for hours hides short coincidences.
    lasting = strategies.one_of(
        *(strategies.integers(1, most) for most in (longest // 100, longest // 10, longest) if most)
    )
    fault = strategies.builds(
        lambda target, lasts, at: PlannedFault(
            at * tick, target[0], target[1], min(lasts * tick, budget.lasting_ns)
        ),
        strategies.sampled_from(_targets(budget)),
        lasting,
        strategies.integers(0, duration_ns // tick),
    )
    # Many more often than few: what breaks under some faults mostly does under more.
    counts = [count for count in range(1, budget.at_most + 1) for _ in range(count)]
    faults: Any = strategies.sampled_from(counts).flatmap(
        lambda count: strategies.lists(fault, min_size=count, max_size=count)
    )
    return cast("SearchStrategy[FaultSet]", faults.map(in_order))


def tick_of(duration_ns: int) -> int:
    """The grid for times: 100 ms, or finer where the scenario is short."""
    fitting = (unit for unit in _UNITS[2:] if duration_ns >= _INSTANTS * unit)
    return next(fitting, _UNITS[-1])


def in_order(faults: Iterable[PlannedFault]) -> FaultSet:
    """By time; of those of a kind that overlap on a subject, the first."""
    kept: list[PlannedFault] = []
    for fault in sorted(faults):
        same = ((each.kind, each.subject) == (fault.kind, fault.subject) for each in kept)
        ends = (each.healed_ns for each, is_same in zip(kept, same, strict=True) if is_same)
        if fault.at_ns > max(ends, default=-1):
            kept.append(fault)
    return tuple(kept)


def polished(
    faults: FaultSet, lasting_ns: int, duration_ns: int, fails: Callable[[FaultSet], bool]
) -> FaultSet:
    """None of the faults that is not needed, and at rounder times, as far as they still fail."""
    for fault in faults:
        others = tuple(each for each in faults if each != fault)
        if others and fails(others):
            faults = others
    for index in range(len(faults)):
        for candidates in (_rounder_starts, _rounder_lasting):
            for fault in candidates(faults[index]):
                others = faults[:index] + faults[index + 1 :]
                fits = fault.lasting_ns <= lasting_ns and fault.at_ns <= duration_ns
                wanted = in_order((*others, fault))
                # In another order the index would name another fault.
                if fits and wanted[index : index + 1] == (fault,) and fails(wanted):
                    faults = wanted
                    break
    return faults


def _rounder_starts(fault: PlannedFault) -> Iterator[PlannedFault]:
    for unit in _UNITS:
        if fault.at_ns % unit == 0:
            return
        if unit <= fault.at_ns:
            below = fault.at_ns // unit * unit
            yield replace(fault, at_ns=below)
            yield replace(fault, at_ns=below + unit)


def _rounder_lasting(fault: PlannedFault) -> Iterator[PlannedFault]:
    for unit in _UNITS:
        if fault.lasting_ns % unit == 0:
            return
        if unit <= fault.lasting_ns:
            yield replace(fault, lasting_ns=(fault.lasting_ns // unit + 1) * unit)


def _targets(budget: ExploreBudget) -> list[tuple[_Kind, tuple[str, ...]]]:
    """What may happen to what."""
    links: list[tuple[_Kind, tuple[str, ...]]] = [
        (kind, link) for kind in ("down", "hold") if kind in budget.kinds for link in budget.links
    ]
    crashes: list[tuple[_Kind, tuple[str, ...]]] = [("crash", (node,)) for node in budget.nodes]
    return links + (crashes if "crash" in budget.kinds else [])
