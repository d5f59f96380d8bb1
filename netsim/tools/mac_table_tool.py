"""`mac-table`: what a switch has learned, in the columns of `show mac address-table`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from netsim.core.time import SECOND
from netsim.tools.arguments import ToolParser
from netsim.tools.context import SwitchContext
from netsim.wire.address import format_mac


async def mac_table(argv: Sequence[str], context: SwitchContext) -> int:
    """Exit code 0, also when nothing was learned yet; 2 usage."""
    switch = context.switch
    names = [port.name for port in switch.ports]
    parser = ToolParser(context, "mac-table")
    parser.add_argument(
        "-i", metavar="INTERFACE", choices=names, help="only what is behind this interface"
    )
    wanted = parser.parse_args(list(argv)).i
    rows = [
        (format_mac(station.mac), names[station.port], station.age_ns / SECOND)
        for station in switch.table.entries(context.now())
        if wanted in (None, names[station.port])
    ]
    if context.json:
        table = [
            {"mac": mac, "type": "dynamic", "interface": name, "age_s": round(age, 3)}
            for mac, name, age in rows
        ]
        context.print_line(json.dumps(table, indent=2))
        return 0
    width = max(len("Port"), *map(len, names)) if names else 0
    context.print_line(f"{'Mac Address':17}  {'Type':7}  {'Port':{width}}  {'Age':>5}")
    context.print_line(f"{'-' * 17}  {'-' * 7}  {'-' * width}  {'-' * 5}")
    for mac, name, age in rows:
        context.print_line(f"{mac:17}  DYNAMIC  {name:{width}}  {f'{age:.0f}s':>5}")
    context.print_line(f"Total Mac Addresses: {len(rows)}")
    return 0
