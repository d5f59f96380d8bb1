"""Modules that a scenario names: those beside its file come first."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def missing_module(reference: str, folder: Path) -> str | None:
    """The part of `module:attr`'s module that is not there, None where all of it is.

    As it is at run time, `folder` comes before `sys.path`.
    """
    name = ""
    places: Sequence[str] | None = [str(folder), *sys.path]
    for part in reference.partition(":")[0].split("."):
        name = f"{name}.{part}" if name else part
        if places is None:
            return name  # what should hold it is no package
        spec = importlib.machinery.PathFinder.find_spec(name, places)
        if spec is None:
            return None if _is_built_in(name) else name
        places = spec.submodule_search_locations
    return None


def _is_built_in(name: str) -> bool:
    return name in sys.builtin_module_names or name in sys.modules


async def call_beside(folder: str, reference: str, arguments: dict[str, Any]) -> Any:
    """What `module:attr` gives with these keyword arguments; modules in `folder` come first."""
    from netsim.site.applications import look_up  # aiohttp, which reading a file needs not
    from netsim.site.plain_functions import run_function

    if folder not in sys.path:
        sys.path.insert(0, folder)
    return await run_function(reference, look_up(reference), kwargs=arguments)
