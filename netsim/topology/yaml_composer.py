"""Plain data from YAML's events, and the mistakes on the way that allow to go on.

Building the data here, instead of in a loader of PyYAML's, is what allows to refuse duplicate keys,
tags that build objects, anchors that explode or recurse, and nesting without end, each with its
line and column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

from netsim.core.errors import MOST_PROBLEMS, InvalidFileError, Problem
from netsim.topology.file_text import invalid
from netsim.topology.yaml_places import COLUMNS, Places, place_of, position_at

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 500_000
"""Values in a file after its aliases are followed."""
MAX_ENTRIES: Final = 50_000
"""Of one list or mapping."""

_TAG: Final = "tag:yaml.org,2002:"
_RESOLVED: Final = frozenset("~ntfNTF-+.0123456789")
"""What plain scalars that are not text begin with."""
_NULL: Final = re.compile(r"|~|null|Null|NULL")
_TRUE: Final = re.compile(r"true|True|TRUE")
_FALSE: Final = re.compile(r"false|False|FALSE")
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,100}")
_OCTAL: Final = re.compile(r"0o[0-7]{1,100}")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]{1,100}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_JOINED: Final = re.compile(r"([\w.-]+):([^\s:].*)", re.ASCII)
"""`kind:computer`: a key and its value that YAML takes for one."""
_MOST_TEXTS: Final = 20_000
"""Different ones, of which equal ones share one object."""


class _Anchored(NamedTuple):
    """A value that aliases may stand for."""

    data: Any
    number: int
    """Among the places."""
    size: int | None
    """Values in it; None while its end has not been read: an alias to it would recurse."""


class Composer:
    """Builds values from parser events. Mistakes that allow to go on are collected."""

    def __init__(self, file: str, keys: str) -> None:
        self.problems: list[Problem] = []
        self.more_problems = 0
        self.is_usable = True
        """False when a whole section is lost: the rest would be blamed for it."""
        self.too_deep: InvalidFileError | None = None
        self.read_to = 0
        """Characters of the text in front of the value that was read last."""
        self.places = Places()
        self._file = file
        self._keys = keys
        self._anchors: dict[str, _Anchored] = {}
        self._texts: dict[str, str] = {}

    def compose(self, text: str) -> Any:
        events: Iterator[yaml.Event] = yaml.parse(
            text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
        is_read = False
        data: Any = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if is_read:
                    message = "a second document starts here; write one document for each file"
                    raise self._invalid(place_of(event), message)
                data, _ = self._value(next(events), events, 1)
                is_read = True
        if data is None:
            message = f"the file is empty; write at least the keys {self._keys}"
            raise self._invalid(0, message)
        return data

    def _value(self, event: Any, events: Iterator[Any], depth: int) -> tuple[Any, int]:
        """The value, and how many values are in it with aliases followed."""
        mark = event.start_mark
        place = mark.line * COLUMNS + mark.column
        self.read_to = mark.index
        if type(event) is yaml.AliasEvent:
            return self._alias(str(event.anchor), place)
        if depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep; write it flatter"
            self.too_deep = self._invalid(place, message)
            raise self.too_deep
        number = self.places.add(place)
        if type(event) is yaml.ScalarEvent:
            scalar = self._scalar(event, place)
            if event.anchor:
                self._anchors[event.anchor] = _Anchored(scalar, number, 1)
            return scalar, 1
        is_list = type(event) is yaml.SequenceStartEvent
        data: Any = [] if is_list else {}
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(data, number, None)
        self._check_tag(event.tag, place, "seq" if is_list else "map")
        if is_list:
            size = self._sequence(data, events, depth)
            self.places.close(number)
        else:
            size, twice = self._mapping(data, events, depth)
            self.places.close(number)
            self._report_twice(twice, number, data)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(data, number, size)
        return data, size

    def _alias(self, anchor: str, place: int) -> tuple[Any, int]:
        target = self._anchors.get(anchor)
        if target is None:
            raise self._invalid(
                place, f"`*{anchor}` has no anchor; write `&{anchor}` at a value above"
            )
        if target.size is None:
            message = f"`*{anchor}` stands inside the value it refers to; write the value out"
            raise self._invalid(place, message)
        self.places.targets[self.places.add(place)] = target.number
        return target.data, target.size

    def _sequence(self, data: list[Any], events: Iterator[Any], depth: int) -> int:
        size = 1
        for event in events:
            if type(event) is yaml.SequenceEndEvent:
                break
            datum, inside = self._value(event, events, depth + 1)
            data.append(datum)
            size += inside
            self._check_size(size, data, event)
        return size

    def _mapping(
        self, data: dict[Any, Any], events: Iterator[Any], depth: int
    ) -> tuple[int, list[tuple[int, Any]]]:
        """How many values are in it, and the places of keys that are there already."""
        size = 1
        twice: list[tuple[int, Any]] = []
        for event in events:
            if type(event) is yaml.MappingEndEvent:
                break
            place, number = place_of(event), len(self.places.at)
            key, _ = self._value(event, events, depth + 1)
            datum, inside = self._value(next(events), events, depth + 1)
            if self._is_no_key(event, key, datum, place):
                self.places.leave_out(number)
            elif key in data:
                self.places.leave_out(number)
                self.is_usable &= depth > 1 or not isinstance(datum, (dict, list))
                if len(twice) < MOST_PROBLEMS:
                    twice.append((place, key))
                else:
                    self.more_problems += 1
            else:
                data[key] = datum
                size += inside
                self._check_size(size, data, event)
        return size, twice

    def _is_no_key(self, event: Any, key: Any, datum: Any, place: int) -> bool:
        if _is_plain(event) and (meant := _with_space(str(key), datum)) is not None:
            self.is_usable = False  # what was meant stands in the key
            self._report(place, f"there is no space after `:`; write `{meant}`")
            return True
        if isinstance(key, (dict, list)) or key is None:
            self._report(place, "a key is plain text or a number; write it without brackets")
            return True
        return False

    def _report_twice(self, twice: list[tuple[int, Any]], number: int, data: Any) -> None:
        first = self.places.children(number, data) if twice else {}
        for place, key in twice:
            line, _ = position_at(self.places.at[first[key]])
            self._report(place, f"the key `{key}` is already on line {line}; keep one of them")

    def _check_size(self, size: int, data: Any, event: Any) -> None:
        # Sizes are added up, never followed, so an anchor that explodes costs nothing to refuse.
        if size > MAX_VALUES:
            message = f"more than {MAX_VALUES} values once aliases are followed; write fewer"
            raise self._invalid(place_of(event), message)
        if len(data) > MAX_ENTRIES:
            message = f"more than {MAX_ENTRIES} entries in one list or mapping; write fewer"
            raise self._invalid(place_of(event), message)

    def _scalar(self, event: yaml.ScalarEvent, place: int) -> object:
        tag = event.tag
        if tag is None:
            data = _plain_scalar(event.value) if event.implicit[0] else event.value
            return self._once(data) if type(data) is str else data
        kind = tag.removeprefix(_TAG)
        if tag == "!" or kind == "str":
            return event.value
        if kind in ("int", "float", "bool", "null"):
            return _plain_scalar(event.value)
        self._refuse_tag(tag, place)
        return event.value

    def _once(self, text: str) -> str:
        """The same object for equal texts: words and names come again and again."""
        if len(self._texts) < _MOST_TEXTS:
            return self._texts.setdefault(text, text)
        return self._texts.get(text, text)

    def _check_tag(self, tag: str | None, place: int, kind: str) -> None:
        if tag is not None and tag not in ("!", _TAG + kind):
            self._refuse_tag(tag, place)

    def _refuse_tag(self, tag: str, place: int) -> None:
        shown = tag.replace(_TAG, "!!")
        self.is_usable = False  # the value is not what was meant
        self._report(
            place,
            f"the tag `{shown}` is refused: tags can build objects and run code; remove it",
        )

    def _report(self, place: int, message: str) -> None:
        if len(self.problems) >= MOST_PROBLEMS:
            self.more_problems += 1
        else:
            self.problems.append(Problem(self._file, *position_at(place), message))

    def _invalid(self, place: int, message: str) -> InvalidFileError:
        return invalid(self._file, position_at(place), message)


def _plain_scalar(text: str) -> object:
    """YAML 1.2.2, section 10.3.2, "Tag Resolution" of the core schema."""
    if text and text[0] not in _RESOLVED:
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _is_plain(event: Any) -> bool:
    """Whether it is text without quotes."""
    return type(event) is yaml.ScalarEvent and event.implicit[0]


def _with_space(key: str, value: object) -> str | None:
    """What was meant by `{kind:computer}` and `s1:{kind: switch}`; None for any other key."""
    joined = _JOINED.fullmatch(key)
    if joined is None:
        return None
    begun = {"{": "{…}", "[": "[…]"}.get(joined[2][0])
    return f"{joined[1]}: {begun or joined[2]}" if begun or value is None else None
