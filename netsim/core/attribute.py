"""How people write one attribute of a link, said once, at the field of a dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Final

from netsim.core.units import Quantity

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
    long_form: type[Any] | None = None
    """A mapping that may stand in the place of the value, `{spread: 5ms, …}`: such a dataclass."""
    short_word: str = ""
    """The key that a short form may have beside them: `{random: 1%}`."""
    elsewhere: tuple[str, ...] = ()
    """What Mininet, containerlab, netlab, tc-netem or Toxiproxy call it."""
    leads: bool = False
    """Whether a caption begins with it."""
    caption_of: Callable[[Any], str] | None = None
    """Its phrase in a picture, of a `LinkAttributes`; where that is not its word and its value."""
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
        if self.long_form is not None and isinstance(value, self.long_form):
            return _written_parts(value)
        for key, model in self.models.items():
            if isinstance(value, model):
                return {key: _written_parts(value)}
        return self.quantity.format(value)

    def caption(self, attributes: Any) -> str:
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
    """The descriptions at the fields of a dataclass, in their order; people write no others."""
    return tuple(
        dataclasses.replace(
            field.metadata[_KEY],
            field=field.name,
            default=field.default,
            is_required=field.default is MISSING,
        )
        for field in dataclasses.fields(model)
        if _KEY in field.metadata
    )


def _written_parts(value: Any) -> dict[str, Any]:
    return {part.word: part.written(value) for part in described(type(value))}
