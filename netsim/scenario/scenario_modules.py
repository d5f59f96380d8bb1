"""Modules that a scenario names, and its topology: those beside their files come first."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from netsim.core.errors import Problem
from netsim.interception.registers import not_installed
from netsim.topology.checked_topology import Node, Topology
from netsim.topology.places_in_file import place_of
from netsim.topology.yaml_source import PathTo, read_yaml


def missing_module(reference: str, *folders: Path) -> str | None:
    """The part of `module:attr`'s module that is not there, None where all of it is.

    As it is at run time, these folders come before `sys.path`.
    """
    name = ""
    places: Sequence[str] | None = [*map(str, folders), *sys.path]
    for part in reference.partition(":")[0].split("."):
        name = f"{name}.{part}" if name else part
        if places is None:
            return name  # what should hold it is no package
        spec = importlib.machinery.PathFinder.find_spec(name, places)
        if spec is None:
            return None if _is_built_in(name) else name
        places = spec.submodule_search_locations
    return None


def missing_in_topology(topology: Topology, folder: Path) -> list[Problem]:
    """What a topology file names that is not there; `folder` is the scenario's. Nothing is run."""
    beside = (Path(topology.file).absolute().parent, folder)
    missing: dict[str, str | None] = {}
    wrong: list[tuple[Node, PathTo, str]] = []
    for node in topology.layout.nodes.values():
        for path, reference in _programs_of(node):
            if reference not in missing:
                missing[reference] = missing_module(reference, *beside)
            if name := missing[reference]:
                message = f"there is no module `{name}`; write one that lies beside this file"
                wrong.append((node, path, f"{message}, or is installed"))
    packages = [
        (index, mistake)
        for index, package in enumerate(topology.own_packages)
        if (mistake := not_installed(package)) is not None
    ]
    if not wrong and not packages:
        return []
    source = read_yaml(os.path.relpath(topology.file))
    places = {(*place_of(source, node, path), message) for node, path, message in wrong}
    places |= {(*source.locate(["own_packages", index]), text) for index, text in packages}
    return sorted(Problem(source.file, *each) for each in places)


def _programs_of(node: Node) -> Iterator[tuple[PathTo, str]]:
    """References, and where they are among the node's words."""
    for service in node.services:
        if service.reference is not None:
            yield ["services", service.port], service.reference
    for index, program in enumerate(node.run):
        yield ["run", index], program.call
    if isinstance(node.ready, str):
        yield ["ready"], node.ready


def _is_built_in(name: str) -> bool:
    return name in sys.builtin_module_names or name in sys.modules


async def call_beside(folder: str, reference: str, arguments: dict[str, Any]) -> Any:
    """What `module:attr` gives with these keyword arguments; modules in `folder` come first."""
    from netsim.site.applications import look_up  # aiohttp, which reading a file needs not
    from netsim.site.plain_functions import run_function

    if folder not in sys.path:
        sys.path.insert(0, folder)
    return await run_function(reference, look_up(reference), kwargs=arguments)
