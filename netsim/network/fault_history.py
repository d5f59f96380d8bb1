"""What was broken in a running network, from when to when: for reports of what failed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from netsim.core.link_attributes import differing_words
from netsim.network.link_conditions import LinkConditions
from netsim.topology.plan import NetworkPlan

_KEPT: Final = 100
"""Faults that are over; the oldest go first."""


@dataclass(frozen=True, slots=True)
class PastFault:
    """Something that was broken for some time. Times are network time in ns."""

    text: str
    """For a person: `r1 – r2: down`."""
    started_ns: int
    ended_ns: int | None
    """None: it still is."""


class FaultHistory:
    """Faults of links, traffic and nodes of one network, in the order in which they began.

    `tell(kind, text)` is told of links and traffic, as they change: nodes tell themselves.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        conditions: LinkConditions,
        tell: Callable[[str, str], None] = lambda kind, text: None,
    ) -> None:
        self._tell = tell
        self._plan = plan
        self._conditions = conditions
        self._faults: dict[int, PastFault] = {}
        """By number, in the order in which they began."""
        self._in_force: dict[Hashable, int] = {}
        self._numbers = count()

    @property
    def faults(self) -> list[PastFault]:
        """All that are kept."""
        return list(self._faults.values())

    def began(self, key: Hashable, text: str, now: int) -> bool:
        """Something is broken; what was under that key before, is over. Whether that is news."""
        number = self._in_force.get(key)
        if number is None or self._faults[number].text != text:
            self.ended(key, now)
            number = self._in_force[key] = next(self._numbers)
            self._faults[number] = PastFault(text, now, None)
            return True
        return False

    def ended(self, key: Hashable, now: int) -> bool:
        """It is mended; whether it was broken."""
        number = self._in_force.pop(key, None)
        if number is None:
            return False
        self._faults[number] = replace(self._faults[number], ended_ns=now)
        if len(self._faults) - len(self._in_force) > _KEPT:
            over = (each for each, fault in self._faults.items() if fault.ended_ns is not None)
            del self._faults[next(over)]
        return True

    def links_changed(self, links: Iterable[int], now: int) -> None:
        """Links are meant to be otherwise: what the topology does not say of them is broken."""
        for link in links:
            text = self._link_text(link)
            if text:
                if self.began(("link", link), text, now):
                    self._tell("link", text)
            elif self.ended(("link", link), now):
                a, b = self._plan.links[link].a[0], self._plan.links[link].b[0]
                self._tell("link", f"{a} – {b}: as in the file")

    def traffic_changed(self, texts: Iterable[str], now: int) -> None:
        """These faults of traffic are in force, and no others."""
        in_force = {("traffic", text): text for text in texts}
        gone = [
            key
            for key in self._in_force
            if isinstance(key, tuple) and key[0] == "traffic" and key not in in_force
        ]
        for key in gone:
            self.ended(key, now)
            self._tell("fault", f"healed: {key[1]}")
        for key, text in in_force.items():
            if self.began(key, text, now):
                self._tell("fault", text)

    def _link_text(self, link: int) -> str:
        a, b = (end[0] for end in (self._plan.links[link].a, self._plan.links[link].b))
        there, back = self._changes(link, a), self._changes(link, b)
        if there == back:
            return f"{a} – {b}: {there}" if there else ""
        ways = [(f"{a} → {b}", there), (f"{b} → {a}", back)]
        return "; ".join(f"{way}: {changes}" for way, changes in ways if changes)

    def _changes(self, link: int, node: str) -> str:
        planned, meant = self._conditions.planned(link, node), self._conditions.meant(link, node)
        differing = differing_words(planned, meant).items()
        return ", ".join(_words(word, value) for word, (_, value) in differing)


def _words(word: str, value: Any) -> str:
    match word:
        case "up":
            return "up" if value else "down"
        case "held":
            return "held" if value else "not held"
    return f"{word} {'unlimited' if value is None else value}"
