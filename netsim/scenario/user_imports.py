"""Which libraries the programs of a scenario import, read from their text.

Nothing of a program is executed: its own modules are imported in each run, on their computers.
Libraries are those in the interpreter's own folders; what lies elsewhere (beside the file, or
installed to be edited) is a program's.
"""

from __future__ import annotations

import ast
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, Final, Protocol

from netsim.scenario.scenario_model import Scenario, Step

_MOST_MODULES: Final = 500
"""Of programs, that are read."""
_STANDARD: Final = sysconfig.get_path("stdlib")
_OURS: Final = "netsim"
_SERVERS: Final[Mapping[str | None, tuple[str, ...]]] = {
    "asgi": ("uvicorn",),
    "wsgi": ("uvicorn", "a2wsgi"),
}
"""What netsim serves applications with."""


class HasPrograms(Protocol):
    """A node, as the file or the plan has it."""

    @property
    def run(self) -> Sequence[Any]: ...
    @property
    def services(self) -> Sequence[Any]: ...
    @property
    def ready(self) -> int | str | None: ...
    @property
    def env(self) -> Mapping[str, str]: ...


def libraries(scenario: Scenario) -> tuple[str, ...]:
    """Names of modules, and of what may be one (`from a import b` is `a` and `a.b`), sorted."""
    nodes = scenario.topology.layout.nodes.values()
    called = _called((*scenario.steps, *scenario.invariants))
    return libraries_of(nodes, _folders(scenario), called)


def libraries_of(
    nodes: Iterable[HasPrograms], folders: Sequence[str], called: Iterable[str] = ()
) -> tuple[str, ...]:
    """As `libraries`, of the programs of nodes, and of other modules that are `called`."""
    search = _Search(folders)
    search.follow([*_references(nodes), *called])
    return tuple(sorted(search.libraries))


def _folders(scenario: Scenario) -> list[str]:
    folders = [scenario.folder]
    if scenario.topology.file:
        folders.append(Path(scenario.topology.file).parent)
    return [str(folder.absolute()) for folder in folders]


def _references(nodes: Iterable[HasPrograms]) -> Iterator[str]:
    """Modules that nodes name."""
    for node in nodes:
        references = [program.call for program in node.run]
        for service in node.services:
            references += [service.reference] if service.reference is not None else []
            references += _SERVERS.get(service.interface, ())
        if isinstance(node.ready, str):
            references.append(node.ready)
        yield from (reference.partition(":")[0] for reference in references)


def _called(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        if step.verb == "run":
            yield step.words.call.partition(":")[0]
        yield from _called((*step.steps, *step.checks))


class _Search:
    """Goes from module to module, through those of programs only."""

    def __init__(self, folders: Sequence[str]) -> None:
        self.libraries: set[str] = set()
        self._folders = folders
        self._seen: set[str] = set()
        self._tops: dict[str, bool] = {}
        """Top-level modules, and whether they are a library's."""

    def follow(self, names: Iterable[str]) -> None:
        waiting = list(names)
        while waiting and len(self._seen) < _MOST_MODULES:
            name = waiting.pop()
            if self._is_library(name.partition(".")[0]):
                self.libraries.add(name)
                continue
            parts = name.split(".")
            for end in range(1, len(parts) + 1):  # the packages that hold it are imported, too
                module = ".".join(parts[:end])
                if module not in self._seen:
                    self._seen.add(module)
                    waiting += self._imported_by(module)

    def _is_library(self, top: str) -> bool:
        if top not in self._tops:
            spec = self._find(top)
            is_built_in = spec is None and top in sys.builtin_module_names
            self._tops[top] = is_built_in or (spec is not None and _is_library(spec))
        return self._tops[top]

    def _imported_by(self, module: str) -> Iterator[str]:
        spec = self._find(module)
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            package = module if spec.submodule_search_locations else module.rpartition(".")[0]
            yield from _imported(Path(spec.origin), package)

    def _find(self, module: str) -> ModuleSpec | None:
        """As the interpreter finds it, without importing the packages that it is in."""
        places: Sequence[str] | None = [*self._folders, *sys.path]
        name, spec = "", None
        for part in module.split("."):
            name = f"{name}.{part}" if name else part
            if places is None:
                return None  # what should hold it is no package
            try:
                spec = PathFinder.find_spec(name, places)
            except (ImportError, ValueError, OSError):
                return None
            if spec is None:
                return None
            places = spec.submodule_search_locations
        return spec


def _is_library(spec: ModuleSpec) -> bool:
    if spec.name.partition(".")[0] == _OURS:
        return True
    where = spec.origin or next(iter(spec.submodule_search_locations or ()), "")
    folders = {*site.getsitepackages(), site.getusersitepackages(), _STANDARD}
    folders |= {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return any(Path(where).is_relative_to(folder) for folder in folders)


def _imported(file: Path, package: str) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # the run says so, at the computer whose program it is
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                parts = package.split(".")
                kept = parts[: len(parts) - node.level + 1]
                start = ".".join([*kept, start] if start else kept)
            if start:
                yield start
                yield from (f"{start}.{alias.name}" for alias in node.names if alias.name != "*")


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Those that a run comes to, in functions as well; what is there for type checkers is not."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
