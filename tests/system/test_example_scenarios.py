"""The examples in tests/scenarios: each holds, whatever the seed, and repeats exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(
    path for path in (ROOT / "tests" / "scenarios").glob("*.yaml") if "\nsteps:" in path.read_text()
)


def run(*arguments: str) -> list[dict[str, Any]]:
    """The results that `netsim test --json` prints."""
    ended = subprocess.run(
        [sys.executable, "-m", "netsim", "test", "--json", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=110,
    )
    assert ended.stderr == ""
    results: list[dict[str, Any]] = json.loads(ended.stdout)
    return results


def test_there_are_six_and_all_hold() -> None:
    assert len(EXAMPLES) >= 6
    for seed in ("1", "2"):
        results = run("tests/scenarios", "--seed", seed)
        assert {Path(each["file"]).name for each in results} == {path.name for path in EXAMPLES}
        assert [each["file"] for each in results if not each["held"]] == []


def test_the_same_seed_gives_the_same_trace(tmp_path: Path) -> None:
    example = "tests/scenarios/mobile_upload.yaml"
    traces = []
    for number, seed in enumerate(("3", "3", "4")):
        trace = tmp_path / f"{number}.jsonl"
        run(example, "--seed", seed, "--trace", str(trace))
        traces.append(trace.read_bytes())
    assert traces[0] == traces[1]
    assert traces[0] != traces[2]


def test_the_same_file_in_real_time() -> None:
    (result,) = run("tests/scenarios/stale_reads.yaml", "--time", "real")
    assert result["time"] == "real"
    assert result["held"], result["steps"]
