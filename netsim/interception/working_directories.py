"""Each computer's own working directory and directory of temporary files.

A process has one working directory: it changes when code of another computer runs than before, by
one call of the kernel (0.3 µs). Other threads of the test are in that of the computer that runs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from netsim.interception.audit_events import AuditListener
from netsim.interception.environment import Presence
from netsim.interception.working_directory import WorkingDirectory

_HELD: Final = 256
"""Directories that are held open; the others have to be found by their paths."""


class DirectorySwitch:
    """Changes the directory of the process to that of who runs."""

    def __init__(self, presence: Presence) -> None:
        self._here = presence.here
        self._process = self._current = WorkingDirectory("")
        self._has_moved = False
        """Somebody has changed it since the last switch."""
        self._listener = AuditListener(("os.chdir", "open"), self._note)
        self._tempfile: dict[str, Any] = vars(tempfile)
        self._find_temporary: Callable[[], Any] = self._tempfile["_gettempdir"]

    def install(self) -> None:
        """From now on who is on a computer has its directories."""
        self._process = self._current = WorkingDirectory("")
        with suppress(OSError):  # it has been removed: nobody comes back there
            self._process.hold(".")
        self._listener.install()
        self._has_moved = False
        self._tempfile["_gettempdir"] = self._temporary

    def uninstall(self) -> None:
        """Put back what was."""
        self.place(None)
        self._tempfile["_gettempdir"] = self._find_temporary
        self._listener.uninstall()
        self._process.close()

    def place(self, directory: WorkingDirectory | None) -> None:
        """Who runs from now on is there; None is where the process was."""
        wanted = self._process if directory is None else directory
        current = self._current
        if wanted is current:
            return
        if self._has_moved:
            current.close()
            with suppress(OSError):
                current.path = os.getcwd()
                current.hold(".")
        if wanted.descriptor < 0 and wanted.path:
            os.makedirs(wanted.path, exist_ok=True)  # its program may have removed it
            if WorkingDirectory.held < _HELD:
                wanted.hold(wanted.path)
        if wanted.descriptor >= 0:
            os.fchdir(wanted.descriptor)
        elif wanted.path:
            os.chdir(wanted.path)
        self._current = wanted
        self._has_moved = False

    def _note(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "os.chdir":
            self._has_moved = True
            return
        environment = self._here()
        if environment is not None and environment.directory is not None:
            environment.directory.missing.look(args)

    def _temporary(self) -> Any:
        environment = self._here()
        if environment is not None and environment.directory is not None:
            own = (environment.environ or {}).get(b"TMPDIR")
            if own:
                return os.fsdecode(own)
        return self._find_temporary()
