"""Programs that run at a node: ping, traceroute, curl, ip."""

from __future__ import annotations

from typing import Final

HOST_TOOLS: Final = ("curl", "dig", "ip", "ping", "ss", "traceroute")
"""Those of computers and routers."""
SWITCH_TOOLS: Final = ("mac-table",)
