"""Sets of faults as hypothesis draws and shrinks them, and rounder ones that say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.scenario.scenario_model import ExploreBudget, PlannedFault

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

FaultSet = tuple[PlannedFault, ...]
_Target = tuple[Literal["down", "hold", "crash"], tuple[str, ...]]

_UNITS: Final = (
    *(10 * SECOND, SECOND, 100 * MILLISECOND, 10 * MILLISECOND, MILLISECOND),
    *(100 * MICROSECOND, 10 * MICROSECOND, MICROSECOND),
)
_OF_LINKS: Final[tuple[Literal["down", "hold"], ...]] = ("down", "hold")
_INSTANTS: Final = 100
"""In a scenario, at the least, at which a fault may come."""


def fault_sets(budget: ExploreBudget, duration_ns: int) -> SearchStrategy[FaultSet]:
    """Draws of what `budget` allows, the faults beginning within `duration_ns`.

    Fewer faults are simpler, then those of the first kind and subject, short ones, early ones.
    """
    from hypothesis import strategies

    tick = tick_of(duration_ns)
    longest = max(budget.lasting_ns // tick, 1)
    # Short ones show races, long ones overlap: a third is of the shortest tenth, a third as long as
    # may be.
    spans = [most for most in (longest // 10, 2 * longest, 2 * longest) if most]
    lasting = strategies.one_of(*(strategies.integers(1, most) for most in spans))
    targets = _targets(budget)
    draw = strategies.tuples(
        strategies.integers(0, len(targets) - 1),
        lasting.map(lambda ticks: min(ticks * tick, budget.lasting_ns)),
        strategies.integers(0, duration_ns // tick).map(lambda ticks: ticks * tick),
    )
    # Many more often than few: what breaks under some faults mostly does under more.
    counts = [count for count in range(1, budget.at_most + 1) for _ in range(count)]
    draws = strategies.sampled_from(counts).flatmap(
        lambda count: strategies.lists(draw, min_size=count, max_size=count)
    )
    return draws.map(lambda drawn: _spread(drawn, targets))


def tick_of(duration_ns: int) -> int:
    """The grid for times: 100 ms, or finer where the scenario is short."""
    fitting = (unit for unit in _UNITS[2:] if duration_ns >= _INSTANTS * unit)
    return next(fitting, _UNITS[-1])


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
                wanted = tuple(sorted((*others, fault)))
                # In another order the index would name another fault.
                if fits and wanted[index] == fault and _is_free(fault, others) and fails(wanted):
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


def _spread(drawn: Iterable[tuple[int, int, int]], targets: Sequence[_Target]) -> FaultSet:
    """Faults from (index of the target, lasting, start): where it is broken then, the next one."""
    faults: list[PlannedFault] = []
    for index, lasting_ns, at_ns in drawn:
        for kind, subject in (*targets[index:], *targets[:index]):
            fault = PlannedFault(at_ns, kind, subject, lasting_ns)
            if _is_free(fault, faults):
                faults.append(fault)
                break
    return tuple(sorted(faults))


def _is_free(fault: PlannedFault, others: Iterable[PlannedFault]) -> bool:
    """Whether nothing like it is going on at the same place, nor ends or begins just then."""
    return all(
        (fault.kind, fault.subject) != (other.kind, other.subject)
        or fault.healed_ns < other.at_ns
        or other.healed_ns < fault.at_ns
        for other in others
    )


def _targets(budget: ExploreBudget) -> list[_Target]:
    """What may happen to what."""
    links: list[_Target] = [
        (kind, link) for kind in _OF_LINKS if kind in budget.kinds for link in budget.links
    ]
    crashes: list[_Target] = [("crash", (node,)) for node in budget.nodes]
    return links + (crashes if "crash" in budget.kinds else [])
