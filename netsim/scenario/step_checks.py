"""Doing a check on a network: what was expected against what is seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from netsim.core.errors import HttpFailedError
from netsim.core.time import MILLISECOND, SECOND
from netsim.observe.request_trace import Trace
from netsim.scenario.check_words import (
    DnsWords,
    HttpWords,
    PathWords,
    PingWords,
    RunWords,
    TransferWords,
)
from netsim.scenario.results import Sample
from netsim.scenario.scenario_model import Step
from netsim.scenario.scenario_modules import call_beside
from netsim.scenario.step_verdicts import (
    Verdict,
    attempt_it,
    compare_time,
    error_text,
    patience_of,
    rounded,
)
from netsim.tools.http_reply import HttpReply
from netsim.tools.ping_measurement import PingReport
from netsim.tools.transfer import Transfer

if TYPE_CHECKING:
    from netsim.network.network import Network

_MOST_TIMES: Final = 10
"""Round trips that are shown."""
_SHOWN: Final = 200
"""Characters of a body."""


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
        verdict.compare(False, _PLAIN[step.verb], error_text(error))
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
    patience = patience_of(words.timeout, words.expect)
    return method, {"headers": words.headers, "body": body, "timeout": patience}


async def _judged_http(
    words: HttpWords, network: Network, request: Callable[[], Awaitable[HttpReply]]
) -> Verdict:
    expect = words.expect
    attempt = await attempt_it(
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
    compare_time(verdict, expect, reply.elapsed_ns)
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
    attempt = await attempt_it(
        lambda: network[words.from_].transfer(words.to, words.size),
        network,
        expect,
        patience_of(words.timeout, expect),
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
        compare_time(verdict, expect, transfer.elapsed_ns)
    return verdict


async def _run(words: RunWords, network: Network, folder: Path) -> Verdict:
    expect = words.expect
    started = network.now()
    node = network[words.host]
    attempt = await attempt_it(
        lambda: _boxed(node.run(call_beside, str(folder), words.call, words.args or {})),
        network,
        expect,
        patience_of(words.timeout, expect),
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
    compare_time(verdict, expect, network.now() - started)
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


def _reply_text(reply: HttpReply) -> str:
    return f"status {reply.status} after {rounded(reply.elapsed_ns)}"


def _transfer_text(transfer: Transfer) -> str:
    return f"all bytes after {rounded(transfer.elapsed_ns)}"


def _return_text(outcome: tuple[Any]) -> str:
    return f"it returns {outcome[0]!r}"[:_SHOWN]


def _names(names: list[str]) -> str:
    return f"[{', '.join(names)}]"
