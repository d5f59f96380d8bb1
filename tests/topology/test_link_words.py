"""Words of links outside of a file."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.core.errors import InvalidValueError
from netsim.core.link_attributes import GilbertElliott
from netsim.topology.direction_words import direction_attributes


def test_words_become_the_fields_that_they_name_and_no_others() -> None:
    written = {"delay": "80ms", "bandwidth": "10mbit", "corrupt": "1%", "loss": "5%"}
    assert direction_attributes(written, 1500) == {
        "delay_ns": 80_000_000,
        "bandwidth_bps": 10_000_000,
        "corrupt": 0.01,
        "loss": 0.05,
    }


def test_queues_and_bursts() -> None:
    assert direction_attributes({"queue": 100}, 1500) == {
        "queue_packets": 100,
        "queue_bytes": None,
    }
    assert direction_attributes({"queue": "64KiB"}, 1500)["queue_bytes"] == 65_536
    burst = {"gilbert_elliott": {"p": "1%", "r": "20%", "loss_bad": "50%"}}
    assert direction_attributes({"loss": burst}, 1500) == {
        "loss": GilbertElliott(0.01, 0.2, 0.5, 0.0)
    }


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ({"delay": 80}, "delay: `80` has no unit; write a duration in"),
        ({"delay": "80ms", "loss": 5}, "loss.*`5` has no unit"),
        ({"dealy": "80ms"}, "unknown key `dealy`; write `delay`"),
        ({"mtu": 1400}, "`mtu` cannot change"),
        ({"queue": "100B"}, "queue: a queue of 100 bytes holds no full frame"),
        ({"loss": {"random": "1%", "gilbert_elliott": {"p": "1%", "r": "2%"}}}, "one model"),
        ({"bandwidth": "fast", "delay": "soon"}, "(?s)delay: .*bandwidth: "),
        ({}, "nothing is to be set"),
    ],
)
def test_mistakes_say_what_to_write(written: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidValueError, match=text) as caught:
        direction_attributes(written, 1500)
    assert "\n" not in str(caught.value)
