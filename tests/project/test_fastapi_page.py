"""docs/fastapi.md: its files, as they stand there, fail and then hold as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fastapi.md"
BLOCK = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```$", re.M | re.S)


def test_the_test_is_red_and_then_green(pytester: pytest.Pytester) -> None:
    blocks = BLOCK.findall(PAGE.read_text())
    first = [name for name, _ in blocks[:4]]
    assert first == ["shop.py", "phone.py", "street.yaml", "test_shop.py"]
    again = [name for name, _ in blocks[4:]]
    assert again == ["phone.py", "shop.py", ".github/workflows/test.yml"]

    def write(name: str, text: str) -> None:
        (pytester.path / name).write_text(text)

    for name, text in blocks[:4]:
        write(name, text)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    red = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    red.assert_outcomes(failed=1, passed=30, skipped=69)
    red.stdout.fnmatch_lines(["seed 30: pytest *"])
    assert any("assert ['a hat', 'a hat'] == ['a hat']" in line for line in red.outlines)
    for name, text in blocks[4:6]:
        write(name, text)
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=100)
