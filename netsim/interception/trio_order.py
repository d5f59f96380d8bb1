"""The order of trio's tasks, which trio draws: on a computer from the computer's randomness.

trio runs on a computer's event loop in its guest mode. It has a generator of its own, which it
seeds as it is imported: by a test before there is a computer, or by a program on one. `random` is
each computer's own.
"""

from __future__ import annotations

import random
from typing import Any

from netsim.interception.after_import import AfterImport


class TrioOrder:
    """What hypothesis does about trio, too (`trio._core._run._hypothesis_plugin_setup`)."""

    def __init__(self) -> None:
        self._imports = AfterImport(("trio._core._run",), self._exchange)
        self._before: list[tuple[Any, Any, bool]] = []
        """Modules, and what they had."""

    def install(self) -> None:
        """From now on, also for a trio that is imported later."""
        self._imports.install()

    def uninstall(self) -> None:
        """Put back what was."""
        self._imports.uninstall()
        for module, generator, sorts in self._before:
            module._r, module._ALLOW_DETERMINISTIC_SCHEDULING = generator, sorts
        self._before.clear()

    def _exchange(self, module: Any) -> None:
        self._before.append((module, module._r, module._ALLOW_DETERMINISTIC_SCHEDULING))
        module._r, module._ALLOW_DETERMINISTIC_SCHEDULING = random, True
