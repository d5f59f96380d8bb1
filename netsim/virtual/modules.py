"""Modules beside a topology file, importable while its network runs."""

from __future__ import annotations

import sys
from pathlib import Path


class ModulesBeside:
    """Puts the folder of a topology file in front of `sys.path`, and takes it away again.

    What was imported from there in between is forgotten then: another network may have modules of
    the same names beside its own file. All computers of one network share their modules. Installed
    packages are never forgotten, in a virtual environment below that folder neither: what is in
    memory already may hold classes of theirs.
    """

    def __init__(self, file: str) -> None:
        self._folder = str(Path(file).parent) if file else None
        self._known: set[str] = set()

    def enter(self) -> None:
        """Make them importable."""
        if self._folder is not None:
            self._known = set(sys.modules)
            sys.path.insert(0, self._folder)

    def leave(self) -> None:
        """Forget them."""
        if self._folder is None:
            return
        if self._folder in sys.path:
            sys.path.remove(self._folder)
        for name in set(sys.modules) - self._known:
            found = getattr(sys.modules[name], "__file__", None)
            if found and Path(found).is_relative_to(self._folder) and not self._installed(found):
                del sys.modules[name]

    def _installed(self, file: str) -> bool:
        assert self._folder is not None, "asked about modules below it"
        inner = Path(file).relative_to(self._folder).parents
        return any(
            folder.name in ("site-packages", "dist-packages")
            or Path(self._folder, folder, "pyvenv.cfg").exists()
            for folder in inner
        )
