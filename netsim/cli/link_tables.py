"""Links as tables and lines for people: all of them, one, and what a change has made of one."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

from netsim.cli.printing import heading, print_table, say
from netsim.core.time import SECOND
from netsim.core.units import format_duration

Document = dict[str, Any]


def show_links(links: list[Document]) -> None:
    """Frames are those that each end sent, and that were dropped on their way to the other."""
    head = ["A", "B", "STATE"]
    rows = [
        [
            *_ends(link)[0],
            ("up" if link["up"] else "down") + (", flapping" if link.get("flaps") else ""),
        ]
        for link in links
    ]
    if any(link.get("frames") for link in links):
        head += ["FROM A", "DROPPED", "FROM B", "DROPPED"]
        for row, link in zip(rows, links, strict=True):
            for direction in link["frames"]:
                row += [str(direction["sent"]), str(total(direction["dropped"]))]
    print_table(head, rows)
    changed = [row for link in links for row in _changed_rows(link)]
    if changed:
        heading("Not as in the file")
        print_table(("LINK", "CHANGES", "SINCE"), changed)


def total(dropped: Any) -> int:
    """Of frames by reason; 0 where there are none."""
    return sum(dropped.values()) if isinstance(dropped, dict) else 0


def show_link(document: Document) -> None:
    """What both directions are like."""
    rows = []
    for direction, ends in zip(document["now"], _ends(document["link"]), strict=True):
        facts = _facts(direction)
        rows.append((*ends, *(facts[word] for word in _shown())))
    print_table(("FROM", "TO", *(word.upper() for word in _shown())), rows)
    _show_notice(document["link"], document["now"])


def show_changes(document: Document) -> None:
    """What an order has made different, a line for both directions or for each."""
    there, back = (
        [f"{word} {old[word]} → {new[word]}" for word in _shown() if old[word] != new[word]]
        for old, new in zip(
            map(_facts, document["before"]), map(_facts, document["after"]), strict=True
        )
    )
    (a, b), _ = _ends(document["link"])
    if there == back:
        rows = [(f"{a} – {b}", there or ["is as it was"])]
    else:
        rows = [(f"{a} → {b}", there), (f"{b} → {a}", back)]
    for ends, changes in rows:
        if changes:
            say(f"{ends}  {', '.join(changes)}")
    _show_notice(document["link"], document["after"])


def _show_notice(link: Document, directions: list[Document]) -> None:
    """What the conditions of the link do not show."""
    if not link["up"] and all(direction["up"] for direction in directions):
        say("it has no carrier while a node at its end is down")


def seen_from(end: str, document: Document) -> Document:
    """The document with the end that was named first as the first."""
    link = document["link"]
    if link["a"]["node"] == end.partition(":")[0]:
        return document
    turned = {when: document[when][::-1] for when in document if when != "link"}
    return {"link": link | {"a": link["b"], "b": link["a"]}, **turned}


def _changed_rows(link: Document) -> list[tuple[str, str, str]]:
    """A row for both directions where they have changed alike, else one for each."""
    (a, b), _ = _ends(link)
    changes = link["changes"]
    texts = [_change_text(change) for change in changes]
    if len(changes) == 2 and texts[0] == texts[1]:
        return [(f"{a} – {b}", texts[0], _since(changes[0]))]
    ways = {link["a"]["node"]: f"{a} → {b}", link["b"]["node"]: f"{b} → {a}"}
    return [
        (ways[change["from"]], text, _since(change))
        for change, text in zip(changes, texts, strict=True)
    ]


def _change_text(change: Document) -> str:
    """`down, loss 0% → 5%`."""
    states = {"up": "down", "held": "held"}  # in a file every link is up and none is held
    before, after = change["before"], change["after"]
    return ", ".join(
        states.get(word) or f"{word} {_text(before[word])} → {_text(after[word])}"
        for word in before
    )


def _since(change: Document) -> str:
    """`14:03:21, for 34s`: by the clock of who asks."""
    seconds = change["lasts_ns"] // SECOND
    began = time.localtime(time.time() - seconds)
    return f"{time.strftime('%H:%M:%S', began)}, for {format_duration(seconds * SECOND)}"


def _ends(link: Document) -> list[tuple[str, str]]:
    """From where to where, of both directions."""
    a, b = (f"{link[end]['node']}:{link[end]['interface']}" for end in ("a", "b"))
    return [(a, b), (b, a)]


@cache
def _shown() -> tuple[str, ...]:
    """The columns of one link."""
    from netsim.core.link_attributes import LINK_ATTRIBUTES  # a table of all links is without them

    return "state", *(each.word for each in LINK_ATTRIBUTES)


def _facts(direction: Document) -> dict[str, str]:
    """The words for a person: one state instead of three booleans."""
    state = "up" if direction["up"] else "down"
    state += ", held" if direction["held"] else ""
    state += ", flapping" if direction["flaps"] else ""
    return {word: _text((direction | {"state": state})[word]) for word in _shown()}


def _text(value: Any) -> str:
    match value:
        case None:
            return "unlimited"
        case {"gilbert_elliott": chances}:
            return f"bursts {chances['p']}/{chances['r']}"
        case {"file": file}:
            return Path(file).name
        case {"spread": spread, "distribution": distribution}:
            return f"{spread} {distribution}"
        case {}:
            return str(next(iter(value)))  # a queue discipline, without its settings
    return str(value)
