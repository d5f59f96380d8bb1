from __future__ import annotations

import logging
from typing import Any

import pytest

from netsim import Event, LogLine
from netsim.network.events import BACKLOG, EventHub
from netsim.network.log_lines import LONGEST_LINE, LogHistory, Wanted, event_line
from netsim.site import program_output
from netsim.site.program_output import LineStream


def line(text: str, node: str = "web", level: int = logging.INFO) -> LogLine:
    return LogLine(7, node, level, text, wall="2026-01-01T00:00:00.000+00:00")


def texts(document: dict[str, Any]) -> list[str]:
    return [line["text"] for line in document["lines"]]


def test_a_line_as_json() -> None:
    assert line("full", level=logging.WARNING).as_dict() == {
        "time_ns": 7,
        "wall": "2026-01-01T00:00:00.000+00:00",
        "node": "web",
        "level": "warning",
        "text": "full",
        "kind": "log",
    }


def event(kind: str, text: str, node: str = "", time_ns: int = 7) -> LogLine:
    return event_line(Event(time_ns, kind, node, text))


def test_events_stand_between_lines_and_have_levels() -> None:
    history = LogHistory(capacity=2)
    history.add(line("before"))
    for number, kind in enumerate(("node-died", "carrier", "routes")):
        history.add(event(kind, kind, time_ns=6 + number))
    assert texts(history.document()) == ["before"]
    document = history.document(Wanted(events=True))
    assert (document["dropped"], document["dropped_events"]) == (0, 1)
    assert [(each["text"], each["level"]) for each in document["lines"]] == [
        ("before", "info"),
        ("carrier", "warning"),
        ("routes", "info"),
    ]


def test_what_is_wanted() -> None:
    history = LogHistory()
    history.add(line("of web"))
    history.add(line("bad", node="alice", level=logging.ERROR))
    history.add(event("node-died", "alice is gone", "alice", time_ns=9))
    history.add(event("routes", "of all", time_ns=10))
    nobody = Wanted(frozenset({"bob"}), events=True)
    assert texts(history.document(nobody)) == ["of all"], "what is about no node is about each"
    assert texts(history.document(Wanted(level=logging.ERROR))) == ["bad"]
    assert texts(history.document(Wanted(level=logging.ERROR, events=True))) == [
        "bad",
        "alice is gone",
    ]
    assert texts(history.document(Wanted(since_ns=9, events=True))) == ["alice is gone", "of all"]
    assert texts(history.document(Wanted(events=True), last=1)) == ["of all"]


@pytest.mark.asyncio
async def test_who_follows_events_hears_them_between_lines() -> None:
    history = LogHistory()
    lines, both = history.subscribe(), history.subscribe(events=True)
    history.add(line("a"))
    history.add(event("carrier", "b"))
    history.add(line("c"))
    history.close()
    assert [each["text"] async for each in lines] == ["a", "c"]
    assert [each["text"] async for each in both] == ["a", "b", "c"]


def test_the_oldest_lines_make_room_and_are_counted() -> None:
    history = LogHistory(capacity=3)
    for number in range(3):
        history.add(line(str(number)))
    assert (history.dropped, texts(history.document())) == (0, ["0", "1", "2"])
    history.add(line("3"))
    assert (history.dropped, texts(history.document())) == (1, ["1", "2", "3"])


def test_lines_of_one_node_and_the_last_ones() -> None:
    history = LogHistory()
    for number in range(6):
        history.add(line(str(number), node="alice" if number % 2 else "web"))
    assert texts(history.document(Wanted(frozenset({"web"})))) == ["0", "2", "4"]
    assert texts(history.document(Wanted(frozenset({"web"})), 2)) == ["2", "4"]
    assert texts(history.document(last=1)) == ["5"]
    assert texts(history.document(last=0)) == []
    assert texts(history.document(last=99)) == ["0", "1", "2", "3", "4", "5"]


def test_a_long_line_is_cut() -> None:
    history = LogHistory()
    kept = history.add(line("x" * (LONGEST_LINE + 1)))
    assert kept.text == "x" * LONGEST_LINE + "…"
    assert texts(history.document()) == [kept.text]
    assert history.add(line("y" * LONGEST_LINE)).text == "y" * LONGEST_LINE


@pytest.mark.asyncio
async def test_who_follows_hears_every_line_until_the_end() -> None:
    history = LogHistory(capacity=1)
    history.add(line("before"))
    subscription = history.subscribe()
    history.add(line("a"))
    history.add(line("b"))
    history.close()
    assert [each["text"] async for each in subscription] == ["a", "b"]


@pytest.mark.asyncio
async def test_who_is_too_slow_is_told_how_much_is_lost() -> None:
    hub = EventHub()
    subscription = hub.subscribe()
    for number in range(BACKLOG + 3):
        hub.publish(Event(number, "carrier", "r1", str(number)))
    first, then = await anext(subscription), await anext(subscription)
    assert (first["kind"], first["node"], first["time_ns"]) == ("missed", "", 2)
    assert first["text"] == "3 events were not taken in time and are lost"
    assert then["text"] == "3"
    for number in range(2):
        hub.publish(Event(number, "carrier", "r1", "late"))
    assert (await anext(subscription))["text"] == "1 event was not taken in time and is lost"
    hub.close()
    assert len([each async for each in subscription]) == BACKLOG
    assert subscription.missed == 4


@pytest.mark.asyncio
async def test_who_follows_a_log_too_slowly_is_told_as_well() -> None:
    history = LogHistory()
    subscription = history.subscribe()
    for number in range(BACKLOG + 2):
        history.add(line(str(number)))
    first = await anext(subscription)
    assert first == line(
        "2 lines were not taken in time and are lost", "", logging.WARNING
    ).as_dict() | {"wall": first["wall"], "kind": "missed"}


def test_a_program_that_prints_without_an_end_of_line_fills_no_memory() -> None:
    heard: list[str] = []
    stream = LineStream(logging.INFO, lambda _, line: heard.append(line))
    for _ in range(10):
        stream.write("z" * (program_output.LONGEST_LINE // 2))
    assert heard == ["z" * program_output.LONGEST_LINE] * 5
    stream.write("end\nrest")
    assert heard[5:] == ["end"]
