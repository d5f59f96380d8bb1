"""Payloads that wait in order: as they came, but for small ones, which are joined.

A stream of single octets must not cost an object for each of them, whoever sends it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

_SMALL: Final = 256
_JOINED: Final = 2048


def append(chunks: deque[bytes] | list[bytes], data: bytes) -> None:
    """Put `data` behind the last payload, or make it part of that."""
    if len(data) < _SMALL and chunks and len(chunks[-1]) < _JOINED:
        chunks[-1] += data
    else:
        chunks.append(data)
