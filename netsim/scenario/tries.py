"""What an `eventually` has tried, for its report."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.core.units import format_moment
from netsim.scenario.step_verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Try:
    """One that did not hold, or was not answered in time."""

    started_ns: int
    verdict: Verdict | None
    """None without an answer."""

    @property
    def seen(self) -> str:
        return "no answer" if self.verdict is None else ", ".join(self.verdict.seen)


class Tries:
    """Of one `eventually` that has not held."""

    def __init__(self) -> None:
        self.count = 0
        self._first: Try | None = None
        self._last: Try | None = None
        self._answered: Try | None = None

    def add(self, tried: Try) -> None:
        """Another that did not hold."""
        self.count += 1
        self._first = self._first or tried
        self._last = tried
        if tried.verdict is not None:
            self._answered = tried

    @property
    def shown(self) -> Try:
        """The last that was answered, else the last."""
        found = self._answered or self._last
        assert found is not None, "there is one before anybody asks"
        return found

    def text(self) -> str:
        """How many there were, and what was seen at the last and at the first, when."""
        first, last = self._first, self._last
        assert first is not None, "there is one before anybody asks"
        assert last is not None, "as there is a first"
        if last is first:
            return f"{last.seen}, at the only try, at {format_moment(last.started_ns)}"
        which = f"at the last of {self.count} tries, at {format_moment(last.started_ns)}"
        parts = [f"{last.seen}, {which}"]
        if self._answered not in (None, first, last):
            before = self.shown
            parts.append(f"at the one before, at {format_moment(before.started_ns)}, {before.seen}")
        seen = "the same" if first.seen == last.seen else first.seen
        parts.append(f"at the first, at {format_moment(first.started_ns)}, {seen}")
        return "; ".join(parts)
