"""A step in a line, for reports: `http alice → http://web/ip`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from netsim.core.units import format_duration, format_size
from netsim.topology.values import Endpoint


def describe(verb: str, words: Any) -> str:
    """The step with this verb and these checked arguments."""
    said = _SAID.get(verb)
    text = said(words) if said else ""
    return f"{verb} {text}".strip()


def endpoint_text(end: Endpoint) -> str:
    """`r1` or `r1:eth0`."""
    node, interface = end
    return node if interface is None else f"{node}:{interface}"


def _link(words: Any) -> str:
    return " – ".join(map(endpoint_text, words.link))


def _set(words: Any) -> str:
    changed = sorted(words.model_fields_set - {"link", "from_"})
    origin = f" from {words.from_}" if words.from_ else ""
    return f"{', '.join(changed)} of {_link(words)}{origin}"


def _drop(words: Any) -> str:
    arrow = "↔" if words.both_ways else "→"
    only = " ".join(str(each) for each in (words.protocol, words.port) if each is not None)
    return f"{words.from_} {arrow} {words.to}" + (f", {only}" if only else "")


def _connections(words: Any) -> str:
    return f"{words.from_ or '*'} → {words.to}:{words.port}"


def _watched(words: Any) -> str:
    return f"{', '.join(map(endpoint_text, words.at))} to {words.to}"


def _steps(steps: list[Any]) -> str:
    return "1 step" if len(steps) == 1 else f"{len(steps)} steps"


def _eventually(words: Any) -> str:
    inner = describe(words.verb, words.arguments(words.verb))
    return f"within {format_duration(words.within)}: {inner}"


_SAID: Final[dict[str, Callable[[Any], str]]] = {
    "http": lambda words: f"{words.from_} → {words.url}",
    "ping": lambda words: f"{words.from_} → {words.to}",
    "path": lambda words: f"{words.from_} → {words.to}",
    "dns": lambda words: f"{words.name} at {words.from_}",
    "transfer": lambda words: f"{format_size(words.size)} {words.from_} → {words.to}",
    "run": lambda words: f"{words.call} at {words.host}",
    "log": lambda words: f"`{words.text}` at {words.node}",
    "down": _link,
    "up": _link,
    "hold": _link,
    "release": _link,
    "reset": _link,
    "flap": lambda words: f"{_link(words)}, {words.times or 1} times",
    "set": _set,
    "partition": lambda words: " | ".join(", ".join(group) for group in words.between),
    "isolate": lambda words: " | ".join(", ".join(group) for group in words.between),
    "drop": _drop,
    "reset_connections": _connections,
    "cut_connections": _connections,
    "stall_connections": _connections,
    "slow_close": _connections,
    "refuse_connections": _connections,
    "kill_program": lambda words: str(words.node),
    "pause": lambda words: str(words.node),
    "resume": lambda words: str(words.node),
    "crash": lambda words: str(words.node),
    "stop": lambda words: str(words.node),
    "start": lambda words: str(words.node),
    "restart": lambda words: str(words.node),
    "wait": format_duration,
    "parallel": _steps,
    "repeat": lambda words: f"{words.times} times {_steps(words.steps)}",
    "always": lambda words: f"every {format_duration(words.every)}: {_steps(words.steps)}",
    "eventually": _eventually,
    "capture": _watched,
    "record": _watched,
}
