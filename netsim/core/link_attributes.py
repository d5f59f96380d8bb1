"""What one direction of a link does to frames, and how people write each of its attributes.

An attribute is described once, at its field of `LinkAttributes`: its word, the form of its value,
what it means, whether a link that runs can change it. Topology files and their JSON Schema, graphs,
commands, pictures, scenarios, the control API and Python read it there. One more attribute is one
more field, and what `netsim.link` does with it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Final

from netsim.core.errors import UnitError
from netsim.core.units import (
    DURATION,
    PERCENTAGE,
    RATE,
    SIZE,
    Quantity,
    format_duration,
    format_percentage,
    format_rate,
    format_size,
    parse_rate,
    parse_size,
)

_ETHERNET_HEADER: Final = 14
_MOST_PACKETS: Final = 10**9
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_KEY: Final = "attribute"


@dataclass(frozen=True, slots=True)
class Attribute:
    """How people write one field of `LinkAttributes`, or of a model that stands in one."""

    word: str
    """`delay`."""
    quantity: Quantity
    """The form of its value; the short one where there are `models`."""
    help: str
    """What it means: a sentence."""
    can_change: bool = True
    """Whether a link that runs can be given another value."""
    of_direction: bool = True
    """Whether the two directions of a link may differ in it."""
    models: Mapping[str, type[Any]] = dataclasses.field(default_factory=dict)
    """Long forms by their key, `{gilbert_elliott: {…}}`: dataclasses of described fields."""
    short_word: str = ""
    """The key that a short form may have beside them: `{random: 1%}`."""
    elsewhere: tuple[str, ...] = ()
    """What Mininet, containerlab, netlab, tc-netem or Toxiproxy call it."""
    leads: bool = False
    """Whether a caption begins with it."""
    caption_of: Callable[[LinkAttributes], str] | None = None
    """Its phrase in a picture, where that is not its word and its value."""
    field: str = ""
    """`delay_ns`."""
    default: Any = None
    """What holds where nothing is written, unless it must be."""
    is_required: bool = False
    example: str = ""
    """What to write where it is required."""

    def written(self, holder: Any) -> Any:
        """What a file has for the value in `holder`, a `LinkAttributes`; None is no limit."""
        value = getattr(holder, self.field)
        for key, model in self.models.items():
            if isinstance(value, model):
                return {key: {part.word: part.written(value) for part in described(model)}}
        return self.quantity.format(value)

    def caption(self, attributes: LinkAttributes) -> str:
        """A phrase for a picture; empty where a bare link has the same."""
        if getattr(attributes, self.field) == self.default:
            return ""
        if self.caption_of is not None:
            return self.caption_of(attributes)
        return f"{self.word} {self.written(attributes)}"


def attribute(
    word: str, quantity: Quantity, help: str, *, default: Any = MISSING, **others: Any
) -> Any:
    """A field with its description; `others` are fields of `Attribute`."""
    description = Attribute(word, quantity, help, **others)
    return dataclasses.field(default=default, metadata={_KEY: description})


def described(model: type[Any]) -> tuple[Attribute, ...]:
    """The descriptions at the fields of a dataclass, in their order."""
    return tuple(
        dataclasses.replace(
            field.metadata[_KEY],
            field=field.name,
            default=field.default,
            is_required=field.default is MISSING,
        )
        for field in dataclasses.fields(model)
    )


# Values ---------------------------------------------------------------------------------------


def _parse_bandwidth(text: object) -> int:
    rate = parse_rate(text)
    if rate == 0:
        raise UnitError("a bandwidth of 0 carries nothing; write at least `1bit`")
    return rate


def _format_bandwidth(bits_per_second: int | None) -> str | None:
    return None if bits_per_second is None else format_rate(bits_per_second)


BANDWIDTH: Final = dataclasses.replace(RATE, parse=_parse_bandwidth, format=_format_bandwidth)


@dataclass(frozen=True, slots=True)
class QueueLimit:
    """What may wait for the transmitter; None for what does not limit it."""

    packets: int | None = None
    bytes: int | None = None


def _parse_queue(written: object) -> QueueLimit:
    if isinstance(written, dict):
        raise UnitError(
            "queue disciplines (fq_codel, codel, red) are not there yet; write a limit in "
            "packets (`100`) or in bytes (`256KiB`)"
        )
    if isinstance(written, str) and _DIGITS.fullmatch(written):
        written = int(written)
    if isinstance(written, int) and not isinstance(written, bool):
        packets = written
        if packets < 1:
            raise UnitError("a queue holds at least one packet; write `1` or more")
        if packets > _MOST_PACKETS:
            raise UnitError(f"a queue of {packets} packets is endless; write `{_MOST_PACKETS}`")
        return QueueLimit(packets=packets)
    try:
        size = parse_size(written)
    except UnitError as error:
        reason = str(error).partition(";")[0]
        raise UnitError(f"{reason}; write packets (`100`) or bytes (`256KiB`)") from None
    if size == 0:
        raise UnitError("a queue of 0 bytes holds nothing; write for example `64KiB`")
    return QueueLimit(bytes=size)


def _format_queue(limit: QueueLimit) -> int | str | None:
    return limit.packets if limit.bytes is None else format_size(limit.bytes)


QUEUE: Final = Quantity(
    "LIMIT",
    _parse_queue,
    _format_queue,
    {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": _MOST_PACKETS},
            {"type": "string", "pattern": "^0*([1-9][0-9]{0,8}|10{9})$"},
            SIZE.form,
        ]
    },
)


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
    return delay + (f"±{format_duration(attributes.jitter_ns)}" if attributes.jitter_ns else "")


def _jitter_caption(attributes: LinkAttributes) -> str:
    return "" if attributes.delay_ns else f"jitter {format_duration(attributes.jitter_ns)}"


def _bandwidth_caption(attributes: LinkAttributes) -> str:
    return _format_bandwidth(attributes.bandwidth_bps) or ""


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
    jitter_ns: int = attribute(
        "jitter",
        DURATION,
        "The delay varies by up to this, either way, uniformly; order is kept.",
        default=0,
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
    bandwidth_bps: int | None = attribute(
        "bandwidth",
        BANDWIDTH,
        "How fast the sender puts bits on the cable.",
        default=None,
        elsewhere=("bw", "rate", "speed"),
        leads=True,
        caption_of=_bandwidth_caption,
    )
    queue: QueueLimit = attribute(  # noqa: RUF009
        "queue",
        QUEUE,
        "What may wait for the bandwidth, in packets or bytes; what comes then is dropped.",
        default=QueueLimit(packets=1000),
        elsewhere=("limit", "max_queue_size"),
    )
    mtu: int = attribute(
        "mtu",
        MTU,
        "Bytes of the largest IP packet.",
        default=1500,
        can_change=False,
        of_direction=False,
    )


LINK_ATTRIBUTES: Final = described(LinkAttributes)


def contradiction(attributes: LinkAttributes) -> tuple[str, str] | None:
    """The word that cannot stand beside the others, and what to write instead."""
    smallest = attributes.mtu + _ETHERNET_HEADER
    size = attributes.queue.bytes
    if size is not None and size < smallest:
        return "queue", f"a queue of {size} bytes holds no full frame; write at least `{smallest}B`"
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
