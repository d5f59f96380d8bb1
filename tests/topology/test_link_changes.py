"""Words of links outside of a file."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.core.errors import InvalidValueError
from netsim.core.link_attributes import GilbertElliott, Jitter, LinkAttributes
from netsim.core.queue_settings import QueueLimit
from netsim.topology.link_changes import changed_attributes

BARE = LinkAttributes()


def test_words_become_the_fields_that_they_name_and_no_others() -> None:
    written = {"delay": "80ms", "bandwidth": "10mbit", "corrupt": "1%", "loss": "5%"}
    assert changed_attributes(written, BARE) == {
        "delay_ns": 80_000_000,
        "bandwidth_bps": 10_000_000,
        "corrupt": 0.01,
        "loss": 0.05,
    }


def test_queues_and_bursts() -> None:
    for written in (100, "100"):
        assert changed_attributes({"queue": written}, BARE) == {"queue": QueueLimit(packets=100)}
    assert changed_attributes({"queue": "64KiB"}, BARE) == {"queue": QueueLimit(bytes=65_536)}
    burst = {"gilbert_elliott": {"p": "1%", "r": "20%", "loss_bad": "50%"}}
    assert changed_attributes({"loss": burst}, BARE) == {
        "loss": GilbertElliott(0.01, 0.2, 0.5, 0.0)
    }


def test_jitter() -> None:
    assert changed_attributes({"jitter": "5ms"}, BARE) == {"jitter_ns": 5_000_000}
    written = {"spread": "5ms", "distribution": "normal", "reorder": True}
    assert changed_attributes({"jitter": written}, BARE) == {
        "jitter_ns": Jitter(5_000_000, "normal", reorder=True)
    }


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ({"delay": 80}, "delay: `80` has no unit; write a duration in"),
        ({"delay": "80ms", "loss": 5}, "loss: `5` has no unit"),
        ({"dealy": "80ms"}, "unknown key `dealy`; write `delay`"),
        ({"jitter": {"spread": 5}}, "jitter.spread: `5` has no unit"),
        ({"mtu": 1400}, "`mtu` cannot change"),
        ({"queue": "100B"}, "queue: a queue of 100 bytes holds no full frame"),
        ({"loss": {"random": "1%", "gilbert_elliott": {"p": "1%", "r": "2%"}}}, "one model"),
        ({"bandwidth": "fast", "delay": "soon"}, "(?s)delay: .*bandwidth: "),
        ({}, "nothing is to be set"),
    ],
)
def test_mistakes_say_what_to_write(written: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidValueError, match=text) as caught:
        changed_attributes(written, BARE)
    assert "\n" not in str(caught.value)
