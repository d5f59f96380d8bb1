"""Each computer's own `os.environ`.

What a program sets there reaches neither another computer nor the process, and so no child process
either (`subprocess` without `env` passes on the process's environment).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from typing import Any, cast

from netsim.interception.environment import Presence


class _EnvironOfWhoAsks(MutableMapping[bytes, bytes]):
    """Stands behind `os.environ` and `os.environb`, as encoded bytes."""

    def __init__(self, presence: Presence, process: dict[bytes, bytes]) -> None:
        self.process = process
        self._here = presence.here

    def own(self) -> dict[bytes, bytes] | None:
        """The computer's that the caller runs on, if it has one."""
        environment = self._here()
        return None if environment is None else environment.environ

    def _mapping(self) -> dict[bytes, bytes]:
        own = self.own()
        return self.process if own is None else own

    def __getitem__(self, key: bytes) -> bytes:
        return self._mapping()[key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._mapping()[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self._mapping()[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._mapping())

    def __len__(self) -> int:
        return len(self._mapping())


class EnvironHooks:
    """`os.environ`, and what it tells the C library."""

    def __init__(self, presence: Presence) -> None:
        self._environs: list[Any] = [os.environ, os.environb]
        self._data = _EnvironOfWhoAsks(presence, {})
        self._putenv = os.putenv
        self._unsetenv = os.unsetenv

    def install(self) -> None:
        """From now on who is on a computer has that one's."""
        self._data.process = cast(Any, os.environ)._data
        for environ in self._environs:
            environ._data = self._data
        data, put, unset = self._data, self._putenv, self._unsetenv

        # The C library has one environment for the process; os.environ calls these by name.
        def putenv(name: Any, value: Any, /) -> None:
            if data.own() is None:
                put(name, value)

        def unsetenv(name: Any, /) -> None:
            if data.own() is None:
                unset(name)

        os.putenv, os.unsetenv = putenv, unsetenv

    def uninstall(self) -> None:
        """Put back what was."""
        os.putenv, os.unsetenv = self._putenv, self._unsetenv
        for environ in self._environs:
            environ._data = self._data.process
