"""YAML text as plain data that remembers where everything stands.

Reads YAML with the scalars of the YAML 1.2 core schema (section 10.3.2): `on`, `no` and `22:22`
are strings, as a person expects, not booleans and base-60 numbers as in YAML 1.1. The parser is
PyYAML's event stream; the data are built from it in `netsim.topology.yaml_composer`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import yaml

from netsim.core.errors import InvalidFileError, Problem
from netsim.core.garbage import without_collections
from netsim.topology.file_text import Position, invalid, position_after, read_text, shown_name
from netsim.topology.yaml_composer import MAX_DEPTH, Composer
from netsim.topology.yaml_places import Places, position_at

TOPOLOGY_KEYS: Final = "`name`, `nodes` and `links`"

PathTo: TypeAlias = Sequence[object]
"""Keys and indexes from the root to a value: `("nodes", "web", "address")`."""

_UNPRINTABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


class YamlSource:
    """A file's data and the place of each key and value in it."""

    def __init__(
        self,
        file: str,
        data: Any,
        places: Places,
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
        return position_at(places.at[key if at_key or lacks_it else value])


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
    composer = Composer(file, keys)
    try:
        with without_collections():
            data = composer.compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark is not None and mark.index > composer.read_to + MAX_DEPTH:
            # The parser read ahead and met its own limit; what is in front of it may be too deep.
            composer = Composer(file, keys)
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
