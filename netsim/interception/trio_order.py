"""The order of trio's tasks, which trio draws: on a computer from the computer's randomness.

trio runs on a computer's event loop in its guest mode. It has a generator of its own, which a test
that imports trio has seeded before there is a computer. `random` is each computer's own.
"""

from __future__ import annotations

import random
import sys
from typing import Any


class TrioOrder:
    """What hypothesis does about trio, too (`trio._core._run._hypothesis_plugin_setup`)."""

    def __init__(self) -> None:
        self._run: Any = None
        self._before: tuple[Any, bool] = None, False

    def install(self) -> None:
        """From now on; trio that is imported later has its generator from a computer."""
        self._run = sys.modules.get("trio._core._run")
        if self._run is not None:
            self._before = self._run._r, self._run._ALLOW_DETERMINISTIC_SCHEDULING
            self._run._r, self._run._ALLOW_DETERMINISTIC_SCHEDULING = random, True

    def uninstall(self) -> None:
        """Put back what was."""
        if self._run is not None:
            self._run._r, self._run._ALLOW_DETERMINISTIC_SCHEDULING = self._before
            self._run = None
