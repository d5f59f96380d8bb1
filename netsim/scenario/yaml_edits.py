"""Changes to the text of a YAML file that leave all other text, comments too, as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import yaml

_PLAIN: Final = re.compile(r"[\w./][\w./-]*(:[\w./-]+)*")
_LIKE_A_NUMBER: Final = re.compile(r"[0-9.][0-9a-fxo.+:_-]*", re.IGNORECASE)
_NOT_TEXT: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_USERS_OWN: Final = ("args", "headers")
"""Below these, keys are no words of ours."""


class YamlEdits:
    """The text of a mapping, and what is to be changed in it. Raises `yaml.YAMLError`."""

    def __init__(self, text: str) -> None:
        self._text = text
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        assert isinstance(root, yaml.MappingNode), "a scenario is a mapping"
        self._root = root
        self._edits: list[tuple[int, int, str]] = []

    def put(self, key: str, value: Any, *, after: str) -> None:
        """Write plain data for a key: instead of what is there, or as a new entry after another."""
        self._put(key, f"{key}: {flow(value)}", after)

    def put_list(self, key: str, items: Sequence[Any], *, after: str) -> None:
        """As `put`, with a line for each item."""
        if self._root.flow_style:
            self.put(key, items, after=after)
        else:
            self._put(key, "\n".join([f"{key}:", *(f"  - {flow(item)}" for item in items)]), after)

    def _put(self, key: str, entry: str, after: str) -> None:
        entries = {name.value: (name.start_mark.index, value) for name, value in self._root.value}
        if key in entries:
            start, value = entries[key]
            self._edits.append((start, self._end(value), entry))
            return
        end = self._end(entries[after][1])
        if self._root.flow_style:
            self._edits.append((end, end, f", {entry}"))
        else:
            end = self._end_of_line(end)
            self._edits.append((end, end, f"\n{entry}"))

    def remove(self, key: str) -> None:
        """Take an entry out, with the comment above it."""
        entries = self._root.value
        for index, (name, value) in enumerate(entries):
            if name.value != key:
                continue
            start, end = name.start_mark.index, self._end(value)
            if not self._root.flow_style:
                start, end = self._start_of_comment(start), self._end_of_line(end) + 1
            elif index + 1 < len(entries):
                end = entries[index + 1][0].start_mark.index
            self._edits.append((start, end, ""))

    def change_scalars(self, key: str, inner: str, change: Callable[[str], str]) -> None:
        """Change the text at `inner` in each mapping at `key`, wherever that is."""
        for scalar in _scalars(self._root, key, inner):
            start, end = scalar.start_mark.index, scalar.end_mark.index
            self._edits.append((start, end, plain(change(scalar.value))))

    def result(self) -> str:
        text = self._text
        # From the end: what is before a change keeps its place.
        in_order = sorted(self._edits, key=lambda edit: edit[:2])
        for start, end, new in reversed(in_order):
            text = text[:start] + new + text[end:]
        return text

    def _end(self, node: yaml.Node) -> int:
        """Where its own text ends; the mark of a block is behind comments that follow it."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        return len(self._text[: node.end_mark.index].rstrip())

    def _end_of_line(self, place: int) -> int:
        end = self._text.find("\n", place)
        return len(self._text) if end < 0 else end

    def _start_of_comment(self, start: int) -> int:
        """Where the lines of comment begin that stand right above."""
        while start > 0:
            above = self._text.rfind("\n", 0, start - 1) + 1
            if not self._text[above:start].lstrip().startswith("#"):
                break
            start = above
        return start


def plain(text: str) -> str:
    """Text as YAML: in quotes where it needs them."""
    is_text = not _LIKE_A_NUMBER.fullmatch(text) and text.lower() not in _NOT_TEXT
    if is_text and _PLAIN.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """Plain data in a line."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{plain(str(key))}: {flow(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    return plain(value) if isinstance(value, str) else json.dumps(value)


def _scalars(node: yaml.Node, key: str, inner: str) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _scalars(each, key, inner)
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key and isinstance(value, yaml.MappingNode):
                yield from (each for known, each in value.value if known.value == inner)
            elif name.value not in _USERS_OWN:
                yield from _scalars(value, key, inner)
