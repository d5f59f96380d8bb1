"""A progress bar on stderr, where somebody looks at it."""

from __future__ import annotations

import sys
import time
from typing import Any


class ProgressBar:
    """`label ━━━━ 3/28` on a terminal, nothing in a pipe. Close it when done.

    With a `unit` it shows the rate, too: `34 runs/s`.
    """

    def __init__(self, label: str, unit: str = "") -> None:
        self._label = label
        self._unit = unit
        self._started = time.monotonic()
        self._bar: Any = None

    def show(self, done: int, total: int | None) -> None:
        """So many of all are done; None: nobody knows how many these are."""
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn(self._label),
                BarColumn(),
                MofNCompleteColumn(),
                *([TextColumn("{task.fields[rate]}")] if self._unit else []),
                console=Console(stderr=True),
                transient=True,
                auto_refresh=False,  # it would start a thread
            )
            self._bar.start()
            self._bar.add_task(self._label, total=total, rate="")
        seconds = time.monotonic() - self._started
        rate = (
            f"{done / seconds:.{0 if done > 10 * seconds else 1}f} {self._unit}/s" if done else ""
        )
        self._bar.update(0, completed=done, rate=rate, refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
