"""The HTML report: well-formed, self-contained, with the facts, and of bounded size."""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import networkx

from netsim import FrameRecord, LogLine
from netsim.core.time import MILLISECOND, SECOND
from netsim.scenario.html.axes import TimeAxis, round_step, time_axis
from netsim.scenario.html.ladder import ladder, node_order
from netsim.scenario.html.markup import clean, duration, fitted, rate
from netsim.scenario.html.page import html_report, write_html
from netsim.scenario.html.plots import plots
from netsim.scenario.html.timeline_chart import timeline
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.results import FaultRecord, Sample, ScenarioResult, StepResult
from netsim.scenario.scenario_run import execute
from netsim.topology.network_graph import topology_from_graph

VOID = {"meta", "br", "hr", "img", "link"}
HOSTILE = (
    "</title></script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x00\ud800\u202e"
)


class Page(HTMLParser):
    """Reads a page, and fails where its elements are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def all_text(self) -> str:
        return " ".join("".join(self.text).split())


def frame(
    at: int, sender: str, receiver: str, fate: str = "delivered", body: int = 0
) -> FrameRecord:
    octets = b"\x02" * 12 + b"\x88" + bytes([0xB5 + body]) + bytes(46)
    return FrameRecord(at * MILLISECOND, 0, sender, receiver, octets, fate)


PATH = (
    frame(1, "alice:eth0", "r1:eth0"),
    frame(2, "r1:eth1", "r2:eth0"),
    frame(3, "r2:eth1", "web:eth0"),
    frame(4, "web:eth0", "r2:eth1", body=1),
    frame(5, "r2:eth0", "r1:eth1", "link down", body=1),
)


def step(number: int, *, held: bool = True, **words: object) -> StepResult:
    begin = StepResult(
        number + 4,
        5,
        f"ping alice → web {number}",
        "ping",
        "step",
        0,
        number * SECOND,
        (number + 1) * SECOND,
        held,
        "" if held else "loss 0%",
        "" if held else "loss 20%",
        () if held else PATH,
    )
    return replace(begin, **words)  # type: ignore[arg-type]


def failing(**words: object) -> ScenarioResult:
    result = ScenarioResult(
        name="uplink",
        file="tests/uplink.yaml",
        seed=17,
        time="virtual",
        held=False,
        problem="",
        steps=(step(0), step(1, held=False), step(2, text="http alice → web", depth=1)),
        faults=(
            FaultRecord("down", "r1 – r2", SECOND, 2 * SECOND),
            FaultRecord("hold", "r2 – web", 2 * SECOND, None),
        ),
        samples=(
            Sample(SECOND, "rtt", "alice → web", 5.6e6),
            Sample(SECOND, "rtt", "bob → web", 7.25e6),
            Sample(2 * SECOND, "goodput", "web → alice", 92_310_000.0),
            Sample(2 * SECOND, "response", "alice → web", float("nan")),
        ),
        errors=(
            LogLine(SECOND, "web", logging.ERROR, "Traceback (most recent call last):", "later"),
            LogLine(SECOND, "web", logging.ERROR, "OSError: broken", "later"),
        ),
        notices=("TLS bytes do not repeat",),
        network_ns=3 * SECOND,
        wall_seconds=0.5,
    )
    return replace(result, **words)  # type: ignore[arg-type]


def test_a_page_tells_what_happened() -> None:
    page = Page(html_report([failing(), failing(name="fine", held=True, steps=(step(0),))]))
    told = page.all_text()
    for fact in (
        "1 of 2 scenarios did not hold",
        "netsim test tests/uplink.yaml --seed 17",
        "tests/uplink.yaml:5:5, at 2.000000 s",
        "expected: loss 0%",
        "seen: loss 20%",
        "r1 – r2: down",
        "✗ link down: ",
        "Round-trip time in ms",
        "7.25 ms",
        "Goodput in Mbit/s",
        "92.31 Mbit/s",
        "OSError: broken",
        "TLS bytes do not repeat",
        "3 s of network time in 0.50 s",
    ):
        assert fact in told, fact
    assert "Response time" not in told  # No number among its values.
    assert told.count("What did not hold") == 1


def test_links_within_the_page_lead_somewhere() -> None:
    page = Page(html_report([failing()]))
    places = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = [str(words["href"]) for tag, words in page.elements if tag == "a"]
    assert "#failure-1-1" in links
    assert {link.removeprefix("#") for link in links} <= places


def test_a_page_needs_nothing_from_elsewhere() -> None:
    text = html_report([failing()])
    page = Page(text)
    assert not page.tags() & {"script", "link", "img", "iframe", "object", "image", "use"}
    assert not any("src" in words for _, words in page.elements)
    assert not any(word in text for word in ("url(", "@import", "://"))


def test_pictures_and_tables_say_what_they_are() -> None:
    page = Page(html_report([failing()]))
    drawings = [words for tag, words in page.elements if tag == "svg"]
    assert all(words.get("aria-label") or words.get("aria-hidden") for words in drawings)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("table") == tags.count("caption") > 3


def test_what_comes_from_files_and_networks_is_only_text() -> None:
    hostile = FrameRecord(0, 0, f"{HOSTILE}:eth0", "b:eth0", b"short", HOSTILE)
    result = failing(
        name=HOSTILE,
        file=HOSTILE,
        problem=HOSTILE,
        steps=(
            step(0, held=False, text=HOSTILE, expected=HOSTILE, seen=HOSTILE, frames=(hostile,)),
        ),
        faults=(FaultRecord(HOSTILE, HOSTILE, 0, None),),
        samples=(Sample(1, "rtt", HOSTILE, 1.0),),
        errors=(LogLine(0, HOSTILE, logging.ERROR, HOSTILE),),
        notices=(HOSTILE,),
    )
    text = html_report([result])
    text.encode()
    page = Page(text)
    assert not page.tags() & {"script", "img"}
    assert not any(name.startswith("on") for _, words in page.elements for name in words)
    assert "alert(1)" in page.all_text()
    assert not set("\x00\u202e") & set(text)


def test_equal_results_give_equal_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one.html", tmp_path / "other.html"
    write_html([failing()], one)
    logged = tuple(replace(line, wall="another day") for line in failing().errors)
    write_html([failing(errors=logged)], str(other))
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes() != html_report([failing(seed=18)]).encode()


def test_nothing_at_all_is_a_page_too() -> None:
    assert "0 scenarios held" in Page(html_report([])).all_text()
    bare = ScenarioResult("none", "none.yaml", 0, "real", False, "it did not start", ())
    assert "it did not start" in Page(html_report([bare])).all_text()


def test_the_topology_is_drawn_once_for_its_file() -> None:
    topology = topology_from_graph(networkx.Graph([("alice", "<b>"), ("<b>", "web")]))
    topologies = {"tests/uplink.yaml": topology}
    page = Page(html_report([failing(), failing(seed=18)], topologies))
    (drawing,) = [words for tag, words in page.elements if tag == "img"]
    assert drawing["alt"] == "Topology graph: 3 nodes, 2 links, 2 subnets"
    kind, _, data = str(drawing["src"]).partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert b"alice" in base64.b64decode(data)
    many = {f"{n}.yaml": topology for n in range(30)}
    text = html_report([failing(file=name) for name in many], many)
    assert text.count("<img ") == 20


def test_what_was_logged_is_there_and_open_where_it_failed() -> None:
    logs = tuple(
        LogLine(SECOND, node, level, f"said {level} {HOSTILE}")
        for node, level in (("web", logging.INFO), ("web", logging.WARNING), ("bob", logging.INFO))
    )
    page = Page(html_report([failing(logs=logs)]))
    assert "the last 3 lines that nodes and programs logged" in page.all_text()
    assert "webwarningsaid 30" in page.all_text()
    assert ("details", {"open": None}) in page.elements
    fine = Page(html_report([failing(logs=logs, held=True, steps=(), errors=())]))
    assert ("details", {}) in fine.elements
    assert "script" not in page.tags() | fine.tags()


def test_huge_results_make_a_page_that_opens() -> None:
    steps = tuple(step(number, held=number % 9 > 0, seen="x" * 9000) for number in range(5000))
    huge = failing(
        steps=steps,
        faults=tuple(FaultRecord("down", f"r{n} – r0", n * SECOND, None) for n in range(5000)),
        samples=tuple(Sample(n * SECOND, "rtt", f"h{n % 40} → web", n) for n in range(20_000)),
        errors=tuple(LogLine(n, f"n{n}", logging.ERROR, "y" * 4096) for n in range(5000)),
        notices=tuple("z" for _ in range(5000)),
    )
    text = html_report([huge])
    assert len(text) < 6_000_000
    told = Page(text).all_text()
    assert "5,000 steps, 600 of them shown" in told
    assert "32 more series are not drawn" in told


def test_of_many_scenarios_those_that_failed_are_shown_whole() -> None:
    fine = failing(held=True, steps=(), faults=(), samples=(), errors=())
    text = html_report([*[fine] * 6000, failing(name="the one")])
    page = Page(text)
    sections = [words for tag, words in page.elements if tag == "section"]
    assert len(sections) == 100
    assert sections[-1]["id"] == "scenario-6001"
    assert "6,001 scenarios, 5,000 of them shown" in page.all_text()


def test_lanes_stand_in_the_order_of_the_path() -> None:
    assert node_order(PATH) == ["alice", "r1", "r2", "web"]
    assert node_order(PATH[::-1]) in (["alice", "r1", "r2", "web"], ["web", "r2", "r1", "alice"])
    assert node_order(()) == []


def test_a_ladder_has_an_arrow_per_link_and_a_cross_where_a_packet_was_lost() -> None:
    drawn = ladder(PATH, "packets")
    assert drawn.count('class="head"') == 4
    assert drawn.count('class="lost"') == 1
    # The same packet on its next link is pale: two of three, and one of two.
    assert drawn.count('class="said dim"') == 3
    assert ladder((), "packets") == ""


def test_a_packet_sent_anew_is_not_pale() -> None:
    again = ladder((PATH[0], PATH[1], PATH[0], PATH[1]), "packets")
    assert again.count('class="said dim"') == 2


def test_a_long_ladder_folds_what_came_before() -> None:
    drawn = ladder(PATH * 40, "packets")
    assert "<summary>140 earlier packets</summary>" in drawn
    assert drawn.count("<svg") == 2


def test_bars_do_not_overlap_the_words_of_others() -> None:
    result = failing(steps=tuple(step(number) for number in range(200)), network_ns=200 * SECOND)
    drawn = timeline(result, time_axis(result))
    bars = re.findall(r'class="good" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', drawn)
    assert len(bars) == 200
    rows: dict[str, list[tuple[float, float]]] = {}
    for x, y, width in bars:
        rows.setdefault(y, []).append((float(x), float(x) + float(width)))
    for spans in rows.values():
        spans.sort()
        gaps = [after[0] - before[1] for before, after in pairwise(spans)]
        assert all(gap > 60 for gap in gaps)
    assert all(float(width) >= 3 for _, _, width in bars)


def test_ticks_are_round() -> None:
    assert round_step(5.95, 10) == 1
    assert round_step(0.0123, 5) == 0.005
    assert round_step(0, 5) == 1
    for end, ticks in (
        (10 * 60 * SECOND, ("0 min", "1 min", "10 min")),
        (5 * SECOND, ("0.5 s", "4.5 s")),
        (40 * MILLISECOND, ("5 ms", "40 ms")),
        (1, ("0 ns", "1 ns")),
    ):
        drawn = list(TimeAxis(0, end).draw(0, 10))
        assert len(drawn) <= 24
        for tick in ticks:
            assert any(f">{tick}<" in element for element in drawn), (end, tick)


def test_time_begins_where_something_happens() -> None:
    assert time_axis(failing()).start == 0
    late = failing(steps=(step(100),), faults=(), samples=(), errors=(), network_ns=101 * SECOND)
    assert 99 * SECOND < time_axis(late).start <= 100 * SECOND
    assert time_axis(late).end == 101 * SECOND


def test_words() -> None:
    assert [duration(ns) for ns in (0, 12, 1500, 181_864_128, 125 * SECOND)] == [
        "0 s",
        "12 ns",
        "1.5 µs",
        "181.9 ms",
        "125 s",
    ]
    assert rate(92_310_000) == "92.31 Mbit/s"
    assert clean("a" * 9, 5) == "aaaaa…"
    assert fitted("short", 100, 12) == "short"
    assert fitted("much too long for so little", 80, 12).endswith("…")
    assert fitted("none", 1, 12) == ""


def test_a_link_that_is_set_is_no_outage() -> None:
    axis = TimeAxis(0, 10 * SECOND)
    samples = [Sample(SECOND, "rtt", "a → b", 5.0), Sample(2 * SECOND, "rtt", "a → b", 6.0)]
    change = FaultRecord("set", "a – b: delay 80ms", SECOND, 9 * SECOND)
    assert '<path class="shade" d=""/>' in plots(samples, [change], axis)
    outage = FaultRecord("down", "a – b", SECOND, 9 * SECOND)
    assert '<path class="shade" d="M' in plots(samples, [change, outage], axis)


def test_which_task_ran_before_which_is_shown_with_their_stacks() -> None:
    swap = {
        "time_ns": 5 * MILLISECOND,
        "node": "bank",
        "ran": {"task": HOSTILE, "stack": ["bank.py:8 in deposit"]},
        "before": [{"task": "Task-2", "stack": ["bank.py:10 in deposit"]}],
        "passed": 1,
    }
    text = "".join(Page(html_report([failing(swaps=(swap,))])).text)
    assert "Order of tasks" in text
    assert "Task-2: bank.py:10 in deposit" in text
    assert " before Task-2\n" in text
    assert "Order of tasks" not in html_report([failing()])


def test_a_request_that_fails_is_shown_hop_by_hop(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "name: two\nnodes: {alice: {kind: computer}, r1: {kind: router}, web: {kind: computer, "
        "services: {80: 'netsim.services.httpbin:create_app'}}}\n"
        "links: [{endpoints: [alice, r1], delay: 1ms}, {endpoints: [r1, web], delay: 7ms}]\n"
    )
    file = tmp_path / "slow.yaml"
    file.write_text(
        "name: slow\ntopology: net.yaml\nsteps:\n"
        "  - http: {from: alice, url: 'http://web/ip', expect: {status: 200}}\n"
        "  - http: {from: alice, url: 'http://web:81/', expect: {status: 200}}\n"
    )
    scenario = load_scenario(str(file))
    plain, traced = execute(scenario), execute(replace(scenario, traces_requests=True))
    assert [step.held for step in traced.steps] == [step.held for step in plain.steps]
    assert [step.seen for step in traced.steps] == [step.seen for step in plain.steps]
    assert [step.ended_ns for step in traced.steps] == [step.ended_ns for step in plain.steps]
    assert [step.trace for step in plain.steps] == [None, None]
    trace = traced.steps[1].trace
    assert traced.steps[0].trace is None
    assert trace is not None
    assert (trace.nodes, trace.error) == (("alice", "r1", "web"), "connection refused")
    page = Page(html_report([traced]))
    (picture,) = [dict(found) for tag, found in page.elements if found.get("class") == "trace"]
    assert picture["alt"] == "GET http://web:81/ from alice: connection refused"
    svg = base64.b64decode((picture["src"] or "").partition(",")[2]).decode()
    assert "Flags [R.]" in svg
    assert 'class="trace"' not in html_report([plain])
