"""Each life of a computer in virtual time has its own copy of the modules beside the file."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from typing import Any, Final

import pytest

from netsim import CopyError, Network, StartError, run
from netsim.interception.own_modules import OwnModules
from netsim.interception.registers import REGISTERS

TOPOLOGY: Final = (
    "name: own\nnodes:\n  a: {kind: computer}\n  b: {kind: computer}\nlinks:\n  - [a, b]\n"
)
STOCK: Final = """
import dataclasses

hits = []

class SoldOut(Exception):
    pass

class Spiteful(Exception):
    def __reduce__(self):
        raise RuntimeError("no copies")

@dataclasses.dataclass
class Hat:
    colour: str

    @classmethod
    async def made(cls):
        return cls("green")

async def hit():
    hits.append(1)
    return len(hits)

async def paint(hat, colour):
    if not isinstance(hat, Hat):
        raise TypeError("a hat of another copy")
    if colour == "none":
        raise SoldOut("no colours")
    if colour == "spite":
        raise Spiteful(colour)
    return Hat(colour)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With a topology and a module, which the test imports as well."""
    (tmp_path / "net.yaml").write_text(TOPOLOGY)
    (tmp_path / "stock.py").write_text(STOCK)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) or "stock" in name:
            del sys.modules[name]


def network(folder: Path) -> Network:
    return Network(folder / "net.yaml", time="virtual")


def test_each_life_begins_with_modules_as_they_are_written(folder: Path) -> None:
    stock: Any = importlib.import_module("stock")

    async def main() -> list[int]:
        async with network(folder) as net:
            hits = [await net[name].run(stock.hit) for name in "aab"]
            async with net["a"].kill_program():
                hits.append(await net["a"].run(stock.hit))
            await net["a"].crash()
            await net["a"].start()
            hits.append(await net["a"].run(stock.hit))
            await net["a"].restart()
            hits += [await net["a"].run(stock.hit), await net["b"].run(stock.hit)]
            return hits

    assert run(main()) == [1, 2, 1, 1, 1, 1, 2]
    assert stock.hits == []
    assert sys.modules["stock"] is stock


def test_what_is_copied_changes_its_class_on_the_way(folder: Path) -> None:
    stock: Any = importlib.import_module("stock")

    async def main() -> None:
        async with network(folder) as net:
            hat = await net["a"].run(stock.paint, stock.Hat("red"), "blue")
            assert hat == stock.Hat("blue")
            with pytest.raises(stock.SoldOut, match="no colours") as caught:
                await net["a"].run(stock.paint, hat, colour="none")
            assert caught.traceback[-1].name == "paint"
            with pytest.raises(Exception, match="spite") as kept:
                await net["a"].run(stock.paint, hat, "spite")
            assert not isinstance(kept.value, stock.Spiteful)  # it cannot be copied

    run(main())


def test_a_function_of_the_test_has_the_test_s_modules(folder: Path) -> None:
    stock: Any = importlib.import_module("stock")
    seen: list[Any] = []

    async def told(hat: Any) -> Any:
        seen.append(hat)
        return await stock.paint(hat, "blue")

    async def of_both() -> Any:
        here: Any = importlib.import_module("stock")  # on the computer
        assert here is not stock
        return here.Hat("red")

    async def mixed() -> Any:
        here: Any = importlib.import_module("stock")
        return here.Hat("red"), stock.Hat("blue")

    async def main() -> None:
        async with network(folder) as net:
            assert await net["a"].run(told, stock.Hat("red")) == stock.Hat("blue")
            assert await net["a"].run(of_both) == stock.Hat("red")
            assert await net["a"].run(stock.Hat.made) == stock.Hat("green")
            with pytest.raises(CopyError):
                await net["a"].run(mixed)

    run(main())
    assert seen == [stock.Hat("red")]


async def modules_of(folder: str) -> dict[str, Any]:
    """What a program finds of a package: relative imports, and some that it makes later."""
    shop: Any = importlib.import_module("shop.till")
    shop.count()
    again: Any = importlib.import_module("shop.till")
    spaces: Any = importlib.import_module("plain.inner")
    found = {"count": again.count(), "same": again is shop, "plain": folder == spaces.FOLDER}
    found["parent"] = sys.modules["shop"].till is shop
    found["reloaded"] = importlib.reload(shop).count()
    return found


def test_packages_are_a_computers_own_with_all_that_is_in_them(folder: Path) -> None:
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "shop" / "state.py").write_text("sold = [0]\n")
    (folder / "shop" / "till.py").write_text(
        "from . import state\ndef count():\n  from .state import sold\n  sold[0] += 1\n"
        "  return sold[0], state.sold is sold\n"
    )
    (folder / "plain").mkdir()
    (folder / "plain" / "inner.py").write_text(
        "import pathlib\nFOLDER = str(pathlib.Path(__file__).parents[1])\n"
    )

    async def main() -> None:
        async with network(folder) as net:
            for name in "ab":
                assert await net[name].run(modules_of, str(folder)) == {
                    "count": (2, True),
                    "same": True,
                    "plain": True,
                    "parent": True,
                    "reloaded": (3, True),
                }
            assert "shop" not in sys.modules

    run(main())
    assert not {"shop", "shop.till", "plain.inner"} & set(sys.modules)


def test_an_import_that_fails_is_tried_again(folder: Path) -> None:
    (folder / "brittle.py").write_text(
        "import pathlib\nassert pathlib.Path(__file__).with_name('ready').exists(), 'too early'\n"
    )

    async def imports() -> str:
        return importlib.import_module("brittle").__name__

    async def main() -> None:
        async with network(folder) as net:
            with pytest.raises(AssertionError, match="too early"):
                await net["a"].run(imports)
            (folder / "ready").touch()
            assert await net["a"].run(imports) == "brittle"
            assert await net["b"].run(imports) == "brittle"

    run(main())


def test_installed_packages_and_extensions_are_shared(folder: Path) -> None:
    installed = folder / ".venv" / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "a_library.py").write_text("known = []\n")
    sys.path.append(str(installed))

    async def knows() -> int:
        library: Any = importlib.import_module("a_library")
        library.known.append(1)
        return len(library.known)

    async def main() -> list[int]:
        async with network(folder) as net:
            return [await net[name].run(knows) for name in "aba"]

    try:
        assert run(main()) == [1, 2, 3]
    finally:
        sys.path.remove(str(installed))
    own = OwnModules(str(folder))
    for loader, is_own in ((ExtensionFileLoader("fast", "fast.so"), False), (None, True)):
        spec = ModuleSpec("fast", loader, origin=str(folder / "fast.so"))
        spec.has_location = True
        assert own.holds(spec) == is_own


def test_what_the_test_imports_meanwhile_is_its_own(folder: Path) -> None:
    async def main() -> None:
        async with network(folder) as net:
            from_there = importlib.import_module("stock")
            assert await net["a"].run(from_there.hit) == 1
            assert await net["a"].run(from_there.hit) == 2
            assert from_there.hits == []
            assert importlib.import_module("stock") is from_there

    run(main())
    assert "stock" not in sys.modules


def test_two_networks_each_have_what_lies_beside_them(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "net.yaml").write_text(TOPOLOGY)
    (other / "colour.py").write_text("NAME = 'red'\n")
    (folder / "colour.py").write_text("NAME = 'blue'\n")

    async def colour() -> str:
        return str(importlib.import_module("colour").NAME)

    async def main() -> list[str]:
        async with network(folder) as net, network(other) as net_of_other:
            # The folder of the network that was started last comes first for all.
            return [await each["a"].run(colour) for each in (net_of_other, net)]

    assert run(main())[0] == "red"
    assert "colour" not in sys.modules


def test_a_crash_ends_nothing_that_a_module_holds(folder: Path) -> None:
    (folder / "holding.py").write_text(
        "ended = []\nclass Held:\n  def __init__(self, told): self.told = told\n"
        "  def __del__(self): self.told.append('ended')\n"
        "import builtins\nheld = Held(builtins.told_of_ends)\n"
    )
    told: list[str] = []

    async def holds() -> None:
        importlib.import_module("holding")

    async def main() -> None:
        async with network(folder) as net:
            await net["a"].run(holds)
            await net["a"].crash()
            await net["a"].start()
            await net["a"].run(holds)
            await net["a"].kill_program()
            await asyncio.sleep(1)

    import builtins

    builtins.told_of_ends = told  # type: ignore[attr-defined]
    try:
        run(main())
        assert told == []
    finally:
        del builtins.told_of_ends  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("end", "hits"),
    [
        ("if __name__ == '__main__':\n  run(main())\n", "[1, 2, 1, 1] 0"),
        ("run(main())\n", "[1, 2, 3, 4] 4"),
    ],
)
def test_a_script_is_a_module_like_others_where_it_can_be_imported(
    end: str, hits: str, folder: Path
) -> None:
    (folder / "play.py").write_text(
        "from netsim import Network, run\n"
        "hits = []\n"
        "async def hit():\n  hits.append(1)\n  return len(hits)\n"
        "class Sorry(Exception): pass\n"
        "async def sorry(): raise Sorry\n"
        "async def main():\n"
        "  async with Network('net.yaml', time='virtual') as net:\n"
        "    got = [await net[name].run(hit) for name in 'aab']\n"
        "    await net['b'].crash()\n"
        "    await net['b'].start()\n"
        "    got.append(await net['b'].run(hit))\n"
        "    try: await net['a'].run(sorry)\n"
        "    except Sorry: print(got, len(hits))\n" + end
    )
    ended = subprocess.run(
        [sys.executable, "play.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == (f"{hits}\n", "", 0)


def install(place: Path, package: str, text: str, requires: str = "") -> None:
    """As pip does."""
    (place / package).mkdir(parents=True)
    (place / package / "__init__.py").write_text(text)
    information = place / f"{package}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {package}\nVersion: 1.0\n{requires}\n")
    (information / "top_level.txt").write_text(f"{package}\n")


@pytest.mark.parametrize("keeping", ["dramatiq", "not_known"])
def test_a_register_of_an_installed_package_is_a_computers_own(
    keeping: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is defined twice there is refused, and is on two computers, or in two lives of one."""
    monkeypatch.setattr(REGISTERS, "known", set())
    if keeping == "not_known":
        (folder / "net.yaml").write_text(TOPOLOGY + "own_packages: [not_known]\n")
    installed = folder / "site-packages"
    install(
        installed,
        keeping,
        "names = []\ndef actor(name):\n  if name in names: raise ValueError(name)\n"
        "  names.append(name)\n",
    )
    install(
        installed,
        "needs_it",
        f"import {keeping} as register\nnames = register.names\n",
        f"Requires-Dist: {keeping}",
    )
    install(installed, "apart", "asked = []\n", f"Requires-Dist: {keeping}; extra == 'more'")
    monkeypatch.syspath_prepend(installed)
    (folder / "worker.py").write_text(
        f"import apart, needs_it, {keeping} as register\nregister.actor('mail')\n"
        "async def told():\n"
        "  apart.asked.append(1)\n"
        "  return needs_it.names, needs_it.register is register, len(apart.asked)\n"
    )

    async def told() -> Any:
        return await importlib.import_module("worker").told()

    async def main() -> None:
        async with network(folder) as net:
            assert await net["a"].run(told) == (["mail"], True, 1)
            assert await net["b"].run(told) == (["mail"], True, 2)
            await net["a"].restart()
            assert await net["a"].run(told) == (["mail"], True, 3)
            of_the_test: Any = importlib.import_module(keeping)
            assert of_the_test.names == []

    run(main())


def test_a_package_that_is_not_there_cannot_be_a_computers_own(folder: Path) -> None:
    (folder / "net.yaml").write_text(TOPOLOGY + "own_packages: [nowhere_at_all]\n")

    async def main() -> None:
        async with network(folder):
            pytest.fail("it started")

    with pytest.raises(StartError, match="no package `nowhere_at_all` in netsim's environment"):
        run(main())
