"""Programs that run at a node: ping, traceroute, curl, ip."""

from __future__ import annotations

from typing import Final

HOST_TOOLS: Final = ("curl", "dig", "ip", "iperf3", "ping", "ss", "traceroute")
"""Those of computers and routers; `iperf3` has two ends, and the network runs it."""
SWITCH_TOOLS: Final = ("mac-table",)
