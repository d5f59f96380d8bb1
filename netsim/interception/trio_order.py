"""The order of trio's tasks, which trio draws: on a computer from the computer's randomness.

trio runs on a computer's event loop in its guest mode. It has a generator of its own, which it
seeds as it is imported: by a test before there is a computer, or by a program on one. `random` is
each computer's own.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

_NAME: Final = "trio._core._run"


class TrioOrder:
    """What hypothesis does about trio, too (`trio._core._run._hypothesis_plugin_setup`).

    It stands in `sys.meta_path` for a trio that is imported while it is installed.
    """

    def __init__(self) -> None:
        self._before: list[tuple[Any, Any, bool]] = []
        """Modules, and what they had."""

    def install(self) -> None:
        """From now on."""
        if _NAME in sys.modules:
            self._exchange(sys.modules[_NAME])
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """Put back what was."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for module, generator, sorts in self._before:
            module._r, module._ALLOW_DETERMINISTIC_SCHEDULING = generator, sorts
        self._before.clear()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As of a finder, of one module only."""
        spec = PathFinder.find_spec(name, path, target) if name == _NAME else None
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._exchange(module)

            loader.exec_module = exec_module
        return spec

    def _exchange(self, module: Any) -> None:
        self._before.append((module, module._r, module._ALLOW_DETERMINISTIC_SCHEDULING))
        module._r, module._ALLOW_DETERMINISTIC_SCHEDULING = random, True
