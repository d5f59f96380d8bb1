"""How many calls and files lie between a program's `write` and the first cable."""

from __future__ import annotations

import re
import subprocess
import sys

from networks import ROOT


def test_the_way_to_the_first_cable_stays_short() -> None:
    """Whoever follows a request reads this. `scripts/walk --calls` shows what has come in."""
    walked = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "walk.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    calls = re.search(r"to the first cable: (\d+) calls", walked)
    files = re.search(r"above the protocol floor (\d+) files", walked)
    assert calls is not None, walked
    assert files is not None, walked
    assert int(calls[1]) <= 45, walked
    assert int(files[1]) == 3, walked
