"""The JSON Schema of scenario files."""

from __future__ import annotations

from typing import Any

from netsim.scenario.scenario_words import ScenarioWords
from netsim.topology.editor_schema import schema_of


def scenario_schema() -> dict[str, Any]:
    """The schema as a document, of draft 7; names are left to `netsim test`."""
    return schema_of(ScenarioWords, "netsim scenario")
