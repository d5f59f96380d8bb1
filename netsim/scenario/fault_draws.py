"""Sets of faults: which are drawn, and smaller and rounder ones that break the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from netsim.core.time import SECOND
from netsim.scenario.faultless_run import UNITS, FaultlessRun
from netsim.scenario.scenario_model import (
    FAULT_KINDS,
    LINK_KINDS,
    NODE_KINDS,
    ExploreBudget,
    PlannedFault,
)

FaultSet = tuple[PlannedFault, ...]

_INSTANTS: Final = 100
"""In a scenario, at the least, at which a fault may come."""
_TRIES: Final = 10
"""Draws for each set that is wanted: some come twice."""
_AROUND: Final = (0.5, 1.1, 1.5, 2.5)
"""Times as long as a program's timer, a fault is over before it, or outlasts it, or a retry."""
_PLACES: Final = 2
"""Significant digits of such a lasting."""
_ON_NODES: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "reset_connections": ({}, {"after": 1}),
    "cut_connections": ({"after": 1}, {"after": 1000}),
    "stall_connections": ({},),
    "slow_close": ({"delay": 5 * SECOND},),
    "refuse_connections": ({}, {"first": 1}),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What may happen to what."""

    kind: str
    subject: tuple[str, ...]
    options: tuple[tuple[str, Any], ...] = ()


def targets(budget: ExploreBudget, run: FaultlessRun) -> tuple[tuple[Target, ...], ...]:
    """What `budget` allows and the faultless run shows to matter, for each kind that has some."""
    nodes = set(budget.nodes)
    running = tuple(node for node in budget.nodes if node in run.computers)
    of_nodes = {"crash": budget.nodes, "kill_program": running, "pause": running}
    found: dict[str, list[Target]] = {kind: [] for kind in FAULT_KINDS}
    for kind in budget.kinds:
        if kind in LINK_KINDS:
            found[kind] += [Target(kind, link) for link in budget.links]
        elif kind in of_nodes:
            found[kind] += [Target(kind, (node,)) for node in of_nodes[kind]]
        elif kind == "drop":
            found[kind] += [Target(kind, pair) for pair in run.talks if nodes & set(pair)]
        elif kind == "isolate":
            peers = {node: [b for a, b in run.talks if a == node] for node in budget.nodes}
            found[kind] += [Target(kind, (a, ", ".join(peers[a]))) for a in peers if peers[a]]
        else:
            found[kind] += [
                Target(kind, (node, str(port)), tuple(options.items()))
                for node, port in run.services
                if node in nodes
                for options in _ON_NODES[kind]
            ]
    return tuple(tuple(some) for some in found.values() if some)


def draw_sets(
    budget: ExploreBudget, run: FaultlessRun, random: Random, count: int
) -> list[FaultSet]:
    """Up to `count` different sets of what `budget` allows, beginning within the time of `run`.

    Most faults begin between two events of that run, and last about as long as a timer of its
    programs. Every kind comes about as often as every other.
    """
    kinds = targets(budget, run)
    every = [target for some in kinds for target in some]
    tick = tick_of(run.duration_ns)
    most = budget.lasting_ns
    grid = range(0, run.duration_ns + 1, tick)
    starts = [grid, *[run.moments or grid] * 3]
    any_lasting = range(min(tick, most), most + 1, tick)
    around = _around(run.timers_ns, most) or any_lasting
    # Short ones are many: who gives up after seconds is woken every few milliseconds, too.
    lastings = [_ladder(tick, most), any_lasting, around, around[len(around) // 2 :]]
    deck: list[tuple[Target, ...]] = []
    sets: dict[FaultSet, None] = {}
    for _ in range(count * _TRIES):
        # Of two the larger: what breaks under some faults mostly does under more.
        size = max(random.randint(1, budget.at_most) for _ in range(2))
        drawn = []
        for _ in range(size):
            if not deck:
                deck = random.sample(kinds, len(kinds))
            target = random.choice(deck.pop())
            lasting, start = random.choice(lastings), random.choice(starts)
            drawn.append((target, random.choice(lasting), random.choice(start)))
        sets[_spread(drawn, every)] = None
        if len(sets) == count:
            break
    return list(sets)


def _ladder(shortest: int, longest: int) -> list[int]:
    """1, 2, 5, 10 … times the shortest, and the longest."""
    steps = [shortest * digit * 10**power for power in range(12) for digit in (1, 2, 5)]
    return [*(step for step in steps if step < longest), longest]


def _around(timers_ns: Iterable[int], longest: int) -> list[int]:
    lengths = {_two_digits(timer * factor) for timer in timers_ns for factor in _AROUND}
    return sorted(length for length in lengths if length <= longest)


def _two_digits(ns: float) -> int:
    return round(int(ns), _PLACES - len(str(int(ns))))


def tick_of(duration_ns: int) -> int:
    """The grid for times: 100 ms, or finer where the scenario is short."""
    fitting = (unit for unit in UNITS[2:-1] if duration_ns >= _INSTANTS * unit)
    return next(fitting, UNITS[-2])


def shrunk(
    faults: FaultSet,
    lasting_ns: int,
    duration_ns: int,
    fails: Callable[[FaultSet], bool],
) -> FaultSet:
    """The fewest of the faults, early, short and at round times, as far as they still fail."""
    for fault in faults:
        others = tuple(each for each in faults if each != fault)
        if others and fails(others):
            faults = others
    before: FaultSet = ()
    while faults != before:  # one that is shorter may let another be so, too
        before = faults
        for index in range(len(faults)):
            faults = _smaller(faults, index, lasting_ns, duration_ns, fails)
    return faults


def _smaller(
    faults: FaultSet,
    index: int,
    lasting_ns: int,
    duration_ns: int,
    fails: Callable[[FaultSet], bool],
) -> FaultSet:
    """With one of the faults earlier, shorter, and at rounder times."""
    for changed in (_earlier, _shorter):
        faults = _least(faults, index, tick_of(duration_ns), fails, changed)
    for rounder in (_rounder_starts, _rounder_lasting):
        for fault in rounder(faults[index]):
            fits = fault.lasting_ns <= lasting_ns and fault.at_ns <= duration_ns
            wanted = _with(faults, index, fault) if fits else None
            if wanted is not None and fails(wanted):
                faults = wanted
                break
    return faults


def _with(faults: FaultSet, index: int, fault: PlannedFault) -> FaultSet | None:
    """With this one instead; None where it is not free, or would have another index."""
    others = faults[:index] + faults[index + 1 :]
    wanted = tuple(sorted((*others, fault)))
    return wanted if wanted[index] == fault and _is_free(fault, others) else None


def _earlier(fault: PlannedFault, ns: int) -> PlannedFault:
    return replace(fault, at_ns=ns)


def _shorter(fault: PlannedFault, ns: int) -> PlannedFault:
    return replace(fault, lasting_ns=max(ns, 1))


def _least(
    faults: FaultSet,
    index: int,
    tick: int,
    fails: Callable[[FaultSet], bool],
    changed: Callable[[PlannedFault, int], PlannedFault],
) -> FaultSet:
    """With the least number of ns in one of the faults that still fails, to an eighth."""
    enough = faults[index].at_ns if changed is _earlier else faults[index].lasting_ns
    too_little = 0
    middle = 0 if changed is _earlier else tick
    while middle < enough:
        wanted = _with(faults, index, changed(faults[index], middle))
        if wanted is not None and fails(wanted):
            faults, enough = wanted, middle
        else:
            too_little = middle
        if enough - too_little <= max(tick, enough // 8):
            break
        middle = (enough + too_little) // 2 // tick * tick
        if middle <= too_little:
            break
    return faults


def _rounder_starts(fault: PlannedFault) -> Iterator[PlannedFault]:
    for unit in UNITS:
        if fault.at_ns % unit == 0:
            return
        if unit <= fault.at_ns:
            below = fault.at_ns // unit * unit
            yield replace(fault, at_ns=below)
            yield replace(fault, at_ns=below + unit)


def _rounder_lasting(fault: PlannedFault) -> Iterator[PlannedFault]:
    for unit in UNITS:
        if fault.lasting_ns % unit == 0:
            return
        if unit <= fault.lasting_ns:
            yield replace(fault, lasting_ns=(fault.lasting_ns // unit + 1) * unit)


def _spread(drawn: Iterable[tuple[Target, int, int]], every: Sequence[Target]) -> FaultSet:
    """Faults from (target, lasting, start): where that is broken then, the next one."""
    faults: list[PlannedFault] = []
    for wanted, lasting_ns, at_ns in drawn:
        first = every.index(wanted)
        for target in (*every[first:], *every[:first]):
            fault = PlannedFault(at_ns, target.kind, target.subject, lasting_ns, target.options)
            if _is_free(fault, faults):
                faults.append(fault)
                break
    return tuple(sorted(faults))


def _is_free(fault: PlannedFault, others: Iterable[PlannedFault]) -> bool:
    """Whether nothing like it is going on at the same place, nor ends or begins just then."""
    return all(
        _place(fault) != _place(other)
        or fault.healed_ns < other.at_ns
        or other.healed_ns < fault.at_ns
        for other in others
    )


def _place(fault: PlannedFault) -> tuple[str, tuple[str, ...]]:
    # What has crashed has no program that could be killed.
    return "node" if fault.kind in NODE_KINDS else fault.kind, fault.subject
