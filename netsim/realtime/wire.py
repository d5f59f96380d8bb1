"""The cable between two node processes: a multiprocessing queue made fast.

A `WireQueue` is a `multiprocessing.queues.SimpleQueue` for exactly one producer and one consumer.
So it needs no lock, which a killed process could keep for ever, and it runs on a socketpair,
since an ordinary user gets only a thousand full-size pipes. One message is a pickled batch of
`(departs_at, deliver_at, frame)`; pickle is safe here because only our own children hold the ends.

Before a process attaches its end to a loop, the stock `put()` and `get()` work. Then `WireSender`
and `WireReceiver` take over, which speak the same format, never block, and move many frames in
one system call.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
from collections import deque
from multiprocessing import context, queues
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from netsim.site.accounting import FRAMES_IN_A_MESSAGE

if TYPE_CHECKING:
    from netsim.link.simplex_link import Departure

Message: TypeAlias = "list[Departure] | int"
"""A batch of frames, or the number of a cut through the network (see `engine.py`)."""

PENDING_LIMIT: Final = 256 * 1024
"""Bytes that wait for a full socket; what comes beyond is lost and counted as `overload`."""
_READ_SIZE: Final = 1 << 18
_LENGTH = struct.Struct("!i")


class _NoLock:
    """Stands in for the locks of `SimpleQueue`: one producer and one consumer need none."""

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...

    def acquire(self) -> bool:
        """Always granted."""
        return True

    def release(self) -> None:
        """Nothing to release."""


class WireQueue(queues.SimpleQueue[Message]):
    """One direction of one cable between two processes."""

    _reader: Connection
    _writer: Connection

    def __init__(self) -> None:
        receiving, sending = socket.socketpair()
        self._adopt(
            Connection(receiving.detach(), writable=False),
            Connection(sending.detach(), readable=False),
        )

    def _adopt(self, reader: Connection, writer: Connection) -> None:
        self._reader = reader
        self._writer = writer
        self._rlock = self._wlock = _NoLock()
        self._poll = reader.poll

    def __getstate__(self) -> Any:
        context.assert_spawning(self)
        return self._reader, self._writer

    def __setstate__(self, state: Any) -> None:
        self._adopt(*state)

    @property
    def reader_fileno(self) -> int:
        """Descriptor of the receiving end."""
        return self._reader.fileno()

    @property
    def writer_fileno(self) -> int:
        """Descriptor of the sending end."""
        return self._writer.fileno()

    def close_reader(self) -> None:
        """Close this process's copy of the receiving end."""
        self._reader.close()

    def close_writer(self) -> None:
        """Close this process's copy of the sending end."""
        self._writer.close()


class WireSender:
    """The sending end in a loop. Frames are put, and leave with `flush`, once a tick.

    It puts itself into `to_flush` when it has got some.
    """

    def __init__(self, descriptor: int, to_flush: list[WireSender]) -> None:
        self.descriptor = descriptor
        self.is_waiting = False
        """It stands in `to_flush`."""
        self._to_flush = to_flush
        self.blocked = False
        """The socket is full: call `flush` when it is writable."""
        self.broken = False
        """The receiver is gone."""
        self.lost: dict[str, int] = {}
        """Frames handed over by the link that never went onto the wire, by reason."""
        self.unwritten = 0
        """Frames put that are not lost, and that the receiver cannot have yet."""
        self.messages = 0
        """Messages that have been written or will be."""
        self._batch: list[Departure] = []
        self._pending: deque[Message] = deque()
        self._rest = b""
        """What is left of a message that has been written in part."""
        self._rest_frames = 0
        """The frames in that message."""
        self._waiting_bytes = 0
        os.set_blocking(descriptor, False)

    def put(self, departures: list[Departure]) -> None:
        """Frames for the next flush."""
        if self.blocked or self.broken:
            departures = self._admit(departures)
        self._batch += departures
        self.unwritten += len(departures)
        if not self.is_waiting:
            self.is_waiting = True
            self._to_flush.append(self)

    def mark(self, cut: int) -> None:
        """Put a marker behind everything sent so far."""
        self.pack()
        self._pending.append(cut)
        self.messages += 1

    def pack(self) -> None:
        """Make messages of the frames put so far, for the next flush."""
        batch, pending = self._batch, self._pending
        if not batch:
            return
        self._batch = []
        last = pending[-1] if pending else 0
        if isinstance(last, list) and len(last) + len(batch) <= FRAMES_IN_A_MESSAGE:
            last += batch
            return
        for start in range(0, len(batch), FRAMES_IN_A_MESSAGE):
            pending.append(
                batch[start : start + FRAMES_IN_A_MESSAGE] if start else batch[:FRAMES_IN_A_MESSAGE]
            )
            self.messages += 1

    @property
    def dirty(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._batch or self._pending or self._rest)

    def flush(self) -> None:
        """Write as much as the socket takes."""
        self.pack()
        try:
            while self._rest or self._pending:
                if not self._rest:
                    self._take(self._pending.popleft())
                written = os.write(self.descriptor, self._rest)
                self._rest = self._rest[written:]
                if self._rest:
                    self.blocked = True
                    return
                self.unwritten -= self._rest_frames
                self._rest_frames = 0
        except BlockingIOError:
            self.blocked = True
            return
        except (BrokenPipeError, ConnectionResetError):
            self.give_up()
            return
        self.blocked = False
        self._waiting_bytes = 0

    def give_up(self) -> None:
        """The receiver is gone: what was not written whole is lost with the carrier."""
        self._lose("carrier", self.unwritten)
        self.messages -= len(self._pending) + bool(self._rest)
        self.broken = True
        self.blocked = False
        self.unwritten = 0
        self._rest = b""
        self._rest_frames = 0
        self._batch = []
        self._pending.clear()

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)

    def _take(self, message: Message) -> None:
        body = pickle.dumps(message, 5)
        self._rest = _LENGTH.pack(len(body)) + body
        self._rest_frames = len(message) if isinstance(message, list) else 0

    def _admit(self, departures: list[Departure]) -> list[Departure]:
        if self.broken:
            self._lose("carrier", len(departures))
            return []
        admitted = []
        for departure in departures:
            if self._waiting_bytes + len(departure[2]) > PENDING_LIMIT:
                self._lose("overload", 1)
            else:
                self._waiting_bytes += len(departure[2])
                admitted.append(departure)
        return admitted

    def _lose(self, reason: str, frames: int) -> None:
        if frames:
            self.lost[reason] = self.lost.get(reason, 0) + frames


class WireReceiver:
    """The receiving end in a loop. All receivers of a process read into one buffer."""

    _buffer = bytearray(_READ_SIZE)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._rest = b""
        os.set_blocking(descriptor, False)

    def receive(self) -> list[Message]:
        """The messages that have arrived whole; EOFError when the sender is gone."""
        buffer = WireReceiver._buffer
        rest = self._rest
        have = len(rest)
        if have:
            if have > len(buffer) // 2:
                buffer.extend(bytes(len(buffer)))
            buffer[:have] = rest
        view = memoryview(buffer)
        try:
            read = os.readv(self.descriptor, (view[have:],))
            if not read:
                raise EOFError
            return self._split(view[: have + read])
        except BlockingIOError:
            return []
        except ConnectionResetError:
            raise EOFError from None
        finally:
            view.release()

    def _split(self, data: memoryview) -> list[Message]:
        messages: list[Message] = []
        position = 0
        end = len(data)
        with data:
            while end - position >= _LENGTH.size:
                start = position + _LENGTH.size
                following = start + _LENGTH.unpack_from(data, position)[0]
                if following > end:
                    break
                messages.append(pickle.loads(data[start:following]))  # noqa: S301
                position = following
            self._rest = bytes(data[position:end])
        return messages

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)
