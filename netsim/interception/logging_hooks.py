"""Each computer's own set-up of `logging`: handlers, filters, levels, and what is disabled.

There is one logger of a name in a process, and a module that adds a handler to it is imported on
each computer. So what programs add and set there stays theirs, for one life, as in a process of
their own: at its beginning only the root logger has a handler. That one passes on to the process's
own handlers at the root, netsim's and pytest's among them. Levels that a program has not set are
the process's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

from netsim.interception.computers_logging import ComputersLogging
from netsim.interception.environment import Presence

_OF_LOGGERS: Final = ("handlers", "filters", "level", "propagate", "disabled", "_cache")
_logging: Final[Any] = logging


class LoggingHooks:
    """Attributes of loggers and of their manager become those of who asks."""

    def __init__(self, presence: Presence) -> None:
        self._here = presence.here
        self._levels = 0
        """How often those of the process have changed."""
        self._refs = _HandlerRefs(self)
        self._names = _HandlerNames(self)
        self._clear_cache = logging.Manager._clear_cache  # type: ignore[attr-defined]  # private

    def install(self) -> None:
        """From now on who is on a computer has that one's."""
        for name in _OF_LOGGERS:
            setattr(logging.Logger, name, self._attribute(name))
        _logging.Manager._disable = self._attribute("_disable")
        _logging.Manager._clear_cache = self._clear_caches()
        self._refs.of_process = _logging._handlerList
        _logging._handlerList = self._refs
        logging.shutdown.__defaults__ = (self._refs,)
        self._names.of_process = _logging._handlers
        _logging._handlers = self._names

    def uninstall(self) -> None:
        """Put back what was."""
        if _logging._handlerList is not self._refs:
            return
        for name in _OF_LOGGERS:
            delattr(logging.Logger, name)
        del _logging.Manager._disable
        _logging.Manager._clear_cache = self._clear_cache
        _logging._handlerList = self._refs.of_process
        logging.shutdown.__defaults__ = (self._refs.of_process,)
        _logging._handlers = self._names.of_process

    def own(self) -> ComputersLogging | None:
        """That of the computer on which the caller runs, if it is on one."""
        environment = self._here()
        return None if environment is None else environment.logging

    def _attribute(self, name: str) -> property:
        own_of = self.own

        def get(owner: Any) -> Any:
            own = own_of()
            if own is None:
                return _of_process(owner, name)
            match name:
                case "handlers":
                    return own.handlers(owner)
                case "filters":
                    return own.filters(owner)
                case "_cache":
                    return own.cache(owner, self._levels)
            mine = own.set.get(owner)
            return _of_process(owner, name) if mine is None or name not in mine else mine[name]

        def put(owner: Any, value: Any) -> None:
            own = own_of()
            if own is None or name not in vars(owner):  # who makes a logger makes it for all
                vars(owner)[name] = value
            else:
                own.set.setdefault(owner, {})[name] = value

        return property(get, put)

    def _clear_caches(self) -> Any:
        def clear(manager: logging.Manager) -> None:
            own = self.own()
            if own is not None:
                own.clear_caches()
            else:
                self._levels += 1
                self._clear_cache(manager)

        return clear


def _of_process(owner: Any, name: str) -> Any:
    try:
        return vars(owner)[name]
    except KeyError:
        raise AttributeError(name) from None


class _HandlerNames(MutableMapping[str, Any]):
    """Stands for the mapping of handlers that have a name, by which `dictConfig` changes them."""

    def __init__(self, hooks: LoggingHooks) -> None:
        self._hooks = hooks
        self.of_process: MutableMapping[str, Any] = {}

    def _mine(self) -> MutableMapping[str, Any]:
        own = self._hooks.own()
        return self.of_process if own is None else own.handler_names

    def __getitem__(self, name: str) -> Any:
        return self._mine()[name]

    def __setitem__(self, name: str, handler: Any) -> None:
        self._mine()[name] = handler

    def __delitem__(self, name: str) -> None:
        del self._mine()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._mine())

    def __len__(self) -> int:
        return len(self._mine())


class _HandlerRefs(list[Any]):
    """Stands for the list of all handlers, which `dictConfig` closes and empties: who asks closes
    their own."""

    def __init__(self, hooks: LoggingHooks) -> None:
        super().__init__()
        self._hooks = hooks
        self.of_process: list[Any] = []

    def _mine(self) -> list[Any]:
        own = self._hooks.own()
        return self.of_process if own is None else own.handler_refs

    def append(self, ref: Any) -> None:
        self._mine().append(ref)

    def remove(self, ref: Any) -> None:
        self._mine().remove(ref)

    def __getitem__(self, key: Any) -> Any:
        return self._mine()[key]

    def __delitem__(self, key: Any) -> None:
        del self._mine()[key]

    def __iter__(self) -> Any:
        return iter(self._mine())

    def __len__(self) -> int:
        return len(self._mine())
