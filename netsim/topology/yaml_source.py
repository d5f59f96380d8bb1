"""YAML text as plain data that remembers where everything stands.

Reads YAML with the scalars of the YAML 1.2 core schema (section 10.3.2): `on`, `no` and `22:22`
are strings, as a person expects, not booleans and base-60 numbers as in YAML 1.1. The parser is
PyYAML's event stream; building the data from it here, instead of in a loader, is what allows to
refuse duplicate keys, tags that build objects, anchors that explode or recurse, and nesting
without end, each with its line and column.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import yaml

from netsim.core.errors import MOST_PROBLEMS, InvalidFileError, Problem
from netsim.core.garbage import without_collections
from netsim.topology.file_text import Position, invalid, position_after, read_text, shown_name

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 500_000
"""Values in a file after its aliases are followed."""
MAX_ENTRIES: Final = 50_000
"""Of one list or mapping."""
TOPOLOGY_KEYS: Final = "`name`, `nodes` and `links`"

PathTo: TypeAlias = Sequence[object]
"""Keys and indexes from the root to a value: `("nodes", "web", "address")`."""

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
_UNPRINTABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


_COLUMNS: Final = 1 << 32
"""A place is line and column, both from 0, in one number: line * _COLUMNS + column."""
_LEFT_OUT: Final = (1 << 64) - 1
"""Instead of a place."""
_FEW: Final = 100
"""Entries of a mapping or list that are counted again for each question."""
_MOST_TEXTS: Final = 20_000
"""Different ones, of which equal ones share one object."""


class _Places:
    """Where everything stands, in twelve bytes for each key and value.

    There may be half a million in a file, and hardly ever does anybody ask. All are in the order
    of the file, a mapping or list in front of what is in it.
    """

    def __init__(self) -> None:
        self.at = array("Q")
        self.end = array("I")
        """The number of the first that is neither this one nor in it."""
        self.targets: dict[int, int] = {}
        """Of an alias: the value that it stands for."""
        self._children: dict[int, dict[object, int]] = {}

    def add(self, place: int) -> int:
        """The number of what stands at `place`."""
        number = len(self.at)
        self.at.append(place)
        self.end.append(number + 1)
        return number

    def close(self, number: int) -> None:
        """All that is in it has been added."""
        self.end[number] = len(self.at)

    def leave_out(self, number: int) -> None:
        """The key is not in the data."""
        self.at[number] = _LEFT_OUT

    def value(self, number: int) -> int:
        """The value, where it may be an alias."""
        return self.targets.get(number, number)

    def children(self, number: int, data: Any) -> dict[object, int]:
        """The keys of a mapping, or the items of a list by index, in the value `data`."""
        if number in self._children:
            return self._children[number]
        found: dict[object, int] = {}
        is_mapping = isinstance(data, dict)
        keys = iter(data)
        child, end = number + 1, self.end[number]
        while child < end:
            value = self.end[child] if is_mapping else child
            if not is_mapping:
                found[len(found)] = child
            elif self.at[child] != _LEFT_OUT:
                found[next(keys, None)] = child
            child = self.end[value]
        if len(found) > _FEW:
            self._children[number] = found
        return found


class YamlSource:
    """A file's data and the place of each key and value in it."""

    def __init__(
        self,
        file: str,
        data: Any,
        places: _Places,
        problems: Sequence[Problem] = (),
        more: int = 0,
    ) -> None:
        self.file = file
        self.data = data
        """Mappings, lists, text, numbers, booleans and None. Aliases share one object."""
        self.problems = problems
        """Mistakes in what was left out of the data."""
        self.more_problems = more
        """Those that are not kept."""
        self._places = places

    def locate(self, path: PathTo, *, at_key: bool = False) -> Position:
        """Where the value at `path` is written; with `at_key`, where its key is.

        Steps that the file does not have are passed over: a missing key is where the mapping is
        that misses it, and what stands in a short form is found there (`[alice, s1]` has no key
        `endpoints`, its parts are the ends; a list of one may be written without brackets).
        """
        places = self._places
        data, key, value = self.data, 0, 0
        missing = False
        for step in path:
            found = None
            if isinstance(data, (dict, list)):
                children = places.children(value, data)
                found = next((each for each in (step, str(step)) if each in children), None)
            missing = found is None and not isinstance(step, int)
            if found is not None:
                key = children[found]
                value = places.value(places.end[key] if isinstance(data, dict) else key)
                data = data[found]
        lacks_it = missing and (data is None or isinstance(data, dict))
        return _position_at(places.at[key if at_key or lacks_it else value])


def read_yaml(
    path: str | os.PathLike[str],
    file: str | None = None,
    *,
    keys: str = TOPOLOGY_KEYS,
    tolerant: bool = False,
) -> YamlSource:
    """Read the file at `path`; raises `InvalidFileError`, whose problems name it as `file`.

    `-` is standard input. What comes from there or out of a pipe is kept, so that it may be asked
    for again.
    `keys` are those that a file has at least, for whoever wrote an empty one. With `tolerant` the
    mistakes that leave something to look at (a key twice) are not raised but in `problems`.
    """
    shown = file if file is not None else shown_name(path)
    text = read_text(path, shown)
    return parse_yaml(text, shown, keys=keys, tolerant=tolerant)


def parse_yaml(
    text: str, file: str, *, keys: str = TOPOLOGY_KEYS, tolerant: bool = False
) -> YamlSource:
    """The data in `text`; raises `InvalidFileError` with every mistake that YAML itself has."""
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        position = position_after(text[: unprintable.start()])
        code = ord(unprintable.group())
        what = "second byte order mark" if code == 0xFEFF else "control character"
        raise invalid(file, position, f"there is a {what} (U+{code:04X}); remove it")
    composer = _Composer(file, keys)
    try:
        with without_collections():
            data = composer.compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark is not None and mark.index > composer.read_to + MAX_DEPTH:
            # The parser read ahead and met its own limit; what is in front of it may be too deep.
            composer = _Composer(file, keys)
            with contextlib.suppress(yaml.YAMLError, InvalidFileError):
                composer.compose(text[: mark.index])
            if composer.too_deep is not None:
                raise composer.too_deep from None
        position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise invalid(file, position, _syntax_message(error, text, position)) from None
    except yaml.YAMLError as error:
        message = f"this is not YAML ({error}); save the file as plain text"
        raise invalid(file, (1, 1), " ".join(message.split())) from None
    if composer.problems and not (tolerant and composer.is_usable):
        raise InvalidFileError(sorted(composer.problems), composer.more_problems)
    return YamlSource(file, data, composer.places, composer.problems, composer.more_problems)


class _Anchored(NamedTuple):
    """A value that aliases may stand for."""

    data: Any
    number: int
    """Among the places."""
    size: int | None
    """Values in it; None while its end has not been read: an alias to it would recurse."""


class _Composer:
    """Builds values from parser events. Mistakes that allow to go on are collected."""

    def __init__(self, file: str, keys: str) -> None:
        self.problems: list[Problem] = []
        self.more_problems = 0
        self.is_usable = True
        """False when a whole section is lost: the rest would be blamed for it."""
        self.too_deep: InvalidFileError | None = None
        self.read_to = 0
        """Characters of the text in front of the value that was read last."""
        self.places = _Places()
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
                    raise self._invalid(_place(event), message)
                data, _ = self._value(next(events), events, 1)
                is_read = True
        if data is None:
            message = f"the file is empty; write at least the keys {self._keys}"
            raise self._invalid(0, message)
        return data

    def _value(self, event: Any, events: Iterator[Any], depth: int) -> tuple[Any, int]:
        """The value, and how many values are in it with aliases followed."""
        mark = event.start_mark
        place = mark.line * _COLUMNS + mark.column
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
            place, number = _place(event), len(self.places.at)
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
            line, _ = _position_at(self.places.at[first[key]])
            self._report(place, f"the key `{key}` is already on line {line}; keep one of them")

    def _check_size(self, size: int, data: Any, event: Any) -> None:
        # Sizes are added up, never followed, so an anchor that explodes costs nothing to refuse.
        if size > MAX_VALUES:
            message = f"more than {MAX_VALUES} values once aliases are followed; write fewer"
            raise self._invalid(_place(event), message)
        if len(data) > MAX_ENTRIES:
            message = f"more than {MAX_ENTRIES} entries in one list or mapping; write fewer"
            raise self._invalid(_place(event), message)

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
            self.problems.append(Problem(self._file, *_position_at(place), message))

    def _invalid(self, place: int, message: str) -> InvalidFileError:
        return invalid(self._file, _position_at(place), message)


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


def _syntax_message(error: yaml.MarkedYAMLError, text: str, position: Position) -> str:
    problem = error.problem or "it cannot be parsed"
    if "cannot start any token" in problem:
        line = text.split("\n")[position[0] - 1 :][:1] or [""]
        character = line[0][position[1] - 1 :][:1]
        if character == "\t":
            return "a tab cannot indent in YAML; write spaces"
        return f"plain text cannot start with `{character}` in YAML; put it in quotes"
    if "expected ':'" in problem:
        return "this is not YAML: a key without `:`; write `key: value`, with a space"
    if "mapping values are not allowed" in problem:
        return "a second `:` on the line; quote the value, or check the indentation"
    context = f" {error.context}" if error.context else ""
    return f"this is not YAML ({problem}{context}); check indentation, quotes and brackets here"


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


def _place(event: Any) -> int:
    mark = event.start_mark
    return int(mark.line * _COLUMNS + mark.column)


def _position_at(place: int) -> Position:
    line, column = divmod(place, _COLUMNS)
    return line + 1, column + 1
