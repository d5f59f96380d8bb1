"""The vocabulary of links: what `netsim.core.link_attributes` describes, as models of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    WrapValidator,
    create_model,
    model_validator,
)

from netsim.core.attribute import Attribute, described
from netsim.core.link_attributes import LINK_ATTRIBUTES
from netsim.topology import json_forms as forms
from netsim.topology.vocabulary import Endpoint, Words


class DescribedWords(Words):
    """Words whose fields are made of attributes, and bring their descriptions along.

    To look for docstrings of a model that has no source text would cost every start 100 ms.
    """

    model_config = ConfigDict(use_attribute_docstrings=False)


def _fields(attributes: Iterable[Attribute]) -> dict[str, Any]:
    """Fields of a model: checked values, and None where nothing is written."""
    fields: dict[str, Any] = {}
    for each in attributes:
        value = _value_of(each)
        if each.is_required:
            fields[each.word] = (value, Field(description=each.help, examples=[each.example]))
        else:
            default = each.quantity.format(each.default)
            rest = f"{'unlimited' if default is None else default} where it is left out."
            text = f"{each.help.rstrip('.')}; {rest}"
            fields[each.word] = (value | None, Field(default=None, description=text))
    return fields


def _value_of(attribute: Attribute) -> Any:
    if attribute.models:
        return _either_form(attribute)
    if attribute.long_form is not None:
        return _short_or_long_form(attribute, attribute.long_form)
    return _short_form(attribute)


def _short_form(attribute: Attribute) -> Any:
    quantity = attribute.quantity
    return Annotated[Any, PlainValidator(quantity.parse), WithJsonSchema(quantity.form)]


def _short_or_long_form(attribute: Attribute, model: type[Any]) -> Any:
    """A quantity, or the parts of `model` as a mapping."""

    class LongForm(DescribedWords):
        short_form = attribute.quantity.form

    words = create_model(
        f"{attribute.word.title()}Words",
        __base__=LongForm,
        __doc__=_first_line(model),
        **_fields(described(model)),
    )

    def value(written: Any, handler: Callable[[Any], Any]) -> Any:
        if isinstance(written, dict):
            return _from_parts(model, handler(written))
        return attribute.quantity.parse(written)

    return Annotated[words, WrapValidator(value)]


def _from_parts(model: type[Any], words: Words) -> Any:
    values = {part.field: getattr(words, part.word) for part in described(model)}
    return model(**{field: each for field, each in values.items() if each is not None})


def _either_form(attribute: Attribute) -> Any:
    """A quantity, or a mapping with one key that says which form its value has."""
    models = {
        key: create_model(
            f"{model.__name__}Words", __base__=DescribedWords, **_fields(described(model))
        )
        for key, model in attribute.models.items()
    }
    keys = [attribute.short_word, *models]

    class LongForms(DescribedWords):
        model_config = ConfigDict(
            json_schema_extra={"oneOf": [{"required": [key]} for key in keys]}
        )
        short_form = attribute.quantity.form

    fields: dict[str, Any] = {
        attribute.short_word: (
            _short_form(attribute) | None,
            Field(default=None, description=f"`{attribute.word}: VALUE` is short for it."),
        )
    }
    fields |= {
        key: (model | None, Field(default=None, description=_first_line(attribute.models[key])))
        for key, model in models.items()
    }
    words = create_model(
        f"{attribute.word.title()}Words", __base__=LongForms, __doc__=attribute.help, **fields
    )

    def value(written: Any, handler: Callable[[Any], Any]) -> Any:
        if not isinstance(written, dict):
            return attribute.quantity.parse(written)
        found = handler(written)
        chosen = {key: form for key in keys if (form := getattr(found, key)) is not None}
        if len(chosen) != 1:
            raise ValueError(f"{attribute.word} is one model; write either {' or '.join(keys)}")
        ((key, form),) = chosen.items()
        if key == attribute.short_word:
            return form
        return _from_parts(attribute.models[key], form)

    return Annotated[words, WrapValidator(value)]


def _first_line(model: type[Any]) -> str:
    return (model.__doc__ or "").partition("\n")[0]


if TYPE_CHECKING:
    _Directed: TypeAlias = Words

    class _Shared(Words): ...
else:
    _Directed = create_model(
        "_Directed",
        __base__=DescribedWords,
        **_fields(each for each in LINK_ATTRIBUTES if each.of_direction),
    )
    _Shared = create_model(
        "_Shared",
        __base__=DescribedWords,
        **_fields(each for each in LINK_ATTRIBUTES if not each.of_direction),
    )


class DirectionWords(_Directed):
    """What one direction of a link does to frames."""

    not_yet: ClassVar[dict[str, str]] = {
        "attach": "leave it out",
    }

    def written(self) -> Iterable[tuple[str, Any]]:
        """The words that are there, with their values."""
        return self.__dict__.items()


class LinkDefaultWords(DirectionWords, _Shared):
    """What both directions of a link share."""


class LinkWords(LinkDefaultWords):
    """A link; `[alice, s1]` is short for `{endpoints: [alice, s1]}`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    elsewhere: ClassVar[dict[str, str]] = {
        "type": "leave it out: a link is a cable between two nodes",
        "host-interface": "write `attach: tap:NAME` at a computer",
        "vars": "leave it out",
        "labels": "leave it out",
    }
    short_form = forms.ENDPOINTS

    endpoints: Annotated[list[Endpoint], WithJsonSchema(forms.ENDPOINTS)] = Field(
        examples=["[alice, s1]"]
    )
    """The two ends: `NODE`, or `NODE:INTERFACE`. A counted node gets a link for each."""
    egress: dict[Endpoint, DirectionWords] | None = None
    """NODE → what is different in the direction that leaves it."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        if isinstance(written, LinkWords):
            return written
        if isinstance(written, list):
            written = {"endpoints": written}
        if not isinstance(written, dict):
            raise ValueError(
                "this is no link; write `[alice, s1]`, or a mapping with `endpoints: [alice, s1]`"
            )
        ends = written.get("endpoints")
        if isinstance(ends, list) and len(ends) != 2:
            raise ValueError(
                f"a link has two ends, not {len(ends)}; write for example `[alice, s1]`"
            )
        return written
