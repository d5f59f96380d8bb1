"""Seeded randomness behind `os.urandom`, `random`, `secrets`, `uuid`, `tempfile`, `ssl.RAND_bytes`.

Each computer has its own. `random.SystemRandom` and `secrets` draw from `os.urandom`, and so does a
`random.Random()` that is made, without a seed, on a computer.

Not covered: generators that a program made before the network was there (but that of aiohttp's
WebSocket clients is), `numpy.random`, and what C libraries draw for themselves: those that are
known are told (`own_randomness`). While a computer runs, other threads share its state of the
functions in `random` and its `uuid` node.
"""

from __future__ import annotations

import _random
import contextlib
import os
import random
import ssl
import sys
import tempfile
import uuid
from collections.abc import Iterator
from operator import index
from typing import Any, Final

from netsim.interception.c_functions import FunctionReplacement, MethodReplacement, Replacement
from netsim.interception.environment import Environment, Presence
from netsim.interception.generator_state import GeneratorState, words_of

_SEED_BYTES: Final = 32


class WebSocketMasks:
    """The generator that aiohttp made when it was imported, the default of an argument.

    It masks what WebSocket clients send (RFC 6455 5.3). The masks are drawn from `os.urandom`
    instead.
    """

    def __init__(self) -> None:
        self._function: Any = None
        self._before: dict[str, Any] | None = None

    def install(self) -> None:
        """Does nothing where aiohttp is not, or has changed."""
        module = sys.modules.get("aiohttp._websocket.writer")
        self._function = getattr(getattr(module, "WebSocketWriter", None), "__init__", None)
        self._before = getattr(self._function, "__kwdefaults__", None)
        if self._before is not None:
            self._function.__kwdefaults__ = {
                name: random.SystemRandom() if type(default) is random.Random else default
                for name, default in self._before.items()
            }

    def uninstall(self) -> None:
        """Put back what was."""
        if self._before is not None:
            self._function.__kwdefaults__ = self._before


class TemporaryNames:
    """The names that `tempfile` gives files: it has one generator, which all would share."""

    def __init__(self, presence: Presence) -> None:
        self._here = presence.here
        self._tempfile: dict[str, Any] = vars(tempfile)
        self._of_the_process: Any = self._tempfile["_get_candidate_names"]
        self._new_names: Any = self._tempfile["_RandomNameSequence"]

    def install(self) -> None:
        """From now on each computer has names of its own."""
        with contextlib.suppress(FileNotFoundError):
            tempfile.gettempdir()  # it draws names, too: now, and not for whoever asks first
        self._tempfile["_get_candidate_names"] = self._names

    def uninstall(self) -> None:
        """Put back what was."""
        self._tempfile["_get_candidate_names"] = self._of_the_process

    def _names(self) -> Iterator[str]:
        environment = self._here()
        if environment is None or environment.urandom is None:
            names: Iterator[str] = self._of_the_process()
            return names
        if environment.temporary_names is None:
            environment.temporary_names = self._new_names()
        return environment.temporary_names


class EntropyHooks:
    """Every source of randomness of the standard library."""

    def __init__(self, presence: Presence) -> None:
        self._here = presence.here
        self._replacements: list[Replacement] = [
            self._urandom(),
            self._of_openssl(),
            WebSocketMasks(),
            TemporaryNames(presence),
        ]
        if hasattr(os, "getrandom"):
            self._replacements.append(self._getrandom())
        self._replacements.append(self._seed())
        self._generator: Any = random._inst
        self._words = words_of(self._generator)
        self._outside = GeneratorState.of(self._generator)
        """What the process draws from, while a computer runs."""
        self._uuid: dict[str, Any] = vars(uuid)
        self._uuid_outside = (None, None)
        self._generate_time_safe: Any = self._uuid["_generate_time_safe"]

    def install(self) -> None:
        """From now on who is on a computer draws from its streams."""
        for replacement in self._replacements:
            replacement.install()
        self._generate_time_safe = self._uuid["_generate_time_safe"]
        # It reads clock and node by itself. Without it uuid1 takes time.time_ns() and _node.
        self._uuid["_generate_time_safe"] = None

    def uninstall(self) -> None:
        """Put back what was."""
        self._uuid["_generate_time_safe"] = self._generate_time_safe
        for replacement in reversed(self._replacements):
            replacement.uninstall()

    def enter(self, environment: Environment) -> None:
        """The state of `random` and `uuid` becomes the computer's."""
        own = environment.generator
        if own is None:
            return
        generator, words, outside, names = self._generator, self._words, self._outside, self._uuid
        outside.words[:] = words
        outside.gauss_next = generator.gauss_next
        words[:] = own.words
        generator.gauss_next = own.gauss_next
        self._uuid_outside = (names["_node"], names["_last_timestamp"])
        names["_node"] = environment.uuid_node
        names["_last_timestamp"] = environment.uuid_last_timestamp

    def leave(self, environment: Environment) -> None:
        """The computer keeps its state; what was before comes back."""
        own = environment.generator
        if own is None:
            return
        generator, words, outside, names = self._generator, self._words, self._outside, self._uuid
        own.words[:] = words
        own.gauss_next = generator.gauss_next
        words[:] = outside.words
        generator.gauss_next = outside.gauss_next
        environment.uuid_last_timestamp = names["_last_timestamp"]
        names["_node"], names["_last_timestamp"] = self._uuid_outside

    def _urandom(self) -> FunctionReplacement:
        def urandom(size: int) -> bytes:
            environment = self._here()
            if environment is None or environment.urandom is None:
                drawn: bytes = replacement.original(size)
                return drawn
            if index(size) < 0:
                raise ValueError("negative argument not allowed")
            return environment.urandom.randbytes(size)

        replacement = FunctionReplacement(os.urandom, urandom)
        return replacement

    def _getrandom(self) -> FunctionReplacement:
        def getrandom(size: int, flags: int = 0) -> bytes:
            environment = self._here()
            if environment is None or environment.urandom is None:
                drawn: bytes = replacement.original(size, flags)
                return drawn
            return os.urandom(size)

        replacement = FunctionReplacement(os.getrandom, getrandom)
        return replacement

    def _seed(self) -> MethodReplacement:
        def seed(generator: _random.Random, a: Any = None, /) -> None:
            environment = self._here() if a is None else None
            if environment is not None and environment.urandom is not None:
                a = int.from_bytes(os.urandom(_SEED_BYTES), "big")
            replacement.original(generator, a)

        replacement = MethodReplacement(_random.Random, "seed", seed)
        return replacement

    def _of_openssl(self) -> FunctionReplacement:
        def draw(size: int) -> bytes:
            environment = self._here()
            if environment is None or environment.urandom is None or index(size) < 0:
                drawn: bytes = replacement.original(size)
                return drawn
            return os.urandom(size)

        replacement = FunctionReplacement(ssl.RAND_bytes, draw)
        return replacement
