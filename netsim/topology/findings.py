"""Collecting every mistake of a topology, so that all are shown in one go."""

from __future__ import annotations

import types
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import ValidationError

from netsim.core.errors import MOST_PROBLEMS, InvalidFileError, Problem
from netsim.core.link_attributes import LINK_ATTRIBUTES
from netsim.topology.kinds import KINDS, Kind
from netsim.topology.naming import nearest, suggest
from netsim.topology.topology_words import KindWords, NodeWords, TopologyWords
from netsim.topology.vocabulary import Words
from netsim.topology.yaml_source import PathTo, YamlSource

# What Mininet, containerlab, netlab and Filius call the same.
_WORDS_ELSEWHERE: Final = {
    "environment": "env",
    "hosts": "nodes",
    "cmd": "run",
    "command": "run",
    "entrypoint": "run",
    "ip": "address",
    "ipv4": "address",
    "nodes": "endpoints",
    "type": "kind",
} | {name: each.word for each in LINK_ATTRIBUTES for name in each.elsewhere}
_KINDS_ELSEWHERE: Final = {
    name: kind for kind, traits in KINDS.items() for name in traits.elsewhere
}


class Findings(ABC):
    """Mistakes found so far. A path leads from the topology's root to the words at fault."""

    incomplete = False
    """Whether something that was written could not even be read."""
    _below: tuple[str, frozenset[object]] = "", frozenset()
    found = 0
    """How many there are, those included that are not kept."""

    @property
    def is_full(self) -> bool:
        """Whether as many are kept as a person reads; more are only counted."""
        return self.found >= MOST_PROBLEMS

    def suggest(self, name: str, candidates: Collection[str]) -> str:
        """What to write instead of `name`; looked for as long as somebody will read it."""
        return "write another name" if self.is_full else suggest(name, candidates)

    @abstractmethod
    def report(self, path: PathTo, message: str, *, at_key: bool = False) -> None:
        """Note a mistake in the value at `path`, or in its key."""

    def report_elsewhere(self, error: InvalidFileError) -> None:
        """Note the mistakes in a file that this one names."""
        for problem in error.problems:
            self.report((), str(problem), at_key=True)

    @abstractmethod
    def warn(self, path: PathTo, message: str) -> None:
        """Note what can be built, and hardly does what is wanted."""

    @abstractmethod
    def stop_if_any(self) -> None:
        """Raise what was found."""

    def nest(self, below: str, keys: Iterable[object]) -> None:
        """From now on, paths that begin with one of these keys are `below` in what was written."""
        self._below = below, frozenset(keys)

    def _written_path(self, path: PathTo) -> PathTo:
        below, keys = self._below
        return (below, *path) if path and path[0] in keys else path


class FileFindings(Findings):
    """Mistakes in a file, each with its line and column."""

    def __init__(self, source: YamlSource) -> None:
        self._source = source
        self._problems: set[Problem] = set(source.problems)
        self.incomplete = bool(source.problems)
        self.found = len(self._problems) + source.more_problems
        self._warnings: set[Problem] = set()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may be meant as it is written, in the order of the file."""
        return tuple(sorted(self._warnings))

    def report(self, path: PathTo, message: str, *, at_key: bool = False) -> None:
        if len(self._problems) >= MOST_PROBLEMS:
            self.found += 1
            return
        line, column = self._source.locate(self._written_path(path), at_key=at_key)
        problem = Problem(self._source.file, line, column, message)
        self.found += problem not in self._problems
        self._problems.add(problem)

    def warn(self, path: PathTo, message: str) -> None:
        if len(self._warnings) < MOST_PROBLEMS:
            line, column = self._source.locate(self._written_path(path))
            self._warnings.add(Problem(self._source.file, line, column, message))

    def report_elsewhere(self, error: InvalidFileError) -> None:
        new = [problem for problem in error.problems if problem not in self._problems]
        room = max(0, MOST_PROBLEMS - len(self._problems))
        self._problems.update(new[:room])
        self.found += len(new) + error.more

    def stop_if_any(self) -> None:
        """Raises `InvalidFileError`, its problems in the order of the file."""
        if self._problems:
            raise InvalidFileError(sorted(self._problems), self.found - len(self._problems))


def report_words(
    error: ValidationError,
    findings: Findings,
    root: type[Words] = TopologyWords,
    *,
    written: Any = None,
    first_link: int = 0,
) -> None:
    """Note everything that the vocabulary `root` refused in `written`.

    The links of a piece of a topology are those from `first_link` on.
    """
    mistakes = error.errors(include_url=False)
    findings.found += len(mistakes[MOST_PROBLEMS:])
    del mistakes[MOST_PROBLEMS:]
    misspelt = {
        (*mistake["loc"][:-1], _meant(mistake, root))
        for mistake in mistakes
        if mistake["type"] == "extra_forbidden"
    }
    for mistake in mistakes:
        path = list(mistake["loc"])
        if first_link and isinstance(path[1], int):
            path[1] += first_link
        if mistake["type"] == "missing":
            if tuple(path) in misspelt:
                continue  # it is there under another name, which is told
            if _is_empty(written, path):
                findings.report(path, _empty(path, root))
                continue
        at_key = mistake["type"] == "extra_forbidden"
        if path and path[-1] == "[key]":
            path.pop()
            at_key = True
        findings.report(path, _message(mistake, path, root), at_key=at_key)


def _message(mistake: Any, path: PathTo, root: type[Words]) -> str:
    kind, written, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    key = _key(path) if path else "the file"
    if kind == "extra_forbidden":
        return _unknown_key(key, written, _model_at(root, path[:-1]))
    if kind == "missing":
        return f"the key `{key}` is missing; write for example `{key}: {_example(path, root)}`"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = [str(choice) for choice in get_args(_annotation_at(root, path))]
        near = nearest(str(written), choices)
        if written == "linux" and _KINDS_ELSEWHERE["linux"] in choices:
            return "`linux` is no kind; write `computer`, or `router` where it forwards packets"
        known_elsewhere = _KINDS_ELSEWHERE.get(str(written).lower())
        if known_elsewhere in choices:
            near = known_elsewhere
        wanted = f"`{near}`" if near else f"{', '.join(choices[:-1])} or {choices[-1]}"
        return f"`{written}` is no {key}; write {wanted}"
    found = _describe(written)
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return _no_mapping(path, found, written, _model_at(root, path))
    if kind == "list_type":
        return f"`{key}` cannot be {found}; write a list: `[…]`, or lines that start with `- `"
    if kind == "string_type":
        return f"`{key}` cannot be {found}; write text, in quotes if need be"
    return f"`{key}` cannot be {found} ({mistake['msg']}); write what {root.page} shows"


def _key(path: PathTo) -> str:
    """The word at the end of a path, without its place in a list."""
    return next((str(step) for step in reversed(path) if not isinstance(step, int)), str(path[-1]))


def meant_word(key: str, model: type[Words]) -> str | None:
    """The word of `model` that the unknown `key` stands for."""
    words = list(model.words())
    near = nearest(key, words) or _WORDS_ELSEWHERE.get(key.lower())
    return near if near in words else None


def _meant(mistake: Any, root: type[Words]) -> str | None:
    *above, key = mistake["loc"]
    model = _model_at(root, above)
    return None if model is None else meant_word(str(key), model)


def _is_empty(written: Any, path: PathTo) -> bool:
    """Whether the key is there, without a value."""
    for step in path[:-1]:
        try:
            written = written[step]
        except (KeyError, IndexError, TypeError):
            return False
    return isinstance(written, dict) and path[-1] in written


def _empty(path: PathTo, root: type[Words]) -> str:
    return f"`{path[-1]}` is empty; write for example `{path[-1]}: {_example(path, root)}`"


def _example(path: PathTo, root: type[Words]) -> Any:
    model = _model_at(root, path[:-1])
    return ((model.words()[str(path[-1])].examples if model else None) or ["…"])[0]


def _no_mapping(path: PathTo, found: str, written: object, model: type[Words] | None) -> str:
    if not path:
        words = list(model.words()) if model else []
        return f"the file cannot be {found}; write a mapping with the keys {', '.join(words)}"
    key = _key(path)
    if model is NodeWords and key in model.words():
        return f"`{key}` stands where nodes stand; indent it below the name of its node"
    if model is NodeWords and written in get_args(Kind):
        return f"`{key}` cannot be {found}; write `{key}: {{kind: {written}}}`"
    known = list(model.words())[:6] if model else []
    hint = f" with the keys {', '.join(known)}" if known else ", `key: value`"
    return f"`{key}` cannot be {found}; write a mapping{hint}"


def _unknown_key(key: str, written: object, model: type[Words] | None) -> str:
    if model is None:
        return f"unknown key `{key}`; remove it"
    if model is KindWords and key in _KINDS_ELSEWHERE:
        return f"unknown kind `{key}`; write `{_KINDS_ELSEWHERE[key]}`"
    if key in model.not_yet:
        return f"`{key}` is not there yet; {model.not_yet[key]}"
    if key in model.elsewhere:
        return f"`{key}` is another tool's; {model.elsewhere[key]}"
    if key == "<<":
        return "merge keys (`<<`) are not YAML 1.2; write the keys out, or use `defaults`"
    words = list(model.words())
    if model is TopologyWords and isinstance(written, dict) and "kind" in written:
        return f"unknown {model.noun} `{key}`; indent it below `nodes`, if it is a node"
    meant = meant_word(key, model)
    if meant is not None and nearest(key, words) is None:
        return f"unknown {model.noun} `{key}`; write `{meant}`"
    return f"unknown {model.noun} `{key}`; {suggest(key, words)}"


def _describe(written: object) -> str:
    if isinstance(written, bool):
        return f"`{str(written).lower()}`"
    if isinstance(written, (int, float)):
        return f"the number {written}"
    if isinstance(written, str):
        return f"the text `{written[:40]}`"
    if isinstance(written, list):
        return "a list"
    return "a mapping" if isinstance(written, dict) else "empty"


def _model_at(root: type[Words], path: PathTo) -> type[Words] | None:
    annotation = _annotation_at(root, path)
    is_model = isinstance(annotation, type) and issubclass(annotation, Words)
    return annotation if is_model else None


def _annotation_at(root: type[Words], path: PathTo) -> Any:
    """The type that the vocabulary has at `path`, without `Annotated` and `None`."""
    annotation: Any = root
    for step in path:
        if isinstance(annotation, type) and issubclass(annotation, Words):
            field = annotation.words().get(str(step))
            annotation = field.annotation if field else None
        else:
            arguments = get_args(annotation)
            annotation = arguments[-1] if get_origin(annotation) in (dict, list) else None
        annotation = _bare(annotation)
    return annotation


def _bare(annotation: Any) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _bare(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        some = [choice for choice in get_args(annotation) if choice is not type(None)]
        return _bare(some[0]) if len(some) == 1 else annotation
    return annotation
