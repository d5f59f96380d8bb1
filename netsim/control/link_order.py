"""What `PATCH /v1/links/{a}/{b}` may ask of a link: one verb at a time.

{"down": true}      also up, hold, release, reset
{"set": {"delay": "80ms", "loss": "5%"}, "from": "r1"}
{"flap": {"period": "2s", "times": 5}}     without `times` until it is told otherwise
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from netsim.control.operations import LinkOperations
from netsim.core.errors import NetsimError
from netsim.core.units import parse_duration

Verb = Literal["down", "up", "hold", "release", "reset", "set", "flap"]

_PLAIN: Final = ("down", "up", "hold", "release", "reset")
_EXAMPLE: Final = 'send {"down": true}, {"set": {"delay": "80ms"}, "from": "r1"} or the like'


class InvalidOrderError(NetsimError, ValueError):
    """What was asked of a link does not hold together; the text says what to send."""


@dataclass(frozen=True, slots=True)
class LinkOrder:
    """A verb of a link with its words."""

    verb: Verb
    words: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the verb."""

    def carry_out(self, link: LinkOperations) -> Awaitable[Any]:
        """Done when it is in force, or with `flap` when the link has come up for the last time."""
        done: Awaitable[Any] = getattr(link, self.verb)(**self.words)
        return done


def read_order(body: dict[str, Any]) -> LinkOrder:
    """The order in a body; InvalidOrderError. The values of `set` are left to the link."""
    verbs = [verb for verb in (*_PLAIN, "set", "flap") if verb in body]
    unknown = [key for key in body if key != "from" and key not in verbs]
    if unknown:
        raise InvalidOrderError(f"`{unknown[0]}` is not known of a link; {_EXAMPLE}")
    if len(verbs) != 1:
        raise InvalidOrderError(
            f"the body asks {len(verbs)} things of the link, not one; {_EXAMPLE}"
        )
    verb, value, from_ = verbs[0], body[verbs[0]], body.get("from")
    if from_ is not None and (verb != "set" or not isinstance(from_, str)):
        raise InvalidOrderError(
            'only `set` may be for one direction; send {"set": …, "from": "r1"} with a node'
        )
    match verb:
        case "set":
            if not isinstance(value, dict) or not value:
                raise InvalidOrderError('`set` says nothing; send {"set": {"delay": "80ms"}}')
            if "from_" in value:
                raise InvalidOrderError('the direction stands beside `set`; send "from": "r1"')
            return LinkOrder("set", {**value, "from_": from_})
        case "flap":
            return LinkOrder("flap", _flap_words(value))
    if value is not True:
        raise InvalidOrderError(f'`{verb}` is either true or left out; send {{"{verb}": true}}')
    return LinkOrder(verb)


def _flap_words(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and set(value) <= {"period", "times"}:
        times = value.get("times")
        if isinstance(value.get("period"), str) and (
            times is None or (type(times) is int and times > 0)
        ):
            if parse_duration(value["period"]) == 0:
                raise InvalidOrderError("a period of 0 is none; write for example `2s`")
            return {"period": value["period"], "times": times}
    raise InvalidOrderError('`flap` is not understood; send {"flap": {"period": "2s", "times": 5}}')
