"""One run in virtual time under several hash seeds, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from networks import ROOT

_PATHS = os.pathsep.join(str(ROOT / "tests" / each) for each in ("", "aio", "programs"))


def traces(play: str, file: Path, seeds: str) -> list[bytes]:
    """What `play` traces, a program whose arguments are the topology file and where that goes."""
    program = file.with_name("play.py")
    program.write_text(play)
    traced = [file.with_name(f"{seed}.trace") for seed in seeds]
    processes = [
        subprocess.Popen(
            [sys.executable, program, file, path],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": _PATHS},
        )
        for seed, path in zip(seeds, traced, strict=True)
    ]
    assert [process.wait() for process in processes] == [0] * len(seeds)
    return [path.read_bytes() for path in traced]
