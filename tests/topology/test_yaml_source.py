from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
import yaml

from netsim.core.errors import InvalidFileError
from netsim.topology.load_topology import load_plan
from netsim.topology.yaml_source import parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # YAML 1.2.2, section 10.3.2
        ("on", "on"),
        ("no", "no"),
        ("22:22", "22:22"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("-12", -12),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ('"7"', "7"),
        ("!!str 7", "7"),
        ("! 7", "7"),
        ("9" * 101, float("9" * 101)),
    ],
)
def test_scalars_of_the_core_schema(text: str, value: object) -> None:
    found = parse_yaml(f"key: {text}", "f").data["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize("depth", [33, 1_001, 20_000])
@pytest.mark.parametrize(("level", "column"), [("[", 33), ("{a: ", 126), ("- ", 65), ("[{a: ", 78)])
def test_nesting_is_refused_at_its_place_whatever_the_parser_allows(
    loader: str, depth: int, level: str, column: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # libyaml has a limit of its own since 0.2.6, and reads ahead of what it tells.
    monkeypatch.setattr(yaml, "CSafeLoader", getattr(yaml, loader))
    with pytest.raises(InvalidFileError) as caught:
        parse_yaml(level * depth, "f")
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"f:1:{column}: nested more than 32 levels deep")


def test_keys_and_values_are_located() -> None:
    source = parse_yaml("a:\n  - x\n  - {b: 1, 80:   y}\nempty:\n", "f")
    assert source.locate(("a", 0)) == (2, 5)
    assert source.locate(("a", 1, "b"), at_key=True) == (3, 6)
    assert source.locate(("a", 1, 80)) == (3, 18)
    assert source.locate(("a", 1, "missing")) == (3, 5)
    assert source.locate(("empty", "missing")) == (4, 1)
    assert source.locate(("a", "short", 0)) == (2, 5)
    assert source.locate(()) == (1, 1)


def test_columns_count_characters_also_behind_umlauts_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "umlauts.yaml"
    file.write_bytes("\ufeffä: {ö: 1, x: 2}".encode())
    assert read_yaml(file).locate(("ä", "x"), at_key=True) == (1, 11)


def test_an_alias_is_its_anchor() -> None:
    source = parse_yaml("a: &x {b: [1, 2]}\nc: *x\n", "f")
    assert source.data["c"] == {"b": [1, 2]}
    assert source.locate(("c", "b", 1)) == (1, 15)


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"name: caf\xe9\n", (1, 10), "not UTF-8"),
        ("name: x\n".encode("utf-16"), (1, 1), "not UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00", (1, 1), "control character"),
        (b"a: b\n" * 300_000, (1, 1), "larger than 1 MiB"),
    ],
)
def test_files_that_are_no_text(
    content: bytes, place: tuple[int, int], words: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    with pytest.raises(InvalidFileError) as caught:
        load_plan(file)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == place
    assert words in problem.message


def test_50_mb_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.yaml"
    file.touch()
    os.truncate(file, 50_000_000)
    with pytest.raises(InvalidFileError, match="larger than 1 MiB"):
        load_plan(file)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".", "is a directory; name a file"),
        ("nowhere.yaml", "no such file"),
        ("\0", "cannot be read"),
    ],
)
def test_paths_that_lead_to_no_file(path: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError) as caught:
        load_plan(f"{tmp_path}/{path}")
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/{path}:1:1: ")
