"""Mistakes in a file that a person writes: where each is shown, and what is said.

In a marked text `▶` stands in front of each place that must be named; it is no part of the file.
Each place has words that its message must hold; where there is one place it has all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netsim import InvalidFileError

MARK = "▶"


def check_mistakes(
    file: Path, marked: str, messages: list[str], load: Callable[[Path], object]
) -> None:
    """Write the text to `file`, load it, and hold what is said against the marks."""
    before = ""
    places = []
    for part in marked.split(MARK)[:-1]:
        before += part
        places.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
    file.write_text(marked.replace(MARK, ""))
    with pytest.raises(InvalidFileError) as caught:
        load(file)
    problems = caught.value.problems
    assert [(p.line, p.column) for p in problems] == places, str(caught.value)
    if len(problems) == 1:
        assert [words for words in messages if words not in problems[0].message] == [], problems[0]
    else:
        for problem, words in zip(problems, messages, strict=True):
            assert words in problem.message
    for problem in problems:
        assert problem.file == str(file)
        assert ";" in problem.message, "no word on what to write instead"
        assert "\n" not in problem.message
