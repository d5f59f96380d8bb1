"""What programs find in their process, and change there: they may be killed, and it lives."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping

from netsim.interception.missing_files import MissingFiles
from netsim.realtime.fresh_modules import forget_modules_beside
from netsim.site.directories import ComputerDirectory


class ProcessState:
    """Directories, signal handlers, environment, and the modules beside the topology file."""

    def __init__(self, folder: str | None, directory: ComputerDirectory | None) -> None:
        self._folder = folder
        self._directory = directory
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self._environ = dict(os.environ)

    def begin(self, env: Mapping[str, str]) -> None:
        """The computer starts, with these variables of its own; OSError."""
        if self._directory is not None:
            missing = MissingFiles(filter(None, (os.getcwd(), self._folder)))
            sys.addaudithook(lambda event, args: missing.look(args) if event == "open" else None)
            self._directory.begin()
            os.chdir(self._directory.working)
            os.environ.update({**self._directory.environ(), **env})
            tempfile.tempdir = None  # it is found again when somebody asks
        self._environ = dict(os.environ)

    def restore(self) -> None:
        """As no program has run yet. What the tasks of the old one hold stays as it is."""
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(self._environ)
        if self._directory is not None:
            os.makedirs(self._directory.working, exist_ok=True)
            os.chdir(self._directory.working)
        if self._folder is not None:
            forget_modules_beside(self._folder)
