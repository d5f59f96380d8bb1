from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
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
    shown = path.replace("\0", "\\x00")  # names are printed on terminals
    assert str(caught.value).startswith(f"{tmp_path}/{shown}:1:1: ")


# Where the text comes from ----------------------------------------------------------------------

LAN = "name: lan\nnodes: {a: {kind: computer}, b: {kind: computer}}\nlinks: [[a, b]]\n"


def mistake_in(path: str | Path) -> str:
    with pytest.raises(InvalidFileError) as caught:
        read_yaml(path)
    return str(caught.value)


def test_a_pipe_is_read_to_its_end_and_can_be_asked_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(LAN,))
    writer.start()
    assert [node.name for node in load_plan(tmp_path / "pipe").nodes] == ["a", "b"]
    writer.join()
    assert read_yaml(tmp_path / "pipe").data["name"] == "lan"


def test_a_pipe_into_which_nobody_writes_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("netsim.topology.file_text.PIPE_TIMEOUT", 0.05)
    assert "a pipe into which nobody writes for 0.05 s; name a file" in mistake_in(
        tmp_path / "pipe"
    )


def test_a_device_without_end_is_not_read_for_ever() -> None:
    assert "larger than 1 MiB" in mistake_in("/dev/zero")


def test_a_dash_is_standard_input(tmp_path: Path) -> None:
    for text, said in ((LAN, "-: ok, 2 nodes"), (LAN + "oops: 1\n", "<stdin>:4:1: unknown key")):
        validate = [sys.executable, "-m", "netsim", "validate", "-"]
        found = subprocess.run(
            validate, input=text, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert said in found.stdout + found.stderr


def test_a_second_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("\ufeff\ufeff" + LAN)
    assert "x.yaml:1:1: there is a second byte order mark (U+FEFF); remove it" in mistake_in(
        tmp_path / "x.yaml"
    )


def test_numbers_that_are_too_large_stay_as_written() -> None:
    assert parse_yaml("a: 1e400", "f").data == {"a": "1e400"}


def test_a_list_without_end_is_refused_before_it_is_built() -> None:
    with pytest.raises(InvalidFileError, match="more than 50000 entries"):
        parse_yaml("links: [" + "[a, b]," * 50_001 + "]", "f")
