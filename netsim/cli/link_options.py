"""Values of links on the command line: the words of topology files, checked by the same code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

from netsim.core.units import parse_duration, parse_percentage


def _period(text: str) -> int:
    period = parse_duration(text)
    if period == 0:
        raise ValueError("a period of 0 is none; write for example `2s`")
    return period


def _bandwidth(text: str) -> int:
    from netsim.topology.values import bandwidth  # what it imports is for files

    return bandwidth(text)


def _queue(text: str) -> object:
    from netsim.topology.values import queue

    return queue(_number(text))


def _number(text: str) -> str | int:
    """YAML makes a number of what looks like one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text


_CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "delay": parse_duration,
    "jitter": parse_duration,
    "loss": parse_percentage,
    "duplicate": parse_percentage,
    "reorder": parse_percentage,
    "corrupt": parse_percentage,
    "bandwidth": _bandwidth,
    "queue": _queue,
    "flap": _period,
}


def check_word(ctx: click.Context, param: click.Parameter, value: str | None) -> str | int | None:
    """Callback of the option `--WORD`; what was written stays, BadParameter says what to write."""
    if value is None:
        return None
    try:
        _CHECKS[param.name or ""](value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return _number(value) if param.name == "queue" else value
