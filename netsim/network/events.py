"""What happens in a running network, for those who watch it."""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

_BACKLOG: Final = 10_000
"""Events that wait for a slow subscriber; the oldest go first."""


class Happening(Protocol):
    """Something that subscribers are told."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""


@dataclass(frozen=True, slots=True)
class Event:
    """One happening. `kind`: `node-died`, `carrier`, `routes`, `log`."""

    time_ns: int
    """Network time."""
    kind: str
    node: str
    text: str
    """One line for a person."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with the wall time in ISO 8601 UTC."""
        return {**asdict(self), "wall": wall_time()}


class Subscription:
    """The events since it was made: `async for event in subscription`. Close it when done."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.missed = 0
        """Events lost because nobody took them."""

    def put(self, event: dict[str, Any]) -> None:
        """Used by the hub."""
        if self._queue.qsize() >= _BACKLOG:
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(event)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> dict[str, Any]:
        event = await self._queue.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        """End the iteration."""
        self._hub.subscriptions.discard(self)
        self._queue.put_nowait(None)


class EventHub:
    """Hands every event to every subscription."""

    def __init__(self) -> None:
        self.subscriptions: set[Subscription] = set()

    def subscribe(self) -> Subscription:
        """A new subscription."""
        subscription = Subscription(self)
        self.subscriptions.add(subscription)
        return subscription

    def publish(self, event: Happening) -> None:
        """Tell everybody."""
        document = event.as_dict()
        for subscription in self.subscriptions:
            subscription.put(document)

    def close(self) -> None:
        """No more events: end every iteration."""
        for subscription in list(self.subscriptions):
            subscription.close()


def wall_time() -> str:
    """What a clock on the wall says, in ISO 8601 UTC with milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
