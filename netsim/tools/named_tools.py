"""The tools by name, and how one is run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from netsim.tools import HOST_TOOLS
from netsim.tools.arguments import ToolExit
from netsim.tools.context import Context, SwitchContext
from netsim.tools.curl import curl
from netsim.tools.dig import dig
from netsim.tools.ip import ip
from netsim.tools.mac_table_tool import mac_table
from netsim.tools.other_tools import instead_of
from netsim.tools.ping import ping
from netsim.tools.ss import ss
from netsim.tools.traceroute import traceroute

WRONG_KIND: Final = 1
"""Exit code for a tool that other kinds of node have."""
UNKNOWN: Final = 127
"""Exit code for a tool that does not exist, as shells report it."""

Tool = Callable[[Sequence[str], Context], Awaitable[int]]
"""Takes its arguments without its name, returns its exit code."""
SwitchTool = Callable[[Sequence[str], SwitchContext], Awaitable[int]]

TOOLS: Final[dict[str, Tool]] = {
    "curl": curl,
    "dig": dig,
    "ip": ip,
    "ping": ping,
    "ss": ss,
    "traceroute": traceroute,
}
"""On computers and routers."""
SWITCH_TOOLS: Final[dict[str, SwitchTool]] = {"mac-table": mac_table}


async def run_tool(name: str, argv: Sequence[str], context: Context | SwitchContext) -> int:
    """Run a tool at the context's node to its end and return its exit code."""
    try:
        if isinstance(context, SwitchContext):
            if name in SWITCH_TOOLS:
                return await SWITCH_TOOLS[name](argv, context)
        elif name in TOOLS:
            return await TOOLS[name](argv, context)
    except ToolExit as end:
        return end.code
    return _refuse(name, argv, context)


def _refuse(name: str, argv: Sequence[str], context: Context | SwitchContext) -> int:
    """Say why this node cannot run it, and what can be run instead."""
    node = context.node
    at_switch = isinstance(context, SwitchContext)
    if name in (HOST_TOOLS if at_switch else SWITCH_TOOLS):
        context.print_error(
            f"{name}: {node} is a switch and has no addresses; mac-table shows what it has learned"
            if at_switch
            else f"{name}: {node} is no switch; ip neigh shows the MAC addresses it knows"
        )
        return WRONG_KIND
    tools = tuple(SWITCH_TOOLS) if at_switch else HOST_TOOLS
    hint = instead_of(name, argv, node, tools)
    context.print_error(f"{name}: no such tool at {node}; {hint}")
    return UNKNOWN
