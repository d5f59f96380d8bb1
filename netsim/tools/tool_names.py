"""The names of the tools, for those who only talk about them: importing the tools takes a while."""

from __future__ import annotations

from typing import Final

HOST_TOOLS: Final = ("curl", "dig", "ip", "ping", "ss", "traceroute")
"""Those of computers and routers."""
SWITCH_TOOLS: Final = ("mac-table",)
