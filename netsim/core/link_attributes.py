"""What one direction of a link does to frames: the checked form of the topology file's words.

And the condition that faults put it into while the network runs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """Bursty loss: a two-state chain stepped once a frame (Gilbert 1960, Elliott 1963).

    Probabilities 0..1: `p` good to bad, `r` bad to good, `loss_bad` loss in the bad state and
    `loss_good` in the good one (tc-netem's `1-h` and `1-k`).
    """

    p: float
    r: float
    loss_bad: float = 1.0
    loss_good: float = 0.0


@dataclass(frozen=True, slots=True)
class LinkAttributes:
    """One direction of a link. The defaults are those of a bare link in a topology file."""

    delay_ns: int = 0
    """Propagation, one way."""
    jitter_ns: int = 0
    """Delay varies uniformly by up to this, either way; order is kept."""
    loss: float | GilbertElliott = 0.0
    """Probability 0..1 that a frame is lost, or a bursty model."""
    duplicate: float = 0.0
    """Probability 0..1 that a frame is delivered twice."""
    reorder: float = 0.0
    """Probability 0..1 that a frame skips the delay and overtakes those before it."""
    corrupt: float = 0.0
    """Probability 0..1 that one bit of an IPv4 packet is flipped behind the frame check."""
    bandwidth_bps: int | None = None
    """bit/s; None is unlimited."""
    queue_packets: int | None = 1000
    """Drop-tail limit in frames waiting for the transmitter; None where bytes limit it."""
    queue_bytes: int | None = None
    """Drop-tail limit in bytes."""
    mtu: int = 1500
    """Largest IP packet in bytes."""


@dataclass(frozen=True, slots=True)
class LinkCondition:
    """What one direction of a link is like at some time of the network's life."""

    attributes: LinkAttributes
    up: bool = True
    """Whether there is a carrier; the same for both directions."""
    held: bool = False
    """Frames wait for the transmitter and none is lost: the queue's limit does not apply."""
