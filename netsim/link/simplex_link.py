"""One direction of a cable, owned by its sender: queue, transmitter, medium.

    enqueue ──► [queue] ──► transmitter ──► impairments, delay ──► dequeue
                            (bandwidth)                            (departs_at, deliver_at, frame)

All times are logical: they follow from when frames were enqueued and from the attributes, and
not from when the runtime asks. A frame departs when its serialisation starts and is delivered
when its last bit has arrived. The runtime may dequeue ahead of time, so that departures batch;
that changes neither what is dropped nor any time, as every decision is made in order of
departure. What was dequeued is on its way and out of reach of later changes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Final

from netsim.core.bandwidth_trace import BandwidthTrace
from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import CodelQueue, FqCodelQueue, PieQueue, RedQueue
from netsim.core.streams import RandomStreams
from netsim.core.time import SECOND
from netsim.link.codel import Codel
from netsim.link.delivery_opportunities import DeliveryOpportunities
from netsim.link.drop_tail import DropTail
from netsim.link.fq_codel import FqCodel
from netsim.link.impairment import Impairments
from netsim.link.link_counters import LinkCounters
from netsim.link.pie import Pie
from netsim.link.queue_discipline import Discipline
from netsim.link.red import Red
from netsim.wire.ethernet import HEADER_LENGTH

Departure = tuple[int, int, bytes]
"""(departs_at, deliver_at, frame), both in ns of network time."""
OnDrop = Callable[[bytes, str, int], None]
"""Takes a frame that goes no further, the reason, and the time in ns."""

_SHORTEST_FRAME: Final = 60
"""Octets, without the check sequence: a real cable has none that is shorter (IEEE 802.3 3.2.8)."""
_NEVER: Final = 1 << 62
"""ns: when the transmitter of a link that is held is free."""


class SimplexLink:
    """One direction of a link. `now` never goes back from one call to the next."""

    __slots__ = (
        "_attributes",
        "_delay_ns",
        "_denominator",
        "_departed",
        "_free_at",
        "_held",
        "_impaired",
        "_impairments",
        "_latest_delivery",
        "_max_frame",
        "_mtu",
        "_numerator",
        "_opportunities",
        "_overhead",
        "_queue",
        "_remainder",
        "_resume_at",
        "_streams",
        "_up",
        "counters",
        "looks_ahead",
        "on_drop",
    )

    def __init__(self, attributes: LinkAttributes, streams: RandomStreams) -> None:
        self.counters = LinkCounters()
        self.on_drop: OnDrop | None = None
        """Is shown every frame that this direction drops."""
        self._streams = streams
        self._queue = self._new_queue(attributes)
        self.looks_ahead = self._queue.looks_ahead
        """Whether the outcome is the same however early `dequeue` is asked for a departure. Where
        it is not, a frame must not be asked for before its departure."""
        self._impairments = Impairments(attributes, streams)
        self._departed: list[Departure] = []
        """Frames through the transmitter that nobody has dequeued yet, in order of departure."""
        self._free_at = 0
        """When the transmitter can start the next frame."""
        self._remainder = 0
        """By how much `_free_at` was rounded down, in 1/`_denominator` ns."""
        self._latest_delivery = 0
        """No frame is delivered before this, except where reordering is asked for: jitter alone
        keeps the order. A change of the link begins anew."""
        self._up = True
        self._held = False
        self._opportunities: DeliveryOpportunities | None = None
        """Where the bandwidth is a trace."""
        self._resume_at = 0
        """While held: when the transmitter would have been free."""
        self._adopt(attributes)

    def enqueue(self, frame: bytes, now: int) -> None:
        """Take a frame from the sender; it is queued, sent at once or dropped, and counted."""
        counters = self.counters
        length = len(frame)
        counters.sent += 1
        counters.sent_bytes += length
        if length > self._max_frame:
            self._drop(frame, "mtu" if self._up else "carrier", now)
            return
        queue = self._queue
        if self._free_at <= now:
            if queue.packets:
                self._transmit(now)
            if self._free_at <= now:
                self._remainder = 0
                if self.looks_ahead:
                    self._start(frame, now)
                    return
                # It has asked in vain as soon as it was free: some disciplines want to know.
                queue.take(self._free_at)
                self._free_at = now
        if not queue.offer(frame, now):
            self._drop(frame, "queue", now)
        elif not self.looks_ahead:
            self._transmit(now)

    def dequeue(self, until: int) -> list[Departure]:
        """Every frame whose serialisation starts at or before `until`, in order of departure."""
        if self._free_at <= until and self._queue.packets:
            self._transmit(until)
        departed = self._departed
        if not departed:
            return []
        if departed[-1][0] <= until:
            self._departed = []
        else:
            due = sum(departure[0] <= until for departure in departed)
            departed, self._departed = departed[:due], departed[due:]
        self.counters.handed_over += len(departed)
        return departed

    def next_departure(self) -> int | None:
        """The `until` from which `dequeue` has something to do; None when nothing is here."""
        if self._departed:
            return self._departed[0][0]
        return self._free_at if self._queue.packets and not self._held else None

    def queued(self) -> int:
        """Frames that are still here."""
        return self._queue.packets + len(self._departed)

    def queued_bytes(self) -> int:
        """Octets of the frames that are still here."""
        return self._queue.octets + sum(len(frame) for _, _, frame in self._departed)

    def serialised_at(self, octets: int, departs_at: int, deliver_at: int) -> int:
        """When the last bit of a frame had left, which is delivered at `deliver_at`.

        Of a link whose bandwidth is a trace or that has none it is what the delay leaves.
        """
        if self._opportunities is not None:
            return max(departs_at, deliver_at - self._delay_ns)
        if self._overhead:
            octets = max(octets, _SHORTEST_FRAME) + self._overhead
        took = octets * self._numerator // self._denominator
        return min(departs_at + took, deliver_at)

    def waiting(self, now: int) -> tuple[int, int]:
        """Frames, and their octets, whose serialisation has not started at `now`."""
        queue = self._queue
        packets, octets = queue.packets, queue.octets
        if isinstance(queue, DropTail):
            ahead = [length for departure, length in queue.ahead if departure > now]
            return packets + len(ahead), octets + sum(ahead)
        return packets, octets

    def change(self, attributes: LinkAttributes, now: int) -> None:
        """From `now` on behave as `attributes` say.

        What waits in the queue feels the new bandwidth and delay; the frame being serialised
        and those on their way keep their times, and are overtaken when the delay shrinks, as
        with tc-netem. A smaller queue limit drops nothing that waits already.
        """
        self._transmit(now)
        if attributes != self._attributes:
            self._latest_delivery = 0
        if type(attributes.queue) is not type(self._attributes.queue):
            self._exchange_queue(attributes, now)
        elif not self._held:
            self._queue.adopt(attributes)
        self._impairments.change(attributes)
        self._adopt(attributes)

    def hold(self, now: int) -> None:
        """Start no frame from `now` on, and drop none for want of room.

        The frame being serialised and those on their way go on.
        """
        if not self._held:
            self._transmit(now - 1)
            self._held = True
            self._resume_at, self._free_at = self._free_at, _NEVER
            self._queue.keep_all()

    def release(self, now: int) -> None:
        """Send what waits; the queue has its limit again, for what comes now."""
        if self._held:
            self._held = False
            self._free_at = max(self._resume_at, now)
            self._queue.adopt(self._attributes)

    def set_carrier(self, up: bool, now: int) -> None:
        """Plug the cable in or pull it. Pulled, all that is here is dropped as `carrier`.

        So is whatever is enqueued until the carrier is back. What was dequeued before is the
        receiver's to drop.
        """
        if not up and self._up:
            for _, _, frame in self._departed:
                self._drop(frame, "carrier", now)
            for frame in self._queue.empty():
                self._drop(frame, "carrier", now)
            self._departed = []
            if self._held:
                self._resume_at = min(self._resume_at, now)
            else:
                self._free_at = min(self._free_at, now)
            self._remainder = 0
            self._latest_delivery = 0
        self._up = up
        self._set_max_frame()

    def _new_queue(self, attributes: LinkAttributes) -> Discipline:
        match attributes.queue:
            case CodelQueue():
                return Codel(attributes, self._drop, self.counters)
            case FqCodelQueue():
                salt = self._streams.stream("fq_codel").getrandbits(32)
                return FqCodel(attributes, salt, self._drop, self.counters)
            case RedQueue():
                random = self._streams.stream("red")
                return Red(attributes, random, self._drop, self.counters)
            case PieQueue():
                random = self._streams.stream("pie")
                return Pie(attributes, random, self._drop, self.counters)
        return DropTail(attributes)

    def _exchange_queue(self, attributes: LinkAttributes, now: int) -> None:
        """Another discipline takes over what waits, as if it had come now."""
        frames = self._queue.empty()
        self._queue = self._new_queue(attributes)
        self.looks_ahead = self._queue.looks_ahead
        self._queue.keep_all()
        for frame in frames:
            self._queue.offer(frame, now)
        if not self._held:
            self._queue.adopt(attributes)

    def _drop(self, frame: bytes, reason: str, now: int) -> None:
        self.counters.drop(reason)
        self.counters.dropped_bytes += len(frame)
        if self.on_drop is not None:
            self.on_drop(frame, reason, now)

    def _adopt(self, attributes: LinkAttributes) -> None:
        self._attributes = attributes
        self._mtu = attributes.mtu
        self._delay_ns = attributes.delay_ns
        self._impaired = self._impairments.active
        self._overhead = attributes.overhead
        bandwidth = attributes.bandwidth_bps
        if isinstance(bandwidth, BandwidthTrace):
            if self._opportunities is None or self._opportunities.trace != bandwidth:
                self._opportunities = DeliveryOpportunities(bandwidth)
            bandwidth = None
        else:
            self._opportunities = None
        # ns per octet as a fraction in lowest terms, which keeps the arithmetic in small integers.
        bits, rate = (8 * SECOND, bandwidth) if bandwidth else (0, 1)
        divisor = gcd(bits, rate)
        self._numerator = bits // divisor
        self._denominator = rate // divisor
        self._remainder = 0
        self._set_max_frame()

    def _set_max_frame(self) -> None:
        """One comparison in `enqueue` refuses both long frames and a missing carrier."""
        self._max_frame = self._mtu + HEADER_LENGTH if self._up else -1

    def _transmit(self, until: int) -> None:
        """Start the frames in the queue for which the transmitter is free by `until`."""
        while self._free_at <= until:
            frame = self._queue.take(self._free_at)
            if frame is None:
                return
            self._start(frame, self._free_at)

    def _start(self, frame: bytes, departs_at: int) -> None:
        """Serialise a frame and let the medium carry it."""
        octets = len(frame)
        if self._overhead:
            octets = max(octets, _SHORTEST_FRAME) + self._overhead
        if self._opportunities is not None:
            arrived = self._opportunities.serialise(octets - HEADER_LENGTH, departs_at)
        else:
            scaled = octets * self._numerator + self._remainder
            denominator = self._denominator
            if denominator == 1:
                arrived = departs_at + scaled
            else:
                arrived = departs_at + scaled // denominator
                self._remainder = scaled % denominator
        self._free_at = arrived
        if self._impaired:
            self._start_impaired(frame, departs_at, arrived)
            return
        deliver_at = arrived + self._delay_ns
        if deliver_at < self._latest_delivery:
            deliver_at = self._latest_delivery
        else:
            self._latest_delivery = deliver_at
        self._departed.append((departs_at, deliver_at, frame))

    def _start_impaired(self, frame: bytes, departs_at: int, serialised_at: int) -> None:
        impairments = self._impairments
        counters = self.counters
        if impairments.loses():
            self._drop(frame, "loss", departs_at)
            return
        if impairments.corrupts():
            flipped = impairments.flip_bit(frame)
            if flipped is None:
                self._drop(frame, "crc", departs_at)
                return
            counters.corrupted += 1
            frame = flipped
        latest = self._latest_delivery
        if impairments.skips_delay():
            deliver_at = serialised_at
        else:
            deliver_at = serialised_at + impairments.delay()
            if deliver_at < latest and impairments.keeps_order:
                deliver_at = latest
            self._latest_delivery = max(latest, deliver_at)
        if deliver_at < latest:
            counters.reordered += 1
        departure = (departs_at, deliver_at, frame)
        self._departed.append(departure)
        if impairments.duplicates():
            counters.duplicated += 1
            self._departed.append(departure)
