"""Doing a check on a network: what was expected against what is seen."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from netsim.core.errors import HttpFailedError, NetsimError
from netsim.core.time import MILLISECOND, SECOND
from netsim.core.units import format_duration
from netsim.observe.request_trace import Trace
from netsim.scenario.check_words import (
    DnsWords,
    HttpWords,
    OutcomeWords,
    PathWords,
    PingWords,
    RunWords,
    TransferWords,
)
from netsim.scenario.expectation import Expectation
from netsim.scenario.results import Sample
from netsim.scenario.scenario_model import Step
from netsim.scenario.scenario_modules import call_beside
from netsim.tools.http_reply import HttpReply
from netsim.tools.ping_measurement import PingReport
from netsim.tools.transfer import Transfer

if TYPE_CHECKING:
    from netsim.network.network import Network

Outcome = TypeVar("Outcome")

_LATE_NS: Final = SECOND
"""What is late is waited for so much longer than it may take, so that it can be shown."""
_MOST_TIMES: Final = 10
"""Round trips that are shown."""
_SHOWN: Final = 200
"""Characters of a body."""
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
class _Attempt(Generic[Outcome]):
    """The outcome, None where it is an error; and the verdict so far."""

    outcome: Outcome | None
    verdict: Verdict


async def check(
    step: Step, network: Network, folder: Path, *, traces_requests: bool = False
) -> Verdict:
    """Do the check; modules are looked up in `folder` first."""
    try:
        if step.verb == "http" and traces_requests:
            return await _traced_http(step.words, network)
        return await _CHECKS[step.verb](step.words, network, folder)
    except Exception as error:  # noqa: BLE001  # whatever goes wrong at the node is what was seen
        verdict = Verdict()
        verdict.compare(False, _PLAIN[step.verb], _error_text(error))
        return verdict


async def _http(words: HttpWords, network: Network, _: Path) -> Verdict:
    method, options = _asked(words)
    node = network[words.from_]
    return await _judged_http(words, network, lambda: node.request(method, words.url, **options))


async def _traced_http(words: HttpWords, network: Network) -> Verdict:
    method, options = _asked(words)
    traces = list[Trace]()

    async def request() -> HttpReply:
        trace, reply = await network.traced_request(words.from_, method, words.url, **options)
        traces.append(trace)
        if reply is None:
            raise HttpFailedError(trace.method, trace.url, trace.error)
        return reply

    verdict = await _judged_http(words, network, request)
    verdict.trace = traces[0] if traces else None
    return verdict


def _asked(words: HttpWords) -> tuple[str, dict[str, Any]]:
    """The method, and what else belongs to the request."""
    method = words.method or ("GET" if words.body is None else "POST")
    body = None if words.body is None else words.body.encode()
    patience = _patience(words.timeout, words.expect)
    return method, {"headers": words.headers, "body": body, "timeout": patience}


async def _judged_http(
    words: HttpWords, network: Network, request: Callable[[], Awaitable[HttpReply]]
) -> Verdict:
    expect = words.expect
    attempt = await _attempt(
        request,
        network,
        expect,
        None,  # the client gives up by itself
        "a response",
        _reply_text,
    )
    reply, verdict = attempt.outcome, attempt.verdict
    if reply is None:
        return verdict
    label = f"{words.from_} → {urlsplit(words.url).hostname}"
    verdict.samples.append(Sample(network.now(), "response", label, reply.elapsed_ns))
    if expect is None or expect.error is not None:
        return verdict
    seen = reply.body.decode(errors="replace")
    shown = seen if len(seen) <= _SHOWN else f"{seen[:_SHOWN]}…"
    if expect.status is not None:
        held = expect.status.holds(reply.status)
        why = f" with body {shown!r}" if seen and not held and expect.body is None else ""
        verdict.compare(held, f"status {expect.status.text}", f"status {reply.status}{why}")
    if expect.body is not None:
        verdict.compare(expect.body in seen, f"body with {expect.body!r}", f"body {shown!r}")
    for name, value in (expect.headers or {}).items():
        header = reply.headers.get(name)
        held = header is not None and value in header
        shown = "missing" if header is None else repr(header)
        verdict.compare(held, f"header {name} with {value!r}", f"header {name} {shown}")
    _time(verdict, expect, reply.elapsed_ns)
    return verdict


async def _ping(words: PingWords, network: Network, _: Path) -> Verdict:
    options: dict[str, Any] = {}
    for option in ("interval", "timeout"):
        if (ns := getattr(words, option)) is not None:
            options[option] = ns / SECOND
    if words.size is not None:
        options["size"] = words.size
    verdict = Verdict()
    report = await network[words.from_].ping(words.to, count=words.count or 3, **options)
    expect = words.expect
    label = f"{words.from_} → {words.to}"
    verdict.samples += [
        Sample(at, "rtt", label, rtt)
        for at, rtt in zip(report.arrived_at, report.rtts_ns, strict=True)
    ]
    if expect is None or not (expect.loss or expect.rtt or expect.ttl):
        shown = f"{report.received} of {report.sent} replies"
        if not report.received and report.errors:
            shown += f": {report.errors[0]}"
        verdict.compare(report.received > 0, "a reply", shown)
        return verdict
    loss = 1 - report.received / report.sent if report.sent else 1.0
    verdict.number("loss", expect.loss, loss)
    if expect.rtt is not None and not report.rtts_ns:
        verdict.compare(False, f"rtt {expect.rtt.text}", "no reply")
    elif expect.rtt is not None:
        verdict.number("rtt", expect.rtt, sum(report.rtts_ns) / len(report.rtts_ns))
    if (ttl := expect.ttl) is not None and not report.ttls:
        verdict.compare(False, f"ttl {ttl.text}", "no reply")
    elif ttl is not None:
        # One that is wrong is shown, if there is any.
        verdict.number("ttl", ttl, min(report.ttls, key=ttl.holds))
    if not verdict.held:
        verdict.seen[-1] += f" ({_ping_text(report)})"
    return verdict


def _ping_text(report: PingReport) -> str:
    """`9 of 10 replies, rtt min/avg/max 5.61/6.1/11.2 ms: 11.2, 5.61, …`"""
    shown = f"{report.received} of {report.sent} replies"
    if report.received and (lost := report.lost):
        more = ", …" if len(lost) > _MOST_TIMES else ""
        shown += f", none to {', '.join(map(str, lost[:_MOST_TIMES]))}{more}"
    if report.errors:
        shown += f", {report.errors[0]}"
    times = [f"{rtt / MILLISECOND:.3g}" for rtt in report.rtts_ns]
    if len(times) > 1:
        rtts = report.rtts_ns
        spread = (min(rtts), sum(rtts) / len(rtts), max(rtts))
        words = "/".join(f"{each / MILLISECOND:.3g}" for each in spread)
        more = ", …" if len(times) > _MOST_TIMES else ""
        shown += f", rtt min/avg/max {words} ms: {', '.join(times[:_MOST_TIMES])}{more}"
    return shown


async def _path(words: PathWords, network: Network, _: Path) -> Verdict:
    expected = "a path" if words.expect is None else f"path {_names(words.expect)}"
    verdict = Verdict()
    path = list(await network[words.from_].path(words.to))
    held = words.expect is None or path == list(words.expect)
    verdict.compare(held, expected, f"path {_names(path)}")
    return verdict


async def _dns(words: DnsWords, network: Network, _: Path) -> Verdict:
    wanted = words.expect.a if words.expect else None
    verdict = Verdict()
    address = await network[words.from_].resolve(words.name)
    shown = "none" if address is None else address
    held = address is not None if wanted is None else shown == wanted
    verdict.compare(held, "an address" if wanted is None else f"a {wanted}", f"a {shown}")
    return verdict


async def _transfer(words: TransferWords, network: Network, _: Path) -> Verdict:
    expect = words.expect
    attempt = await _attempt(
        lambda: network[words.from_].transfer(words.to, words.size),
        network,
        expect,
        _patience(words.timeout, expect),
        "completion",
        _transfer_text,
    )
    transfer, verdict = attempt.outcome, attempt.verdict
    if transfer is None:
        return verdict
    label = f"{words.from_} → {words.to}"
    verdict.samples += [Sample(at, "goodput", label, bps) for at, bps in transfer.rates()]
    if expect is not None and expect.error is None:
        verdict.number("goodput", expect.goodput, transfer.goodput_bps)
        _time(verdict, expect, transfer.elapsed_ns)
    return verdict


async def _run(words: RunWords, network: Network, folder: Path) -> Verdict:
    expect = words.expect
    started = network.now()
    node = network[words.host]
    attempt = await _attempt(
        lambda: _boxed(node.run(call_beside, str(folder), words.call, words.args or {})),
        network,
        expect,
        _patience(words.timeout, expect),
        "a return",
        _return_text,
        folder,
    )
    outcome, verdict = attempt.outcome, attempt.verdict
    if outcome is None or expect is None or expect.error is not None:
        return verdict
    if "returns" in expect.model_fields_set:
        held = outcome[0] == expect.returns
        verdict.compare(held, f"it returns {expect.returns!r}", _return_text(outcome))
    _time(verdict, expect, network.now() - started)
    return verdict


_CHECKS: Final[dict[str, Callable[[Any, Any, Path], Awaitable[Verdict]]]] = {
    "http": _http,
    "ping": _ping,
    "path": _path,
    "dns": _dns,
    "transfer": _transfer,
    "run": _run,
}
_PLAIN: Final = {
    "http": "a response",
    "ping": "a reply",
    "path": "a path",
    "dns": "an answer",
    "transfer": "completion",
    "run": "a return",
}
"""What is expected at the least."""


async def _boxed(outcome: Awaitable[Any]) -> tuple[Any]:
    """What may be None in something that is not."""
    return (await outcome,)


async def _attempt(
    start: Callable[[], Awaitable[Outcome]],
    network: Network,
    expect: OutcomeWords | None,
    timeout: float | None,
    what: str,
    describe: Callable[[Outcome], str],
    folder: Path | None = None,
) -> _Attempt[Outcome]:
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
        seen = _error_text(error)
        if isinstance(error, TimeoutError) and not str(error):
            seen = f"no {what.removeprefix('a ')} within {_rounded(network.now() - started)}"
        if wanted is None:
            within_text = f" within {format_duration(within)}" if within is not None else ""
            verdict.compare(False, what + within_text, seen + _origin(error, folder))
        else:
            expected = f"an error with {wanted!r}" if wanted else "an error"
            verdict.compare(wanted in seen, expected, seen)
        return _Attempt(None, verdict)
    if wanted is not None:
        expected = f"an error with {wanted!r}" if wanted else "an error"
        verdict.compare(False, expected, f"none: {describe(outcome)}")
    elif expect is None or not (expect.model_fields_set - {"error"}):
        verdict.compare(True, what, describe(outcome))
    return _Attempt(outcome, verdict)


def _patience(timeout_ns: int | None, expect: OutcomeWords | None) -> float | None:
    """Seconds after which a check gives up; None where only the network does."""
    if timeout_ns is None and expect is not None and expect.within is not None:
        timeout_ns = expect.within + _LATE_NS
    return None if timeout_ns is None else timeout_ns / SECOND


def _time(verdict: Verdict, expect: OutcomeWords, elapsed_ns: int) -> None:
    if expect.within is not None:
        text = f"within {format_duration(expect.within)}"
        verdict.compare(elapsed_ns <= expect.within, text, f"after {_rounded(elapsed_ns)}")
    verdict.number("time", expect.time, elapsed_ns)


def _reply_text(reply: HttpReply) -> str:
    return f"status {reply.status} after {_rounded(reply.elapsed_ns)}"


def _transfer_text(transfer: Transfer) -> str:
    return f"all bytes after {_rounded(transfer.elapsed_ns)}"


def _return_text(outcome: tuple[Any]) -> str:
    return f"it returns {outcome[0]!r}"[:_SHOWN]


def _rounded(ns: int) -> str:
    return format_duration(round(float(f"{ns:.4g}")))


def _names(names: list[str]) -> str:
    return f"[{', '.join(names)}]"


def _origin(error: Exception, folder: Path | None) -> str:
    """The last line of a program beside the scenario that an error went through."""
    if folder is None:
        return ""
    # In the formatted text, since an error from another process carries its traceback as text.
    trace = "".join(traceback.format_exception(error))
    places = _PLACE.findall(trace)
    own = [place for place in places if Path(place[0]).is_relative_to(folder)]
    return f" ({Path(own[-1][0]).name}:{own[-1][1]}, in {own[-1][2]})" if own else ""


def _error_text(error: Exception) -> str:
    """What is wrong; of errors that are not netsim's own the kind, too."""
    if isinstance(error, HttpFailedError):
        return error.reason
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, NetsimError):
        return text or kind
    return f"{kind}: {text}" if text else kind
