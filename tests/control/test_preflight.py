"""What a file needs of this machine is looked at before anything starts, and reported there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from netsim import InvalidFileError
from netsim.control import preflight
from netsim.control.program_lookup import Wanted
from netsim.control.state_directory import StateDirectory
from netsim.topology.load_topology import load_plan

FILE = """name: shop
nodes:
  alice: {kind: computer, ports: ["127.0.0.1:0:web:80"]}
  web:
    kind: computer
    services:
      80: MODULE
links: [[alice, web]]
"""


def mistakes(folder: Path, text: str) -> list[str]:
    """`line:column: message` of everything that is amiss."""
    file = folder / "shop.yaml"
    file.write_text(text)
    try:
        preflight.check_programs_and_ports(str(file), load_plan(file))
    except InvalidFileError as error:
        return [f"{each.line}:{each.column}: {each.message}" for each in error.problems]
    return []


def with_module(folder: Path, source: str, reference: str = "shop:app") -> list[str]:
    (folder / "shop.py").write_text(source)
    return mistakes(folder, FILE.replace("MODULE", reference))


def test_what_can_be_imported_is_fine(tmp_path: Path) -> None:
    assert with_module(tmp_path, "def app(): pass\nprint('noise')\n") == []


@pytest.mark.parametrize(
    ("source", "reference", "expected"),
    [
        (
            "app = 1",
            "nosuch:app",
            "7:11: nosuch:app: ModuleNotFoundError: No module named 'nosuch'; put nosuch.py "
            "beside the file, or install it into netsim's environment",
        ),
        (
            "import nosuch.part",
            "shop:app",
            "7:11: shop:app: ModuleNotFoundError: No module named 'nosuch' (shop.py:1); put",
        ),
        (
            "app = 1",
            "shop:app",
            "7:11: shop:app is an object of type int, no application of aiohttp, ASGI",
        ),
        (
            "def app(greeting: str, size=3): pass",
            "shop:app",
            "7:11: shop:app: missing a required argument: 'greeting'; write `args` that fit "
            "`app(greeting, size=3)`",
        ),
        (
            "app = 1",
            "netsim.services.httpbn:create_app",
            "7:11: netsim.services.httpbn:create_app: ModuleNotFoundError: No module named "
            "'netsim.services.httpbn'; of netsim's own there is `netsim.services.httpbin:create",
        ),
        (
            "app = 1",
            "netsim.services.httpbin:create_appp",
            "7:11: netsim.services.httpbin:create_appp: module netsim.services.httpbin has no "
            "'create_appp'; of netsim's own there is",
        ),
        ("app = 1", "shop:create", "7:11: shop:create: module shop has no 'create'"),
        (
            "create_app = None",
            "shop:creat_app",
            "7:11: shop:creat_app: module shop has no 'creat_app'; write `shop:create_app`",
        ),
        ("1 / 0", "shop:app", "7:11: shop:app: ZeroDivisionError"),
        ("def", "shop:app", "7:11: shop:app: SyntaxError"),
        ("import os; os._exit(3)", "shop:app", "7:11: shop:app: its import ended the process"),
        ("import sys; sys.exit()", "shop:app", "7:11: shop:app: SystemExit"),
    ],
)
def test_a_module_that_cannot_be_had(
    tmp_path: Path, source: str, reference: str, expected: str
) -> None:
    (mistake,) = with_module(tmp_path, source, reference)
    assert mistake.startswith(expected)


def test_a_module_that_does_not_come_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "IMPORT_TIMEOUT", 1.0)
    (mistake,) = with_module(tmp_path, "import time\n\nwhile True: time.sleep(1)\n")
    assert mistake == (
        "7:11: shop:app was not imported within 1 s: it stands at shop.py:3; let a module come to "
        "its end, and serve in the function that the file names"
    )


def test_an_import_that_hangs_where_no_other_thread_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "IMPORT_TIMEOUT", 1.0)
    monkeypatch.setattr(preflight, "_MORE", 0.5)
    source = "import re\nre.match('(a+)+$', 'a' * 60 + 'b')\n"
    (mistake,) = with_module(tmp_path, source)
    assert mistake.startswith("7:11: shop:app was not imported within 1 s; write")


def test_a_mistake_that_a_counted_node_and_a_kind_make_is_shown_once(tmp_path: Path) -> None:
    text = """name: shop
kinds:
  computer:
    services: {80: "nosuch:app"}
nodes:
  lab: {kind: computer, count: 3}
  s1: {kind: switch}
links: [[lab, s1]]
"""
    (mistake,) = mistakes(tmp_path, text)
    assert mistake.startswith("4:20: nosuch:app")


SERVE_IT = "serve it under `services`, as docs/services.md shows"
RUN = """name: shop
nodes:
  alice:
    kind: computer
    run: WRITTEN
  web: {kind: computer}
links: [[alice, web]]
"""


@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        ("async def main(): pass", "shop:main", None),
        ("async def main(**more): pass", "{call: shop:main, args: {x: 1}}", None),
        ("class Main:\n async def __call__(self): pass\nmain = Main()", "shop:main", None),
        (
            "import functools\nasync def inner(): pass\n"
            "@functools.wraps(inner)\ndef main(): return inner()",
            "shop:main",
            None,
        ),
        ("def main(): pass", "shop:main", None),
        (
            "def main(): pass",
            "{call: shop:main, args: {x: 1}}",
            "5:10: shop:main: got an unexpected keyword argument 'x'; write `args` that fit "
            "`main()`",
        ),
        (
            "main = 1",
            "shop:main",
            "5:10: shop:main is no function; write `def` or `async def`",
        ),
        (
            "from fastapi import FastAPI\napp = FastAPI()",
            "shop:app",
            f"5:10: shop:app is an application of FastAPI; {SERVE_IT}",
        ),
        (
            "class App:\n async def __call__(self, scope, receive, send): pass\napp = App()",
            "shop:app",
            f"5:10: shop:app is an ASGI application; {SERVE_IT}",
        ),
        (
            "async def app(scope, receive, send): pass",
            "shop:app",
            f"5:10: shop:app is an ASGI application; {SERVE_IT}",
        ),
        (
            "async def main(): pass",
            "{call: shop:main, args: {x: 1}}",
            "5:10: shop:main: got an unexpected keyword argument 'x'; write `args` that fit "
            "`main()`",
        ),
    ],
)
def test_how_run_is_called(tmp_path: Path, source: str, written: str, expected: str | None) -> None:
    (tmp_path / "shop.py").write_text(source)
    found = mistakes(tmp_path, RUN.replace("WRITTEN", written))
    assert found == ([] if expected is None else [expected])


def test_own_modules_are_given_what_they_take(tmp_path: Path) -> None:
    service = '{app: "netsim.services.httpbin:create_app", args: {nosuch: 1}}'
    (mistake,) = mistakes(tmp_path, FILE.replace("MODULE", service))
    assert "unexpected keyword argument 'nosuch'" in mistake


@pytest.mark.parametrize("listen_host", ["127.0.0.1", "0.0.0.0"])
def test_a_host_port_that_another_network_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listen_host: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    held = StateDirectory.claim("campus")
    try:
        with socket.create_server((listen_host, 0)) as taken:
            port = taken.getsockname()[1]
            held.publish({"name": "campus", "ports": [{"listen": f"{listen_host}:{port}"}]})
            text = FILE.replace("127.0.0.1:0:", f"127.0.0.1:{port}:")
            found = mistakes(tmp_path, text.replace("MODULE", "netsim.services.httpbin:create_app"))
    finally:
        held.release()
    assert found == [
        f"3:35: 127.0.0.1:{port} is in use by the network campus; "
        "write another port, or 0 for a free one"
    ]


def test_a_host_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = FILE.replace("127.0.0.1:0:", f"127.0.0.1:{port}:")
        found = mistakes(tmp_path, text.replace("MODULE", "netsim.services.httpbin:create_app"))
    assert found == [
        f"3:35: cannot listen on 127.0.0.1:{port}: address already in use; "
        "write another port, or 0 for a free one"
    ]


def test_modules_that_are_not_there_cost_no_import(tmp_path: Path) -> None:
    wanted = [Wanted(f"nosuch{number}:f", "run", ()) for number in range(200)]
    looks = [sys.executable, "-X", "importtime", "-m", "netsim.control.program_lookup"]
    done = subprocess.run(
        [*looks, str(tmp_path), "10"],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each.partition(": ")[0] for each in answers] == [each.reference for each in wanted]
    assert "aiohttp" not in done.stderr


def test_modules_that_are_there_among_others(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("async def f(): pass")
    (tmp_path / "ends.py").write_text("import os; os._exit(3)")
    runs = "[a0:f, good:f, ends:f, z9:f]"
    text = f"name: n\nnodes: {{a: {{kind: computer, run: {runs}}}, b: {{kind: computer}}}}\n"
    found = mistakes(tmp_path, text + "links: [[a, b]]\n")
    # What stands after the one that ends the process has not been looked at.
    assert [each.partition(" ")[2][:24] for each in found] == [
        "a0:f: ModuleNotFoundErro",
        "ends:f: its import ended",
    ]


def test_programs_are_looked_at_where_other_words_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(
        "name: n\n"
        "kinds: {computer: {ready: 'inkinds:f'}}\n"
        "nodes:\n"
        "  web:\n"
        "    kind: computr\n"
        "    services:\n"
        "      80: {app: 'beside:f', argz: {}}\n"
        "      81: 'missing:f'\n"
        "    run: ['gone:f', {call: 'netsim.services.httpbin:gone'}]\n"
        "  b: {kind: computer, dealy: 3, run: 'good:f'}\n"
        "links: [{endpoints: [web, b], delay: 10}]\n"
    )
    (tmp_path / "good.py").write_text("def f(): pass")
    with pytest.raises(InvalidFileError) as words:
        load_plan(file)
    told = preflight.with_mistakes_of_programs(words.value, str(file))
    assert set(words.value.problems) < set(told.problems)
    assert [f"{each.line}: {each.message[:14]}" for each in told.problems] == [
        "2: inkinds:f: Mod",
        "5: `computr` is n",
        "7: unknown key `a",
        "8: missing:f: Mod",
        "9: gone:f: Module",
        "9: netsim.service",
        "10: unknown key `d",
        "11: `10` has no un",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "name: [",
        "3",
        "name: n\nnodes: 3\n",
        "name: n\nnodes: {a: {kind: computer, run: 'gone:f'}}\nlinks: []\nname: m\nnodes: []\n",
        "name: n\ntopology: {nodes: {a: {kind: computer, run: 'gone:f'}}, links: []}\n",
        "name: n\nsteps: []\n",
    ],
)
def test_where_no_programs_can_be_read_the_words_are_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(text)
    with pytest.raises(InvalidFileError) as words:
        load_plan(file)
    told = preflight.with_mistakes_of_programs(words.value, str(file))
    assert set(told.problems) >= set(words.value.problems)


def test_of_many_mistakes_a_hundred_are_told_and_the_others_counted(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "name: n\ndefaults: {kind: computer}\nnodes:\n  s: {kind: switch}\n"
        + "".join(f"  n{number}: {{run: 'nosuch{number}:f'}}\n" for number in range(150))
        # Counted ones stand at one place.
        + "  many: {count: 20, run: 'nosuch:f'}\nlinks:\n  - [many, s]\n"
        + "".join(f"  - [n{number}, s]\n" for number in range(150))
    )
    file = str(tmp_path / "net.yaml")
    with pytest.raises(InvalidFileError) as caught:
        preflight.check_programs_and_ports(file, load_plan(file))
    assert [each.line for each in caught.value.problems] == list(range(5, 105))
    assert caught.value.more == 51


def test_packages_that_serve_and_are_missing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import importlib.util\nfind = importlib.util.find_spec\n"
    source += "importlib.util.find_spec = lambda name: None if name in MISSING else find(name)\n"
    source += "MISSING = ('uvicorn', 'a2wsgi')\nasync def app(scope, receive, send): pass\n"
    source += "def wsgi(environ, start_response): pass\ndef create_app(): pass\n"
    needs = "application that uvicorn serves, which is missing; pip install uvicorn"
    (asgi,) = with_module(tmp_path, source)
    assert asgi == f"7:11: shop:app is an {needs}"
    (wsgi,) = with_module(tmp_path, source, "shop:wsgi")
    assert wsgi.endswith(
        "that uvicorn and a2wsgi serve, which are missing; pip install uvicorn a2wsgi"
    )
    (factory,) = with_module(tmp_path, source, '{asgi: "shop:create_app"}')
    assert factory == f"7:11: shop:create_app is an {needs}"
    monkeypatch.setattr(preflight, "can_be_made", lambda: False)
    text = FILE.replace("MODULE", '{app: "netsim.services.httpbin:create_app", tls: true}')
    assert mistakes(tmp_path, text) == [
        "7:60: `tls` needs cryptography, which is missing; pip install cryptography"
    ]


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    text = FILE.replace("MODULE", "netsim.services.httpbin:create_app")
    assert mistakes(tmp_path, text + "own_packages: [yaml, nowhere_at_all]\n") == [
        "9:22: there is no package `nowhere_at_all` in netsim's environment; write the name under "
        "which it is imported, or install it there"
    ]
