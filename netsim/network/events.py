"""What happens in a running network, for those who watch it."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

BACKLOG: Final = 10_000
"""Events that wait for a slow subscriber; the oldest go first."""


class Documented(Protocol):
    """An event or a line of a log."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is one of those in docs/json.md: `node-died`, `carrier`, `routes`, `log`, …"""

    time_ns: int
    """Network time."""
    kind: str
    node: str
    """Empty where it is about the network."""
    text: str
    """One line for a person."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it, with the wall time in ISO 8601 UTC."""
        return {**asdict(self), "wall": wall_time()}


class Subscription:
    """The events since it was made: `async for event in subscription`. Close it when done.

    Each is a dict, as JSON has it. Who takes them too slowly loses the oldest, and gets an event
    in their place that says how many.
    """

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._missed_since: tuple[int, int] | None = None
        """How many were lost since the last one that was taken, and when the latest was."""
        self.missed = 0
        """Events lost because nobody took them."""

    def put(self, event: dict[str, Any]) -> None:
        """For the hub."""
        if self._queue.qsize() >= BACKLOG:
            lost = self._queue.get_nowait()
            assert lost is not None  # nothing is put behind the end
            count, _ = self._missed_since or (0, 0)
            self._missed_since = count + 1, lost["time_ns"]
            self.missed += 1
        self._queue.put_nowait(event)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if self._missed_since is not None:
            count, time_ns = self._missed_since
            self._missed_since = None
            return self._hub.missed(count, time_ns)
        event = await self._queue.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        """End the iteration, after what is waiting to be taken."""
        self._hub.subscriptions.discard(self)
        self._queue.put_nowait(None)


class EventHub:
    """Hands every event, as a document with its `time_ns`, to every subscription.

    `missed(count, time_ns)` makes the document that stands for `count` lost ones, the last of
    which was of `time_ns`.
    """

    def __init__(self, missed: Callable[[int, int], dict[str, Any]] | None = None) -> None:
        self.subscriptions: set[Subscription] = set()
        self.missed = missed or _missed_event

    def subscribe(self) -> Subscription:
        subscription = Subscription(self)
        self.subscriptions.add(subscription)
        return subscription

    def publish(self, event: Documented) -> None:
        """Tell everybody."""
        if not self.subscriptions:
            return
        document = event.as_dict()
        for subscription in self.subscriptions:
            subscription.put(document)

    def close(self) -> None:
        """No more events: end every iteration."""
        for subscription in list(self.subscriptions):
            subscription.close()


def missed_text(count: int, what: str) -> str:
    """`"3 events were not taken in time and are lost"`."""
    if count == 1:
        return f"1 {what} was not taken in time and is lost"
    return f"{count:,} {what}s were not taken in time and are lost"


def wall_time() -> str:
    """What a clock on the wall says, in ISO 8601 UTC with milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _missed_event(count: int, time_ns: int) -> dict[str, Any]:
    return Event(time_ns, "missed", "", missed_text(count, "event")).as_dict()
