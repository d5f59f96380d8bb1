"""The JSON Schema of files that people write, from the vocabulary that reads them.

It is of draft 7, the newest that editors' YAML modes know by heart.
"""

from __future__ import annotations

from typing import Any, Final

from netsim.topology.kinds import KINDS, refused_words
from netsim.topology.topology_words import TopologyWords
from netsim.topology.vocabulary import Words

_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
_NAMES: Final = ("properties", "patternProperties", "definitions")
"""Keywords whose keys are names of the file or of the schema, not keywords themselves."""


def topology_schema() -> dict[str, Any]:
    """The schema as a document.

    It knows each word by itself: its spelling, its form, at which kind of node it may stand. What
    hangs on other words (names, subnets, reachability) only `netsim validate` sees.
    """
    schema = schema_of(TopologyWords, "netsim topology")
    schema["definitions"]["NodeWords"]["allOf"] = [
        _without(kind, words) for kind in KINDS if (words := refused_words(kind))
    ]
    return schema


def schema_of(words: type[Words], title: str) -> dict[str, Any]:
    """The schema of a file whose vocabulary is `words`."""
    generated = words.model_json_schema(ref_template="#/definitions/{model}")
    generated["definitions"] = generated.pop("$defs")
    return {"$schema": _DIALECT, "title": title, **_tidied(generated)}


def _without(kind: str, words: tuple[str, ...]) -> dict[str, Any]:
    """What a node of this kind does not have."""
    return {
        "if": {"required": ["kind"], "properties": {"kind": {"const": kind}}},
        "then": {"properties": {word: {"type": "null"} for word in words}},
    }


def _tidied(schema: Any) -> Any:
    """Strict about names, and without what editors would show and nobody wants to read."""
    if isinstance(schema, list):
        return [_tidied(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {
        key: {name: _tidied(each) for name, each in value.items()}
        if key in _NAMES
        else _tidied(value)
        for key, value in schema.items()
        if key not in ("title", "propertyNames") and (key, value) != ("default", None)
    }
    if "patternProperties" in tidy:
        tidy.setdefault("additionalProperties", False)
    if isinstance(description := tidy.get("description"), str):
        tidy["description"] = " ".join(description.split())
    return tidy
