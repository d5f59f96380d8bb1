"""Words of a topology file for what one direction of a link does, outside of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from netsim.core.errors import InvalidValueError
from netsim.core.link_attributes import GilbertElliott
from netsim.topology.findings import Findings, report_words
from netsim.topology.topology_words import DirectionWords, LossWords
from netsim.topology.yaml_source import PathTo

_ETHERNET_HEADER: Final = 14
_FIELDS: Final = {
    "delay": "delay_ns",
    "jitter": "jitter_ns",
    "duplicate": "duplicate",
    "reorder": "reorder",
    "corrupt": "corrupt",
    "bandwidth": "bandwidth_bps",
}
"""Words and the fields of `LinkAttributes` that they are."""


def direction_attributes(written: Mapping[str, object], mtu: int) -> dict[str, Any]:
    """The fields of `LinkAttributes` that `written` gives, for example {"delay": "80ms"}.

    `mtu` is that of the link. InvalidValueError tells of every mistake.
    """
    if "mtu" in written:
        raise InvalidValueError("`mtu` cannot change while the network runs; leave it out")
    findings = _ValueFindings()
    try:
        words = DirectionWords.model_validate(dict(written))
    except ValidationError as error:
        report_words(error, findings, DirectionWords)
        findings.stop_if_any()
        raise
    given = {word: getattr(words, word) for word in DirectionWords.model_fields}
    given = {word: value for word, value in given.items() if value is not None}
    if not given:
        raise InvalidValueError('nothing is to be set; write for example delay="80ms"')
    fields = {field: given[word] for word, field in _FIELDS.items() if word in given}
    if "loss" in given:
        fields["loss"] = loss_model(given["loss"])
    if "queue" in given:
        fields["queue_packets"], fields["queue_bytes"] = given["queue"]
        mistake = queue_mistake(fields["queue_bytes"], mtu)
        if mistake is not None:
            raise InvalidValueError(f"queue: {mistake}")
    return fields


def loss_model(words: LossWords) -> float | GilbertElliott:
    """A probability, or the model of bursts."""
    burst = words.gilbert_elliott
    if burst is None:
        assert words.random is not None, "it is one or the other"
        return words.random
    return GilbertElliott(
        p=burst.p,
        r=burst.r,
        loss_bad=1.0 if burst.loss_bad is None else burst.loss_bad,
        loss_good=0.0 if burst.loss_good is None else burst.loss_good,
    )


def queue_mistake(size: int | None, mtu: int) -> str | None:
    """What is wrong with a queue of `size` bytes."""
    smallest = mtu + _ETHERNET_HEADER
    if size is None or size >= smallest:
        return None
    return f"a queue of {size} bytes holds no full frame; write at least `{smallest}B`"


class _ValueFindings(Findings):
    def __init__(self) -> None:
        self._messages: list[str] = []

    def report(self, path: PathTo, message: str, *, at_key: bool = False) -> None:
        where = "" if at_key or not path else f"{'.'.join(map(str, path))}: "
        self._messages.append(where + message)

    def stop_if_any(self) -> None:
        if self._messages:
            raise InvalidValueError("; ".join(self._messages)) from None
