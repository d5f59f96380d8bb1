"""What `netsim` exports is all that callers handle and catch."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import typing
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import netsim
from netsim import Event, LinkView, NetsimError, Network, NodeView

STAYS_INSIDE = {
    "PublishedPortError": "a StartError tells of it",
    "ProgramError": "a StartError tells of it",
    "StateError": "a StartError tells of it",
    "SocketError": "programs on computers get OSError",
}
"""Errors of the rooms below `network` that no caller gets to see, and their children."""

OPAQUE = {"Launcher", "NetworkPlan", "Zygote", "make_plan"}
"""Passed on as they are; `make_plan` also takes what is between a file and a graph."""
FOR_FAULTS = {"condition", "planned_condition", "set_conditions", "set_host_faults"}
"""Methods of `Network` that faults use (`LinkOperations`, `TrafficOperations`)."""


@pytest.fixture(scope="module")
def modules() -> list[ModuleType]:
    names = [each.name for each in pkgutil.walk_packages(netsim.__path__, "netsim.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def exported() -> dict[str, Any]:
    return {name: getattr(netsim, name) for name in netsim.__all__}


def test_import_netsim_is_light_and_network_is_there() -> None:
    program = (
        "import sys\n"
        "import netsim\n"
        "heavy = {'aiohttp', 'asyncio', 'networkx', 'pydantic', 'click', 'netsim.network'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "from netsim import Network\n"
        "assert Network.__module__ == 'netsim.network.network'\n"
        "assert 'networkx' not in sys.modules\n"
        "assert {'Network', 'run'} <= set(dir(netsim))\n"
        "try:\n"
        "    netsim.Netwrok\n"
        "except AttributeError as error:\n"
        "    assert \"no attribute 'Netwrok'\" in str(error)\n"
        "else:\n"
        "    raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_type_checkers_see_the_names_that_programs_get() -> None:
    tree = ast.parse(Path(netsim.__file__).read_text())
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netsim.")
        for alias in node.names
    }
    assert sorted(typed) == netsim.__all__
    for name, found in exported().items():
        assert found.__module__ == typed[name]


@pytest.mark.parametrize("name", sorted({*netsim.__all__} - OPAQUE))
def test_signatures_mention_what_is_exported_or_standard(name: str) -> None:
    public = set(map(id, exported().values()))
    found = [
        f"{where}: {each.__module__}.{each.__qualname__}"
        for where, hint in hints_of(name, getattr(netsim, name))
        for each in classes_in(hint)
        if each.__module__.startswith("netsim.") and id(each) not in public
    ]
    assert not found


def hints_of(name: str, found: Any) -> Iterator[tuple[str, Any]]:
    """The types of its public methods, properties and fields."""
    # Names that are there for type checkers only. networkx's own classes take no parameters.
    scope = vars(importlib.import_module("netsim.realtime.launcher")) | exported()
    scope["Headers"] = importlib.import_module("netsim.tools.http_exchange").Headers
    scope |= {"networkx": SimpleNamespace(Graph=list, MultiGraph=list)}
    if not isinstance(found, type):
        yield from ((name, hint) for hint in typing.get_type_hints(found, localns=scope).values())
        return
    for attribute, value in vars(found).items():
        is_called = attribute == "__getitem__" or (attribute == "__init__" and found is Network)
        if (attribute.startswith("_") and not is_called) or attribute in FOR_FAULTS:
            continue
        function = value.fget if isinstance(value, property) else inspect.unwrap(value)
        if isinstance(function, (classmethod, staticmethod)):
            function = function.__func__
        if inspect.isfunction(function):
            for hint in typing.get_type_hints(function, localns=scope).values():
                yield f"{name}.{attribute}", hint
    for attribute, hint in typing.get_type_hints(found, localns=scope).items():
        if not attribute.startswith("_"):
            yield f"{name}.{attribute}", hint


def classes_in(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and not typing.get_origin(hint):
        yield hint
    for each in typing.get_args(hint):
        yield from (
            found
            for arg in (each if isinstance(each, list) else [each])
            for found in classes_in(arg)
        )


def test_errors_that_can_reach_a_caller_are_exported(modules: list[ModuleType]) -> None:
    below = ("cli", "control", "scenario", "drawing")  # rooms that no caller of `Network` is in
    public = exported().values()
    inside = {
        error
        for error in errors_of(modules)
        if any(base.__name__ in STAYS_INSIDE for base in error.__mro__)
    }
    reachable = {e for e in errors_of(modules) if e.__module__.split(".")[1] not in below}
    assert reachable - inside == {
        each for each in public if isinstance(each, type) and issubclass(each, NetsimError)
    }


def test_errors_that_docstrings_name_are_exported() -> None:
    for view in (Network, NodeView, LinkView, Event):
        for function in vars(view).values():
            for name in re.findall(r"\b\w+Error\b", inspect.getdoc(function) or ""):
                assert name in netsim.__all__ or hasattr(builtins, name), name


def test_no_two_errors_have_one_name(modules: list[ModuleType]) -> None:
    names = Counter(error.__name__ for error in errors_of(modules))
    assert [name for name, count in names.items() if count > 1] == []


def errors_of(modules: list[ModuleType]) -> set[type[NetsimError]]:
    return {
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, NetsimError)
    }
