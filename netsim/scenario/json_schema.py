"""The JSON Schema of scenario files."""

from __future__ import annotations

from typing import Any

from netsim.scenario.schema import ScenarioWords
from netsim.topology.json_schema import schema_of


def scenario_schema() -> dict[str, Any]:
    """The schema as a document, of draft 7; names are left to `netsim test`."""
    return schema_of(ScenarioWords, "netsim scenario")
