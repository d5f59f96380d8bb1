"""What programs on one computer have set up in `logging`: it begins as in a process of its own."""

from __future__ import annotations

import logging
import weakref
from typing import Any


class ComputersLogging:
    """Handlers, filters and levels of one life of a computer, by logger."""

    def __init__(self) -> None:
        self.set: dict[Any, dict[str, Any]] = {}
        """Attributes by name, of loggers and of their manager, as far as they are its own."""
        self.handler_refs: list[Any] = []
        """Weak references to its handlers, for `logging.shutdown`."""
        self.handler_names: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        """Those that have a name, by that."""
        self.caches_of = 0
        """Which levels of the process's its loggers' caches stand on."""

    def made(self) -> list[logging.Handler]:
        """Handlers that its programs have made, as long as these hold them."""
        handlers = [ref() for ref in self.handler_refs]
        return [each for each in handlers if each and not isinstance(each, _ToProcess)]

    def handlers(self, logger: logging.Logger) -> list[Any]:
        """A list that programs may change; at its beginning only the root logger has one."""
        own = self.set.setdefault(logger, {})
        if "handlers" not in own:
            own["handlers"] = [_ToProcess()] if logger is logging.root else []
        handlers: list[Any] = own["handlers"]
        return handlers

    def filters(self, logger: logging.Logger) -> list[Any]:
        """Those of the process, to which programs add theirs."""
        own = self.set.setdefault(logger, {})
        filters: list[Any] = own.setdefault("filters", _AddedFilters(logger))
        return filters

    def cache(self, logger: logging.Logger, levels: int) -> dict[int, bool]:
        """Of `isEnabledFor`; `levels` counts the changes of the process's levels."""
        if levels != self.caches_of:
            self.clear_caches()
            self.caches_of = levels
        cache: dict[int, bool] = self.set.setdefault(logger, {}).setdefault("_cache", {})
        return cache

    def clear_caches(self) -> None:
        """A level has changed."""
        for own in self.set.values():
            own.pop("_cache", None)


class _AddedFilters(list[Any]):
    """A computer's own of a logger; whoever goes through them finds the process's before."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._of_process: list[Any] = vars(logger)["filters"]

    def __iter__(self) -> Any:
        yield from self._of_process
        yield from super().__iter__()


class _ToProcess(logging.Handler):
    """At a computer's root logger: the handlers that the process has at its own."""

    def emit(self, record: logging.LogRecord) -> None:
        for handler in list(vars(logging.root)["handlers"]):
            if record.levelno >= handler.level:
                handler.handle(record)
