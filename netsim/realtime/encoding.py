"""Messages between processes of one network: pickled, each behind its length.

Both ends are our own processes on a socketpair that nobody else has, which is what makes pickle
safe here. Descriptors travel with the first bytes of a message.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

_LENGTH = struct.Struct("!I")
_READ_SIZE: Final = 1 << 16
DESCRIPTORS_AT_ONCE: Final = 253
"""What Linux takes with one byte or more (SCM_MAX_FD)."""


def encode(message: Any) -> bytes:
    """A message as it travels; it is longer than the parts that its descriptors are cut into."""
    body = pickle.dumps(message, 5)
    return _LENGTH.pack(len(body)) + body


def in_parts(descriptors: Sequence[int]) -> list[Sequence[int]]:
    """Descriptors as they travel: a part with each of the first bytes of a message."""
    return [
        descriptors[start : start + DESCRIPTORS_AT_ONCE]
        for start in range(0, len(descriptors), DESCRIPTORS_AT_ONCE)
    ]


class Inbox:
    """Takes a stream of bytes and descriptors apart. `descriptors` are those nobody took yet."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()
        self.descriptors: deque[int] = deque()

    def read(self) -> bool:
        """Take what has arrived; False at the end of file. BlockingIOError as `recv`."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._sock, _READ_SIZE, DESCRIPTORS_AT_ONCE)
        except ConnectionResetError:
            return False
        for descriptor in descriptors:
            # What a program starts must not keep the node's cables up when the node is gone.
            os.set_inheritable(descriptor, False)
        self.descriptors.extend(descriptors)
        self._data += data
        return bool(data)

    def messages(self) -> Iterator[Any]:
        """Those that have arrived whole, and not been given before."""
        data = self._data
        while len(data) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
            if len(data) < end:
                return
            message = pickle.loads(data[_LENGTH.size : end])  # noqa: S301  # our own children
            del data[:end]
            yield message
