"""What one direction of a link does to frames, and how people write each of its attributes.

An attribute is described once, at its field of `LinkAttributes`: its word, the form of its value,
what it means, whether a link that runs can change it. Topology files and their JSON Schema, graphs,
commands, pictures, scenarios, the control API and Python read it there. One more attribute is one
more field, and what `netsim.link` does with it.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from netsim.core.attribute import attribute, described
from netsim.core.bandwidth_trace import BandwidthTrace
from netsim.core.errors import UnitError
from netsim.core.queue_settings import (
    DROP_TAIL,
    QUEUE,
    QUEUE_DISCIPLINES,
    Queue,
    QueueLimit,
    RedQueue,
    describe_queue,
)
from netsim.core.time import SECOND
from netsim.core.units import (
    BOOLEAN,
    DURATION,
    PERCENTAGE,
    RATE,
    SIZE,
    Quantity,
    format_duration,
    format_percentage,
    format_rate,
    parse_rate,
    parse_size,
)

_ETHERNET_HEADER: Final = 14
_MOST_OVERHEAD: Final = 4096


# Values ---------------------------------------------------------------------------------------


def _parse_bandwidth(text: object) -> int:
    rate = parse_rate(text)
    if rate == 0:
        raise UnitError("a bandwidth of 0 carries nothing; write at least `1bit`")
    return rate


def _format_bandwidth(bits_per_second: int | None) -> str | None:
    return None if bits_per_second is None else format_rate(bits_per_second)


BANDWIDTH: Final = dataclasses.replace(RATE, parse=_parse_bandwidth, format=_format_bandwidth)


def _parse_mtu(written: object) -> int:
    # RFC 791 (3.2): every IP module forwards 68 bytes without fragmenting.
    if isinstance(written, bool) or not isinstance(written, int) or not 68 <= written <= 65535:
        raise UnitError(
            f"`{written}` is not an MTU; write a bare number of bytes from 68 to 65535, for "
            "example `1500`"
        )
    return written


MTU: Final = Quantity(
    "BYTES", _parse_mtu, int, {"type": "integer", "minimum": 68, "maximum": 65535}
)


Distribution: TypeAlias = Literal["uniform", "normal", "pareto"]


def _parse_distribution(written: object) -> Distribution:
    if written == "uniform" or written == "normal" or written == "pareto":
        return written
    raise UnitError(
        f"`{written}` is no distribution of jitter; write `uniform`, `normal` or `pareto`"
    )


DISTRIBUTION: Final = Quantity(
    "NAME", _parse_distribution, str, {"enum": [*get_args(Distribution)]}
)


@dataclass(frozen=True, slots=True)
class Jitter:
    """A delay that varies as tc-netem's, from frame to frame."""

    spread_ns: int = attribute(
        "spread",
        DURATION,
        "The bounds, either way, of `uniform`; the standard deviation of `normal`; the scale of "
        "`pareto`.",
        example="5ms",
    )
    distribution: Distribution = attribute(  # noqa: RUF009
        "distribution", DISTRIBUTION, "How delays are spread.", default="uniform"
    )
    reorder: bool = attribute(
        "reorder", BOOLEAN, "Whether a frame with a small delay overtakes others.", default=False
    )


def _parse_overhead(written: object) -> int:
    size = parse_size(written)
    if size > _MOST_OVERHEAD:
        raise UnitError(f"an overhead is at most {_MOST_OVERHEAD}B; write for example `24B`")
    return size


OVERHEAD: Final = dataclasses.replace(SIZE, parse=_parse_overhead)


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """Bursty loss: a two-state chain stepped once a frame (Gilbert 1960, Elliott 1963).

    tc-netem's `loss gemodel`, with the loss in each state instead of its complement (its `1-h`
    and `1-k`). Probabilities are 0..1.
    """

    p: float = attribute(
        "p",
        PERCENTAGE,
        "Chance to go from the good state to the bad one with each frame.",
        example="1%",
    )
    r: float = attribute("r", PERCENTAGE, "Chance to go back.", example="20%")
    loss_bad: float = attribute("loss_bad", PERCENTAGE, "Loss in the bad state.", default=1.0)
    loss_good: float = attribute("loss_good", PERCENTAGE, "Loss in the good state.", default=0.0)


# Attributes -----------------------------------------------------------------------------------


def _delay_caption(attributes: LinkAttributes) -> str:
    delay = format_duration(attributes.delay_ns)
    return f"{delay}±{_jitter_text(attributes.jitter_ns)}" if attributes.jitter_ns else delay


def _jitter_caption(attributes: LinkAttributes) -> str:
    return "" if attributes.delay_ns else f"jitter {_jitter_text(attributes.jitter_ns)}"


def _jitter_text(jitter: int | Jitter) -> str:
    if not isinstance(jitter, Jitter):
        return format_duration(jitter)
    spread = format_duration(jitter.spread_ns)
    return spread if jitter.distribution == "uniform" else f"{spread} {jitter.distribution}"


def _bandwidth_caption(attributes: LinkAttributes) -> str:
    bandwidth = attributes.bandwidth_bps
    if isinstance(bandwidth, BandwidthTrace):
        return os.path.basename(bandwidth.file)
    return _format_bandwidth(bandwidth) or ""


def _queue_caption(attributes: LinkAttributes) -> str:
    return describe_queue(attributes.queue)


def _loss_caption(attributes: LinkAttributes) -> str:
    loss = attributes.loss
    if isinstance(loss, GilbertElliott):
        return f"bursts {format_percentage(loss.p)}/{format_percentage(loss.r)}"
    return f"loss {format_percentage(loss)}"


@dataclass(frozen=True, slots=True)
class LinkAttributes:
    """One direction of a link. The defaults are those of a bare link in a topology file."""

    delay_ns: int = attribute(
        "delay",
        DURATION,
        "Time on the cable, one way.",
        default=0,
        caption_of=_delay_caption,
        elsewhere=("latency",),
    )
    jitter_ns: int | Jitter = attribute(  # noqa: RUF009  # it is a dataclasses.field
        "jitter",
        DURATION,
        "The delay varies by up to this, either way, uniformly; order is kept.",
        default=0,
        long_form=Jitter,
        caption_of=_jitter_caption,
    )
    loss: float | GilbertElliott = attribute(  # noqa: RUF009  # it is a dataclasses.field
        "loss",
        PERCENTAGE,
        "Frames that are lost: each by itself, or in bursts.",
        default=0.0,
        elsewhere=("packet_loss",),
        models={"gilbert_elliott": GilbertElliott},
        short_word="random",
        caption_of=_loss_caption,
    )
    duplicate: float = attribute(
        "duplicate", PERCENTAGE, "Frames that are delivered twice.", default=0.0
    )
    reorder: float = attribute(
        "reorder", PERCENTAGE, "Frames that skip the delay and overtake.", default=0.0
    )
    corrupt: float = attribute(
        "corrupt",
        PERCENTAGE,
        "Frames that arrive with one bit of their IPv4 packet flipped.",
        default=0.0,
    )
    bandwidth_bps: int | BandwidthTrace | None = attribute(  # noqa: RUF009
        "bandwidth",
        BANDWIDTH,
        "How fast the sender puts bits on the cable.",
        default=None,
        long_form=BandwidthTrace,
        elsewhere=("bw", "rate", "speed"),
        leads=True,
        caption_of=_bandwidth_caption,
    )
    overhead: int = attribute(
        "overhead",
        OVERHEAD,
        "What each frame costs of the bandwidth beyond its bytes: preamble, gap, check sequence.",
        default=0,
    )
    queue: Queue = attribute(  # noqa: RUF009
        "queue",
        QUEUE,
        "What may wait for the bandwidth, in packets or bytes, or a discipline that drops earlier.",
        default=QueueLimit(packets=1000),
        elsewhere=("limit", "max_queue_size"),
        models=QUEUE_DISCIPLINES,
        short_word=DROP_TAIL,
        caption_of=_queue_caption,
    )
    mtu: int = attribute(
        "mtu",
        MTU,
        "Bytes of the largest IP packet.",
        default=1500,
        can_change=False,
        of_direction=False,
    )

    @property
    def packet_time_ns(self) -> int | None:
        """How long the largest packet takes; None where nothing limits that, or it varies."""
        if not isinstance(self.bandwidth_bps, int):
            return None
        return (self.mtu + self.overhead) * 8 * SECOND // self.bandwidth_bps


LINK_ATTRIBUTES: Final = described(LinkAttributes)


def contradiction(attributes: LinkAttributes) -> tuple[str, str] | None:
    """The word that cannot stand beside the others, and what to write instead."""
    smallest = attributes.mtu + _ETHERNET_HEADER
    queue = attributes.queue
    size = (queue if isinstance(queue, QueueLimit) else queue.limit).bytes
    if size is not None and size < smallest:
        return "queue", f"a queue of {size} bytes holds no full frame; write at least `{smallest}B`"
    if isinstance(queue, RedQueue):
        least, most = queue.min, queue.max
        if (least.bytes is None) != (most.bytes is None):
            return (
                "queue",
                "`min` and `max` of red are of two kinds; write both in packets or both in bytes",
            )
        if (least.bytes or least.packets or 0) >= (most.bytes or most.packets or 0):
            return "queue", "`min` of red is below `max`; write for example `min: 5, max: 15`"
    return None


# Conditions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkCondition:
    """What one direction of a link is like at some time of the network's life."""

    attributes: LinkAttributes
    up: bool = True
    """Whether there is a carrier; the same for both directions."""
    held: bool = False
    """Frames wait for the transmitter and none is lost: the queue's limit does not apply."""


def condition_words(condition: LinkCondition) -> dict[str, Any]:
    """`{up, held, delay, jitter, loss, …}` in a file's words; a bandwidth of None is unlimited."""
    words = {each.word: each.written(condition.attributes) for each in LINK_ATTRIBUTES}
    return {"up": condition.up, "held": condition.held, **words}


def differing_words(one: LinkCondition, other: LinkCondition) -> dict[str, tuple[Any, Any]]:
    """Of what is otherwise in `other`: both values, in the words of `condition_words`."""
    states = {"up": (one.up, other.up), "held": (one.held, other.held)}
    words = {word: values for word, values in states.items() if values[0] != values[1]}
    for each in LINK_ATTRIBUTES:
        if getattr(one.attributes, each.field) != getattr(other.attributes, each.field):
            words[each.word] = each.written(one.attributes), each.written(other.attributes)
    return words
