"""What links are meant to be like, in the words of a topology file: each can be written back."""

from __future__ import annotations

from typing import Any

from netsim.core.link_attributes import GilbertElliott, LinkAttributes, LinkCondition
from netsim.core.units import format_duration, format_percentage, format_rate, format_size


def condition_words(condition: LinkCondition) -> dict[str, Any]:
    """`{up, held, delay, jitter, loss, …}` of one direction; a bandwidth of None is unlimited."""
    attributes = condition.attributes
    bandwidth = attributes.bandwidth_bps
    return {
        "up": condition.up,
        "held": condition.held,
        "delay": format_duration(attributes.delay_ns),
        "jitter": format_duration(attributes.jitter_ns),
        "loss": _loss_words(attributes.loss),
        "duplicate": format_percentage(attributes.duplicate),
        "reorder": format_percentage(attributes.reorder),
        "corrupt": format_percentage(attributes.corrupt),
        "bandwidth": None if bandwidth is None else format_rate(bandwidth),
        "queue": _queue_words(attributes),
        "mtu": attributes.mtu,
    }


def _loss_words(loss: float | GilbertElliott) -> str | dict[str, dict[str, str]]:
    if not isinstance(loss, GilbertElliott):
        return format_percentage(loss)
    chances = {"p": loss.p, "r": loss.r, "loss_bad": loss.loss_bad, "loss_good": loss.loss_good}
    words = {word: format_percentage(chance) for word, chance in chances.items()}
    return {"gilbert_elliott": words}


def _queue_words(attributes: LinkAttributes) -> int | str | None:
    if attributes.queue_bytes is not None:
        return format_size(attributes.queue_bytes)
    return attributes.queue_packets
