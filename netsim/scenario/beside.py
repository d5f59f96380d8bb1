"""What runs on a computer for a `run` step: a function from a module beside the scenario file."""

from __future__ import annotations

import sys
from typing import Any

from netsim.site.programs import look_up


async def call_beside(folder: str, reference: str, arguments: dict[str, Any]) -> Any:
    """Await `module:attr` with these keyword arguments; modules in `folder` come first."""
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return await look_up(reference)(**arguments)
