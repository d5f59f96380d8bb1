"""The interpreter's audit events (library reference, "Audit events table"), for who wants some."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

_heard: Final[dict[str, list[Callable[[tuple[Any, ...]], None]]]] = {}
_is_hooked = False


class AuditListener:
    """Has a function called for events, from `install` until `uninstall`."""

    def __init__(self, events: Iterable[str], hear: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._listeners = [(event, _of(event, hear)) for event in events]

    def install(self) -> None:
        """From now on it is called."""
        global _is_hooked
        for event, listener in self._listeners:
            _heard.setdefault(event, []).append(listener)
        if not _is_hooked:
            # There is no way to remove an audit hook: it is there once, and does nothing later.
            sys.addaudithook(_audit)
            _is_hooked = True

    def uninstall(self) -> None:
        """No longer."""
        for event, listener in self._listeners:
            if listener in _heard.get(event, ()):
                _heard[event].remove(listener)


def _of(
    event: str, hear: Callable[[str, tuple[Any, ...]], None]
) -> Callable[[tuple[Any, ...]], None]:
    return lambda args: hear(event, args)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    for listener in _heard.get(event, ()):
        listener(args)
