"""Calls of functions on computers: what goes in and comes out is copied, in both times."""

from __future__ import annotations

import pickle
from typing import Any

from netsim.core.errors import CopyError


def pack(what: str, value: Any) -> bytes:
    """A copy on its way; CopyError says that `what` cannot be copied."""
    try:
        return pickle.dumps(value, 5)
    except Exception as error:
        raise CopyError(
            f"{what} cannot be copied ({error}); pass what pickle takes: numbers, text, "
            "containers, instances of importable classes"
        ) from error


def unpack(copy: bytes) -> Any:
    """The copy, arrived."""
    return pickle.loads(copy)  # noqa: S301  # only ever our own
