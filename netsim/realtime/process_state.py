"""What programs change of their process, as it was: they are killed, and it lives."""

from __future__ import annotations

import os
import signal
import sys

from netsim.interception.own_modules import OwnModules


class ProcessState:
    """Signal handlers, environment, and the modules beside the topology file, in `folder`."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self._environ = dict(os.environ)

    def restore(self) -> None:
        """As no program has run yet. What the tasks of the old one hold stays as it is."""
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(self._environ)
        if self._folder is not None:
            own = OwnModules(self._folder, os.path.realpath(self._folder))
            own.adopt()
            for name in own.loaded:
                del sys.modules[name]
