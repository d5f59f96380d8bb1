"""The state of a `random.Random`: copied as memory, as it changes hands at every loop step.

In CPython's C structure the index and the 624 words of the Mersenne Twister follow the head of the
object. `getstate` and `setstate` say the same in about a thousand times the time.
"""

from __future__ import annotations

import _random
import array
from random import Random
from typing import Final

from netsim.core.errors import UnsupportedInterpreterError
from netsim.interception.c_functions import check_interpreter, memory_of

_HEAD: Final = object.__basicsize__
_SIZE: Final = 4 * (1 + 624)


class GeneratorState:
    """What a generator will draw from: its words, and the half of a pair that `gauss` keeps."""

    __slots__ = ("gauss_next", "words")

    def __init__(self, words: bytes, gauss_next: float | None) -> None:
        self.words = bytearray(words)
        self.gauss_next = gauss_next

    @classmethod
    def of(cls, generator: Random) -> GeneratorState:
        """A copy of the state that a generator is in."""
        return cls(bytes(words_of(generator)), generator.getstate()[2])


def words_of(generator: Random) -> memoryview:
    """The words themselves, to be read and written; UnsupportedInterpreterError."""
    check_interpreter()
    if not _SIZE <= _random.Random.__basicsize__ - _HEAD < _SIZE + 8:
        raise UnsupportedInterpreterError("random.Random has an unknown size")
    words = memory_of(generator, _SIZE, _HEAD)
    index, *state = array.array("I", bytes(words))
    if (*state, index) != generator.getstate()[1]:
        raise UnsupportedInterpreterError("random.Random is not laid out as was expected")
    return words
