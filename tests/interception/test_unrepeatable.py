"""What keeps a run from being repeated is found and named, once for each computer."""

from __future__ import annotations

import ctypes.util
import importlib
import os
import platform
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from computers import SetClock, computer

from netsim.interception.environment import Environment
from netsim.interception.interception import Interception
from netsim.interception.unrepeatable import Finding, Findings


@pytest.fixture
def findings() -> Findings:
    return Findings()


@pytest.fixture
def installed(findings: Findings) -> Iterator[Interception]:
    with Interception(findings) as interception:
        yield interception


def start_process() -> None:
    os.waitpid(os.posix_spawn("/bin/sh", ["/bin/sh", "-c", ""], {}), 0)


def test_a_place(
    installed: Interception, findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    installed.enter(computer())
    start_process()
    start_process()
    installed.leave()
    installed.enter(computer("bob"))
    start_process()
    assert list(findings) == [
        Finding("subprocess", "alice", "started a process (/bin/sh), in this machine's network"),
        Finding("subprocess", "bob", "started a process (/bin/sh), in this machine's network"),
    ]
    (told, _) = map(str, findings)
    line = start_process.__code__.co_firstlineno + 1
    place = f"({Path(__file__).name}:{line})"
    assert told == f"alice: started a process (/bin/sh), in this machine's network {place}"


def test_a_process(installed: Interception, findings: Findings) -> None:
    installed.enter(computer())
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True, env={})
    assert list(findings) == [
        Finding(
            "subprocess",
            "alice",
            f"started a process ({sys.executable}), in this machine's network",
        )
    ]


def test_a_process_by_other_means(installed: Interception, findings: Findings) -> None:
    installed.enter(computer())
    pid = os.posix_spawn("/bin/sh", ["/bin/sh", "-c", ""], {})
    os.waitpid(pid, 0)
    assert list(findings) == [
        Finding("subprocess", "alice", "started a process (/bin/sh), in this machine's network")
    ]


def test_a_socket_of_the_machine(installed: Interception, findings: Findings) -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        installed.enter(computer())
        client.connect(server.getsockname())
        installed.leave()
        port = server.getsockname()[1]
    assert list(findings) == [
        Finding("socket", "alice", f"used a socket outside the network (('127.0.0.1', {port}))")
    ]


def test_the_resolver_of_the_machine(installed: Interception, findings: Findings) -> None:
    installed.enter(computer())
    socket.getaddrinfo("127.0.0.1", 80)
    assert [(each.kind, each.computer) for each in findings] == [("socket", "alice")]
    assert "127.0.0.1" in next(iter(findings)).text


def test_a_socket_within_the_process_is_none(installed: Interception, findings: Findings) -> None:
    installed.enter(computer())
    one, other = socket.socketpair()
    one.close()
    other.close()
    assert not list(findings)


def test_a_look_at_what_the_machine_has_is_none(
    installed: Interception, findings: Findings
) -> None:
    installed.enter(computer())
    ctypes.util.find_library("c")  # asks ldconfig
    assert platform.uname().processor is not None  # asks uname
    with socket.socket(socket.AF_INET6) as looking:  # as urllib3
        looking.bind(("::1", 0))
    assert not list(findings)


def test_tls_through_memory(installed: Interception, findings: Findings) -> None:
    context = ssl.create_default_context()
    installed.enter(computer())
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="web")
    assert list(findings) == [Finding("tls", "alice", "used TLS, whose bytes are random")]


def test_a_temporary_name_that_is_taken(
    installed: Interception, findings: Findings, tmp_path: Path
) -> None:
    installed.enter(computer())
    first = tempfile.mkdtemp(dir=tmp_path)
    assert not list(findings)
    installed.leave()
    installed.enter(computer())
    assert tempfile.mkdtemp(dir=tmp_path) != first
    (finding,) = findings
    assert (finding.kind, first in finding.text) == ("file", True)


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where libraries lie that draw for themselves."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("bcrypt", None)


@pytest.mark.parametrize("is_imported_before", [True, False])
def test_a_library_that_draws_for_itself(
    libraries: Path, findings: Findings, is_imported_before: bool
) -> None:
    (libraries / "bcrypt.py").write_text(
        "def gensalt(rounds=12):\n    return b'salt'\n\ndef checkpw(a, b):\n    return True\n"
    )
    if is_imported_before:
        importlib.import_module("bcrypt")
    with Interception(findings) as installed:
        installed.enter(computer())
        bcrypt = importlib.import_module("bcrypt")
        assert bcrypt.checkpw("a", "b")
        assert not list(findings)
        assert bcrypt.gensalt(rounds=4) == b"salt"
        (finding,) = findings
    assert (finding.kind, finding.text) == ("library", "had random bytes of bcrypt's own")
    assert finding.place.partition(":")[0].endswith("test_unrepeatable.py")
    assert not hasattr(bcrypt.gensalt, "__wrapped__")


def test_a_library_that_names_objects_by_their_addresses(
    libraries: Path, findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (libraries / "rpyc" / "core").mkdir(parents=True)
    for name in ("__init__.py", "core/__init__.py"):
        (libraries / "rpyc" / name).write_text("")
    text = "def get_id_pack(of):\n    return id(of)\n\ndef box(of):\n    return get_id_pack(of)\n"
    (libraries / "rpyc" / "core" / "protocol.py").write_text(text)
    with Interception(findings) as installed:
        installed.enter(computer())
        protocol = importlib.import_module("rpyc.core.protocol")
        assert not list(findings)
        assert protocol.box(findings) == id(findings)
        (finding,) = findings
    text = "sent addresses of objects, by which rpyc names them"
    assert (finding.kind, finding.text) == ("library", text)
    for name in ("rpyc", "rpyc.core", "rpyc.core.protocol"):
        monkeypatch.delitem(sys.modules, name)


def test_a_signature_is_told_where_it_is_drawn(libraries: Path, findings: Findings) -> None:
    """As cryptography's: RSA's is drawn with PSS, and computed with PKCS #1 v1.5."""
    folder = libraries / "cryptography" / "hazmat" / "bindings"
    folder.mkdir(parents=True)
    for package in (folder, *folder.parents[:2]):
        (package / "__init__.py").touch()  # before the real one, where that is installed
    (folder / "_rust.py").write_text(
        "class PSS: pass\nclass PKCS1v15: pass\nclass openssl:\n  class rsa:\n"
        "    class RSAPrivateKey:\n      def sign(self, data, padding): return data\n"
    )
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if "cryptography" in name}
    try:
        with Interception(findings) as installed:
            installed.enter(computer())
            rust = importlib.import_module("cryptography.hazmat.bindings._rust")
            key = rust.openssl.rsa.RSAPrivateKey()
            assert key.sign(b"x", rust.PKCS1v15()) == b"x"
            assert not list(findings)
            assert key.sign(b"x", padding=rust.PSS()) == b"x"
            assert [each.kind for each in findings] == ["library"]
    finally:
        for name in [name for name in sys.modules if name.startswith("cryptography")]:
            del sys.modules[name]
        sys.modules |= ours


def test_nothing_is_noted_off_the_computers(installed: Interception, findings: Findings) -> None:
    start_process()
    installed.enter(Environment(None, None, SetClock(), None, None))
    start_process()
    installed.leave()
    installed.uninstall()
    start_process()
    assert len(findings) == 0


def test_what_other_threads_do_is_not_the_computers(
    installed: Interception, findings: Findings
) -> None:
    outer = Thread(target=start_process)
    installed.enter(computer())
    outer.start()
    outer.join()
    assert len(findings) == 0


def test_each_kind_once_for_each_computer() -> None:
    told: list[Finding] = []
    findings = Findings(told.append)
    findings.note("tls", "web", "speaks TLS")
    findings.note("tls", "web", "speaks TLS again")
    findings.note("thread", "web", "a call from Thread-1")
    findings.note("tls", "api", "speaks TLS")
    assert told == list(findings)
    assert [(each.kind, each.computer) for each in told] == [
        ("tls", "web"),
        ("thread", "web"),
        ("tls", "api"),
    ]
    assert told[0].text == "speaks TLS"
