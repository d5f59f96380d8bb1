"""Impairments: what the medium does to a frame once it has left the transmitter.

The words and their meaning are tc-netem's, with two exceptions that make them independent of
each other: a lost frame is not duplicated, and jitter keeps the order unless it is asked not to.
Each impairment draws from a stream of its own, in order of departure, so that turning one on does
not change what another does to the same frames.
"""

from __future__ import annotations

from random import Random
from typing import Final

from netsim.core.link_attributes import Distribution, GilbertElliott, Jitter, LinkAttributes
from netsim.core.streams import RandomStreams
from netsim.wire.ethernet import ETHERTYPE_IPV4, HEADER_LENGTH

_ETHERTYPE_IPV4 = ETHERTYPE_IPV4.to_bytes(2, "big")
_LARGEST_DEVIATION: Final = 4.0
"""In spreads: the tables of tc-netem hold no more, 32767 / NETEM_DIST_SCALE."""


class Impairments:
    """The impairments of one direction of a link: ask for each frame, in order of departure."""

    __slots__ = (
        "_attributes",
        "_bad",
        "_distribution",
        "_spread_ns",
        "_streams",
        "_used",
        "active",
        "keeps_order",
    )

    def __init__(self, attributes: LinkAttributes, streams: RandomStreams) -> None:
        self._streams = streams
        self._used: dict[str, Random] = {}
        self._bad = False
        self.change(attributes)

    def change(self, attributes: LinkAttributes) -> None:
        """From now on impair as these say; the streams go on where they are."""
        self._attributes = attributes
        if not isinstance(attributes.loss, GilbertElliott):
            self._bad = False
        jitter = attributes.jitter_ns
        if not isinstance(jitter, Jitter):
            jitter = Jitter(jitter)
        self._spread_ns = jitter.spread_ns
        self._distribution = jitter.distribution
        self.keeps_order = not jitter.reorder
        """Whether a frame waits for those before it, however small its own delay is."""
        self.active = bool(
            jitter.spread_ns
            or attributes.loss
            or attributes.duplicate
            or attributes.reorder
            or attributes.corrupt
        )
        """Whether there is anything to ask."""

    def loses(self) -> bool:
        """Whether the frame is lost."""
        loss = self._attributes.loss
        if isinstance(loss, GilbertElliott):
            return self._loses_in_bursts(loss)
        return self._chosen("loss", loss)

    def corrupts(self) -> bool:
        """Whether a bit of the frame is flipped."""
        return self._chosen("corrupt", self._attributes.corrupt)

    def duplicates(self) -> bool:
        """Whether the frame arrives twice."""
        return self._chosen("duplicate", self._attributes.duplicate)

    def skips_delay(self) -> bool:
        """Whether the frame is exempt from the delay, and so may overtake those before it."""
        return self._chosen("reorder", self._attributes.reorder)

    def delay(self) -> int:
        """The frame's own delay in ns, never negative."""
        delay = self._attributes.delay_ns
        spread = self._spread_ns
        if not spread:
            return delay
        random = self._stream("jitter")
        if self._distribution == "uniform":
            drawn = int(random.random() * (2 * spread + 1)) - spread
        else:
            drawn = round(spread * _deviation(self._distribution, random))
        return max(0, delay + drawn)

    def flip_bit(self, frame: bytes) -> bytes | None:
        """The frame with one random bit of its IPv4 packet flipped.

        None when there is no IPv4 packet in it: nothing above the frame check sequence would
        notice the flip, so the receiving card drops such a frame.
        """
        if frame[12:14] != _ETHERTYPE_IPV4:
            return None
        total_length = int.from_bytes(frame[HEADER_LENGTH + 2 : HEADER_LENGTH + 4], "big")
        octets = min(total_length, len(frame) - HEADER_LENGTH)
        if octets <= 0:
            return None
        bit = int(self._stream("corrupt").random() * octets * 8)
        flipped = bytearray(frame)
        flipped[HEADER_LENGTH + (bit >> 3)] ^= 0x80 >> (bit & 7)
        return bytes(flipped)

    def _loses_in_bursts(self, model: GilbertElliott) -> bool:
        """The state decides over the frame, then the chain makes one step (as tc-netem does)."""
        random = self._stream("loss").random
        lost = random() < (model.loss_bad if self._bad else model.loss_good)
        if random() < (model.r if self._bad else model.p):
            self._bad = not self._bad
        return lost

    def _chosen(self, impairment: str, probability: float) -> bool:
        return probability > 0 and self._stream(impairment).random() < probability

    def _stream(self, impairment: str) -> Random:
        stream = self._used.get(impairment)
        if stream is None:
            stream = self._used[impairment] = self._streams.stream(impairment)
        return stream


def _deviation(distribution: Distribution, random: Random) -> float:
    """In spreads, of a distribution whose mean is 0."""
    if distribution == "normal":
        return max(-_LARGEST_DEVIATION, min(random.gauss(0.0, 1.0), _LARGEST_DEVIATION))
    # iproute2's table: shape 3 (of mean 3/2), moved to mean 0, times 4/3. From -2/3 up.
    return min((random.paretovariate(3.0) - 1.5) * 4 / 3, _LARGEST_DEVIATION)
