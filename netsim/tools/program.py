"""The tools by name, and how one is run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from netsim.tools.arguments import ToolExit
from netsim.tools.context import Context
from netsim.tools.curl import curl
from netsim.tools.ip import ip
from netsim.tools.ping import ping
from netsim.tools.traceroute import traceroute

UNKNOWN: Final = 127
"""Exit code for a tool that does not exist, as shells report it."""

Tool = Callable[[Sequence[str], Context], Awaitable[int]]
"""Takes its arguments without its name, returns its exit code."""

TOOLS: Final[dict[str, Tool]] = {
    "curl": curl,
    "ip": ip,
    "ping": ping,
    "traceroute": traceroute,
}


async def run_tool(name: str, argv: Sequence[str], context: Context) -> int:
    """Run a tool at the context's node to its end and return its exit code."""
    tool = TOOLS.get(name)
    if tool is None:
        context.print_error(f"{name}: no such tool at {context.node}; there are {', '.join(TOOLS)}")
        return UNKNOWN
    try:
        return await tool(argv, context)
    except ToolExit as end:
        return end.code
