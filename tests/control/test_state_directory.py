from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from netsim import NetsimError, NotRunningError
from netsim.control import state_directory
from netsim.control.state_directory import NameTakenError, StateDirectory
from netsim.site.private_files import StateError


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def claim_in_another_process(name: str) -> subprocess.Popen[str]:
    program = (
        "import signal\n"
        "from netsim.control.state_directory import StateDirectory\n"
        f"held = StateDirectory.claim({name!r})\n"
        "print('claimed', flush=True)\n"
        "signal.pause()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    return process


def test_a_claimed_network_is_found_until_it_is_released(runtime_directory: Path) -> None:
    held = StateDirectory.claim("campus")
    held.publish({"name": "campus", "nodes": 28})
    assert [found.name for found in state_directory.running()] == ["campus"]
    assert state_directory.find(None).summary() == {"name": "campus", "nodes": 28}
    assert state_directory.find("campus").path == runtime_directory / "netsim" / "campus"
    assert stat.S_IMODE(held.path.stat().st_mode) == 0o700
    held.release()
    held.release()
    assert state_directory.running() == []
    assert list(runtime_directory.iterdir()) == []


def test_a_running_name_is_refused_with_its_pid() -> None:
    process = claim_in_another_process("campus")
    try:
        with pytest.raises(NameTakenError, match=rf"already running \(pid {process.pid}\)"):
            StateDirectory.claim("campus")
        other = StateDirectory.claim("campus-2")
        with pytest.raises(NotRunningError, match="say which with --name: campus, campus-2"):
            state_directory.find(None)
        other.release()
    finally:
        process.kill()
        process.communicate()


def test_what_a_killed_supervisor_leaves_is_removed(runtime_directory: Path) -> None:
    process = claim_in_another_process("campus")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (runtime_directory / "netsim" / "campus" / "network.json").exists()
    assert state_directory.running() == []
    assert list(runtime_directory.iterdir()) == []


def test_a_killed_supervisors_name_can_be_claimed_again() -> None:
    process = claim_in_another_process("campus")
    process.kill()
    process.communicate()
    held = StateDirectory.claim("campus")
    assert held.summary()["supervisor_pid"] == os.getpid()
    held.release()


def test_a_forked_child_neither_holds_nor_removes_the_directory() -> None:
    held = StateDirectory.claim("campus")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        held.release()  # must do nothing here
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    try:
        assert held.path.exists()
        held.release()
        again = StateDirectory.claim("campus")  # while the child still lives
        again.release()
    finally:
        os.close(write)
        os.waitpid(child, 0)
        os.close(read)


def test_the_control_socket_is_private_and_works() -> None:
    held = StateDirectory.claim("campus")
    with held.listen() as listener, state_directory.find("campus").connect(timeout=5) as client:
        assert stat.S_IMODE((held.path / "control.sock").stat().st_mode) == 0o600
        server, _ = listener.accept()
        with server:
            client.sendall(b"hello")
            assert server.recv(16) == b"hello"
    held.release()


def test_a_path_longer_than_a_socket_address_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    held = StateDirectory.claim("a" * 63)
    with pytest.raises(OSError, match="too long"), socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(held.path / "control.sock"))
    with held.listen() as listener, held.connect(timeout=5):
        listener.accept()[0].close()
    held.release()
    assert list(deep.iterdir()) == []


def test_a_network_that_does_not_listen_yet_says_so() -> None:
    held = StateDirectory.claim("campus")
    with pytest.raises(NotRunningError, match="still starting"):
        state_directory.find("campus").connect()
    held.release()
    with pytest.raises(NotRunningError, match="not running"):
        held.connect()


def test_directories_that_others_can_read_are_refused(runtime_directory: Path) -> None:
    root = runtime_directory / "netsim"
    root.mkdir(mode=0o700)
    root.chmod(0o755)
    with pytest.raises(StateError, match="not a private directory"):
        StateDirectory.claim("campus")


def test_a_symbolic_link_is_refused(runtime_directory: Path) -> None:
    (runtime_directory / "elsewhere").mkdir(mode=0o700)
    (runtime_directory / "netsim").symlink_to(runtime_directory / "elsewhere")
    with pytest.raises(StateError, match="not a private directory"):
        StateDirectory.claim("campus")


@pytest.mark.parametrize("name", ["..", "../campus", "Campus", "a/b", "", "a" * 64])
def test_names_that_walk_out_are_refused(name: str) -> None:
    with pytest.raises(NetsimError, match="cannot name a network"):
        StateDirectory.claim(name)


def test_without_a_runtime_directory_the_temporary_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert state_directory.state_root() == tmp_path / f"netsim-{os.getuid()}"


def test_the_nearest_running_name_is_suggested() -> None:
    with pytest.raises(NotRunningError, match="netsim up FILE starts one"):
        state_directory.find("campus")
    held = StateDirectory.claim("campus")
    with pytest.raises(NotRunningError, match="no network `campsu` is running; write `campus`"):
        state_directory.find("campsu")
    held.release()


def test_the_log_moves_in_and_a_lost_one_is_cleaned(runtime_directory: Path) -> None:
    draft = state_directory.draft_log()
    draft.write_text("early\n")
    held = StateDirectory.claim("campus")
    held.adopt_log(draft)
    assert held.log_path.read_text() == "early\n"
    (runtime_directory / "netsim" / f"log.{2**22 + 1}").touch()  # beyond the largest pid
    state_directory.running()
    assert [entry.name for entry in (runtime_directory / "netsim").iterdir()] == ["campus"]
    held.release()


def listen(held: StateDirectory) -> socket.socket:
    held.publish({"name": held.name})
    return held.listen()


def test_whoever_removes_it_is_noticed_and_it_is_made_anew(runtime_directory: Path) -> None:
    held = StateDirectory.claim("campus")
    listeners = [listen(held)]
    assert held.is_in_place()
    for removed in ("", "campus", "campus/control.sock", "campus/network.json", "campus/lock"):
        path = runtime_directory / "netsim" / removed
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert not held.is_in_place()
        held.restore()
        listeners.append(listen(held))
        assert held.is_in_place()
        assert [found.name for found in state_directory.running()] == ["campus"]
        state_directory.find("campus").connect(timeout=5).close()
    for listener in listeners:
        listener.close()
    held.release()
    assert list(runtime_directory.iterdir()) == []


def test_the_directory_of_a_successor_is_left_alone(runtime_directory: Path) -> None:
    held = StateDirectory.claim("campus")
    shutil.rmtree(runtime_directory / "netsim")
    successor = claim_in_another_process("campus")
    try:
        with pytest.raises(NameTakenError, match="another network"):
            held.restore()
        held.release()
        assert [found.name for found in state_directory.running()] == ["campus"]
        assert state_directory.find("campus").summary()["supervisor_pid"] == successor.pid
    finally:
        successor.kill()
        successor.communicate()


def test_whatever_somebody_puts_there_breaks_nothing(runtime_directory: Path) -> None:
    outside = runtime_directory / "precious"
    outside.mkdir()
    (outside / "data").touch()
    held = StateDirectory.claim("campus")
    deep = held.path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").touch()
    (held.path / "link").symlink_to(outside)
    (held.path.parent / "stray").mkdir()
    (held.path.parent / "stray" / "file").touch()
    (held.path.parent / "notes.txt").touch()
    assert [found.name for found in state_directory.running()] == ["campus"]
    held.release()
    assert state_directory.running() == []
    assert (outside / "data").exists(), "no link is followed"
    left = sorted(path.name for path in held.path.parent.iterdir())
    assert left == ["notes.txt", "stray"], "what is not ours stays"
    with pytest.raises(NameTakenError, match="is no network's, and in the way; move it"):
        StateDirectory.claim("stray")
    assert (held.path.parent / "stray" / "file").exists()


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_modes_are_what_they_are_whatever_the_umask(umask: int) -> None:
    before = os.umask(umask)
    try:
        held = StateDirectory.claim("campus")
        log = state_directory.draft_log()
        held.adopt_log(log)
        with listen(held):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in held.path.iterdir()}
        assert set(modes.values()) == {0o600}, modes
        assert stat.S_IMODE(held.path.stat().st_mode) == 0o700
        held.release()
    finally:
        os.umask(before)
