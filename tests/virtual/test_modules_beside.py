"""What is forgotten of modules beside a topology file when its network ends."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from netsim.interception.own_modules import OwnModules
from netsim.virtual.modules import ModulesBeside


@pytest.mark.parametrize(
    ("folder", "marker", "stays"),
    [
        ("", "", False),
        ("shop", "", False),
        (".venv/lib/python3.11/site-packages", "", True),
        ("vendor/dist-packages", "", True),
        ("env/src/library", "env/pyvenv.cfg", True),
    ],
)
def test_own_modules_are_forgotten_and_installed_ones_stay(
    folder: str, marker: str, stays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "found_in_a_test.py").write_text("")
    if marker:
        (tmp_path / marker).write_text("")
    monkeypatch.syspath_prepend(place)
    modules = ModulesBeside(str(tmp_path / "net.yaml"), OwnModules())
    modules.enter()
    try:
        importlib.import_module("found_in_a_test")
        modules.leave()
        assert ("found_in_a_test" in sys.modules) == stays
    finally:
        sys.modules.pop("found_in_a_test", None)
