"""What a check of a step finds: what was expected, and what was seen instead."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from netsim.core.errors import HttpFailedError, NetsimError
from netsim.core.time import SECOND
from netsim.core.units import format_duration
from netsim.observe.request_trace import Trace
from netsim.scenario.check_words import OutcomeWords
from netsim.scenario.expectation import Expectation
from netsim.scenario.results import Sample

if TYPE_CHECKING:
    from netsim.network.network import Network

Outcome = TypeVar("Outcome")

_LATE_NS: Final = SECOND
"""What is late is waited for so much longer than it may take, so that it can be shown."""
_PLACE: Final = re.compile(r'^ *File "(.+)", line (\d+), in (\S+)$', re.MULTILINE)
"""A line of a traceback."""


@dataclass(slots=True)
class Verdict:
    """Whether a check holds, and why not."""

    expected: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Of what does not hold only, as soon as something does not."""
    held: bool = True
    samples: list[Sample] = field(default_factory=list)
    trace: Trace | None = None
    """Of a request, where these are traced."""

    def compare(self, held: bool, expected: str, seen: str) -> None:
        """One thing that was expected, and what was seen of it."""
        if self.held and not held:
            self.held = False
            self.expected.clear()
            self.seen.clear()
        if held == self.held:
            self.expected.append(expected)
            self.seen.append(seen)

    def number(self, what: str, expected: Expectation | None, seen: float) -> None:
        """A number that may be expected to be something."""
        if expected is not None:
            shown = expected.show(seen)
            self.compare(expected.holds(seen), f"{what} {expected.text}", f"{what} {shown}")


@dataclass(frozen=True, slots=True)
class Attempt(Generic[Outcome]):
    """The outcome, None where it is an error; and the verdict so far."""

    outcome: Outcome | None
    verdict: Verdict


async def attempt_it(
    start: Callable[[], Awaitable[Outcome]],
    network: Network,
    expect: OutcomeWords | None,
    timeout: float | None,
    what: str,
    describe: Callable[[Outcome], str],
    folder: Path | None = None,
) -> Attempt[Outcome]:
    """Try it, and compare whether there is an outcome with whether there was to be one.

    Where programs of `folder` are tried, an error says at which of their lines it was raised.
    """
    verdict = Verdict()
    wanted = expect.error if expect is not None else None
    within = expect.within if expect is not None else None
    started = network.now()
    try:
        async with asyncio.timeout(timeout):
            outcome = await start()
    except Exception as error:  # noqa: BLE001  # whatever goes wrong at the node is what was seen
        seen = error_text(error)
        if isinstance(error, TimeoutError) and not str(error):
            seen = f"no {what.removeprefix('a ')} within {rounded(network.now() - started)}"
        if wanted is None:
            within_text = f" within {format_duration(within)}" if within is not None else ""
            verdict.compare(False, what + within_text, seen + _origin(error, folder))
        else:
            expected = f"an error with {wanted!r}" if wanted else "an error"
            verdict.compare(wanted in seen, expected, seen)
        return Attempt(None, verdict)
    if wanted is not None:
        expected = f"an error with {wanted!r}" if wanted else "an error"
        verdict.compare(False, expected, f"none: {describe(outcome)}")
    elif expect is None or not (expect.model_fields_set - {"error"}):
        verdict.compare(True, what, describe(outcome))
    return Attempt(outcome, verdict)


def patience_of(timeout_ns: int | None, expect: OutcomeWords | None) -> float | None:
    """Seconds after which a check gives up; None where only the network does."""
    if timeout_ns is None and expect is not None and expect.within is not None:
        timeout_ns = expect.within + _LATE_NS
    return None if timeout_ns is None else timeout_ns / SECOND


def compare_time(verdict: Verdict, expect: OutcomeWords, elapsed_ns: int) -> None:
    if expect.within is not None:
        text = f"within {format_duration(expect.within)}"
        verdict.compare(elapsed_ns <= expect.within, text, f"after {rounded(elapsed_ns)}")
    verdict.number("time", expect.time, elapsed_ns)


def rounded(ns: int) -> str:
    return format_duration(round(float(f"{ns:.4g}")))


def _origin(error: Exception, folder: Path | None) -> str:
    """The last line of a program beside the scenario that an error went through."""
    if folder is None:
        return ""
    # In the formatted text, since an error from another process carries its traceback as text.
    trace = "".join(traceback.format_exception(error))
    places = _PLACE.findall(trace)
    own = [place for place in places if Path(place[0]).is_relative_to(folder)]
    return f" ({Path(own[-1][0]).name}:{own[-1][1]}, in {own[-1][2]})" if own else ""


def error_text(error: Exception) -> str:
    """What is wrong; of errors that are not netsim's own the kind, too."""
    if isinstance(error, HttpFailedError):
        return error.reason
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, NetsimError):
        return text or kind
    return f"{kind}: {text}" if text else kind
