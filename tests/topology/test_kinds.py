"""What a kind of node is stands in one table."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import netsim
from netsim.drawing.looks import LOOKS
from netsim.topology.kinds import KINDS, Kind

PACKAGE = Path(netsim.__file__).parent
TABLES = ("topology/kinds.py", "drawing/looks.py")
OF_OTHERS = ("cli/other_words.py",)
"""Words of other tools, which happen to be the same."""
WRITERS = ("topology/generators.py",)
"""What writes files says which nodes they have; it compares nothing."""


def test_every_kind_is_in_every_table() -> None:
    assert list(KINDS) == list(LOOKS) == list(get_args(Kind))


def test_nobody_else_writes_the_name_of_a_kind() -> None:
    found = [
        f"{module}:{node.lineno}"
        for file in PACKAGE.rglob("*.py")
        if (module := file.relative_to(PACKAGE).as_posix()) not in TABLES + OF_OTHERS + WRITERS
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Constant) and node.value in KINDS
    ]
    assert found == []
