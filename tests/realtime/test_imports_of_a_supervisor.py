"""What a supervisor imports is paid for at every start, and before every mistake is told."""

from __future__ import annotations

import json
import subprocess
import sys

LIST = """
import json, sys
import netsim.cli.supervision, netsim.network.network, netsim.realtime.process_backend
print(json.dumps(sorted({".".join(name.split(".")[:2]) for name in sys.modules})))
"""


def test_a_supervisor_carries_no_protocol_stack() -> None:
    """Nodes have it, in processes of their own."""
    listed = subprocess.run(
        [sys.executable, "-c", LIST], check=True, capture_output=True, text=True, timeout=60
    )
    modules = set(json.loads(listed.stdout))
    assert "netsim.network" in modules
    assert not modules & {
        "netsim.stack",
        "netsim.switching",
        "netsim.node",
        "netsim.aio",
        "aiohttp",
    }
