"""What the vocabularies of files have in common: a mapping of words, and the types of values."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from netsim.core.units import DURATION
from netsim.topology import json_forms as forms
from netsim.topology import naming, values

_WRITTEN: Final = "__pydantic_fields_set__"


@functools.lru_cache(1000)
def _shared(names: frozenset[str]) -> frozenset[str]:
    """One object for all models in which the same words are written."""
    return names


class Words(BaseModel):
    """A mapping with a fixed vocabulary. A key without a value counts as not written.

    Of some forty words of a step or a node two or three are written, and there may be ten thousands
    of them: a model keeps no more than these.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )

    not_yet: ClassVar[dict[str, str]] = {}
    elsewhere: ClassVar[dict[str, str]] = {}
    """Words of containerlab and Mininet that have no counterpart, with what to do instead."""
    short_form: ClassVar[forms.Form | None] = None
    """In JSON Schema: what may be written instead of the mapping."""
    noun: ClassVar[str] = "key"
    """What one of its words is called."""
    page: ClassVar[str] = "docs/topology.md"
    """Where the words are explained."""

    def __getstate__(self) -> dict[Any, Any]:
        """The same bytes in every process: a set would come in the order of its hash seed."""
        state = super().__getstate__()
        return state | {_WRITTEN: sorted(state[_WRITTEN])}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state | {_WRITTEN: set(state[_WRITTEN])})

    if not TYPE_CHECKING:  # whose own eyes see the fields

        def __getattr__(self, name: str) -> Any:
            """What holds for a word that is not written."""
            field = type(self).__pydantic_fields__.get(name)
            return super().__getattr__(name) if field is None else field.default

    @classmethod
    def words(cls) -> dict[str, FieldInfo]:
        """Its fields by what is written for them."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> forms.Form:
        form = handler(core_schema)
        return form if cls.short_form is None else forms.either(cls.short_form, form)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, written: Any) -> Any:
        if written is None:
            return {}
        if isinstance(written, dict):
            return {key: value for key, value in written.items() if value is not None}
        return written

    @model_validator(mode="after")
    def _keep_what_is_written(self) -> Self:
        names = _shared(frozenset(self.model_fields_set))
        kept = {name: value for name, value in self.__dict__.items() if name in names}
        object.__setattr__(self, "__dict__", kept)
        object.__setattr__(self, _WRITTEN, names)
        return self


def _reference(written: object) -> str:
    return naming.check_attribute(written, "mypackage.mymodule:create_app")


Duration = Annotated[int, PlainValidator(DURATION.parse), WithJsonSchema(DURATION.form)]
Reference = Annotated[str, PlainValidator(_reference), WithJsonSchema(forms.REFERENCE)]
NodeName = Annotated[str, PlainValidator(values.node_name), WithJsonSchema(forms.NAME)]
Endpoint = Annotated[
    values.Endpoint,
    PlainValidator(values.endpoint),
    WithJsonSchema(forms.ENDPOINT),
]
