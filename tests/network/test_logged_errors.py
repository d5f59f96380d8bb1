"""Lines of logs put together to the messages that they are."""

from __future__ import annotations

import logging
import traceback

from netsim import LogLine
from netsim.network.log_lines import LoggedError, logged_errors


def lines(*texts: tuple[str, str]) -> list[LogLine]:
    return [
        LogLine(0, node, logging.ERROR, line, goes_on=number > 0)
        for node, text in texts
        for number, line in enumerate(text.split("\n"))
    ]


def chained() -> str:
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second\n  of three lines,\nnot all indented") from None
    except ValueError:
        return traceback.format_exc().rstrip()


def during() -> str:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError:
        return traceback.format_exc().rstrip()


def test_a_message_with_its_traceback_is_one_error() -> None:
    for trace in (chained(), during()):
        messages = [("web", f"it failed\n{trace}"), ("web", "next"), ("db", "other"), ("db", trace)]
        found = logged_errors(lines(*messages))
        assert found == [
            *(LoggedError(node, text) for node, text in messages[:2]),
            LoggedError("db", f"other\n{trace}"),
        ]


def test_plain_messages_stay_apart() -> None:
    messages = [("web", "a"), ("web", "b"), ("db", "c"), ("web", "d")]
    assert logged_errors(lines(*messages)) == [LoggedError(node, text) for node, text in messages]
    assert logged_errors([]) == []


def test_lines_of_several_computers_may_be_mixed() -> None:
    web, db = (lines((node, f"it failed\n{chained()}")) for node in ("web", "db"))
    mixed = [line for pair in zip(web, db, strict=True) for line in pair]
    assert logged_errors(mixed) == [
        LoggedError(node, f"it failed\n{chained()}") for node in ("web", "db")
    ]
