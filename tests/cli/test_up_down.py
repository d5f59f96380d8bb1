from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest
from netsim_shell import FAKE_NETSIM, HOME, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path, up=FAKE_NETSIM)
    (tmp_path / "home.yaml").write_text(HOME)
    yield shell
    shell.close()


def read_until(stream: IO[str] | None, text: str) -> str:
    assert stream is not None
    seen = ""
    for line in stream:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"no {text!r} in {seen!r}")


def assert_gone(processes: list[psutil.Process]) -> None:
    """A zombie that init has not looked at yet is gone."""
    for process in processes:
        try:
            assert process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            continue


def test_a_detached_network_can_be_seen_used_and_taken_down(shell: Shell) -> None:
    code, out, err = shell.run("up", "-d", "home.yaml")
    assert (code, err) == (0, "")
    assert re.search(r"^alice +computer +1 +running +eth0 10\.0\.0\.1/24$", out, re.MULTILINE)
    assert "curl http://127.0.0.1:8080/    # enters at alice, goes to web:80\n" in out
    assert re.search(r"^home is up: 2 nodes, 1 link in .* s; netsim down takes", out, re.MULTILINE)

    code, out, _ = shell.run("ps", "--json")
    (row,) = json.loads(out)
    assert list(row) == [
        "name",
        "file",
        "supervisor_pid",
        "started",
        "nodes",
        "state",
        "speed",
        "failed_programs",
        "faults",
    ]
    assert (row["name"], row["file"]) == ("home", str(shell.folder / "home.yaml"))
    family = [psutil.Process(row["supervisor_pid"])]
    assert "".join(family[0].cmdline()) == "netsim:home"
    family += family[0].children(recursive=True)
    assert len(family) == 2

    assert shell.run("down") == (0, "home is down\n", "")
    assert_gone(family)
    assert list((shell.folder / "run").iterdir()) == []
    assert shell.run("ps", "--json")[1] == "[]\n"


@pytest.mark.parametrize("options", [("-d",), ("-d", "--json")])
def test_a_doubtful_file_is_told_of_and_starts(shell: Shell, options: tuple[str, ...]) -> None:
    lost = HOME.replace("alice: {kind: computer", "alice: {kind: computer, gateway: 10.0.1.77")
    (shell.folder / "home.yaml").write_text(lost)
    code, _, err = shell.run("up", *options, "home.yaml")
    assert code == 0
    assert re.fullmatch(r"home\.yaml:3:36: warning: no node has the address 10\.0\.1\.77.*\n", err)


def test_an_order_that_real_time_does_not_draw_is_told_of(shell: Shell) -> None:
    (shell.folder / "home.yaml").write_text(f"order: random\n{HOME}")
    code, _, err = shell.run("up", "-d", "home.yaml")
    assert code == 0
    assert err == (
        "home.yaml:1:8: warning: the `order` of the file is drawn in virtual time only: "
        "here it is asyncio's\n"
    )


def test_several_networks_run_side_by_side(shell: Shell) -> None:
    assert shell.run("up", "-d", "home.yaml")[0] == 0
    assert shell.run("up", "-d", "home.yaml", "--name", "other")[0] == 0
    table = [line.split() for line in shell.run("ps")[1].splitlines()]
    assert [row[0] for row in table] == ["NAME", "home", "other"]
    assert table[1][2] != table[2][2], "each has a supervisor of its own"
    code, _, err = shell.run("up", "-d", "home.yaml")
    assert code == 1
    assert re.fullmatch(
        r"netsim: home is already running \(pid \d+\); netsim down home, or give .* --name\n", err
    )
    code, _, err = shell.run("exec", "alice", "ip")
    assert code == 1
    assert "say which with --name: home, other" in err
    assert shell.run("exec", "--name", "other", "alice", "crash")[0] == 7
    code, _, err = shell.run("down")
    assert code == 1
    assert "2 networks are running; write `down NAME`, or `down --all`: home, other" in err
    code, out, err = shell.run("down", "home", "nosuch")
    assert (code, out) == (1, "")
    assert "no network `nosuch` is running" in err
    assert shell.run("down", "other", "home") == (0, "other is down\nhome is down\n", "")
    assert shell.run("down", "home")[0] == 1
    assert shell.run("down", "--all") == (0, "", "")


def test_down_takes_a_name_as_an_option(shell: Shell) -> None:
    assert shell.run("up", "-d", "home.yaml")[0] == 0
    assert shell.run("down", "--name", "home") == (0, "home is down\n", "")


def test_json_of_a_detached_network_is_one_document(shell: Shell) -> None:
    code, out, _ = shell.run("up", "-d", "--json", "home.yaml")
    assert code == 0
    assert set(json.loads(out)) >= {"name", "nodes", "links", "ports"}


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_foreground_network_ends_with_a_signal(shell: Shell, ending: signal.Signals) -> None:
    with shell.start("up", "home.yaml") as up:
        read_until(up.stdout, "home is up")
        family = psutil.Process(up.pid).children(recursive=True)
        up.send_signal(ending)
        assert up.communicate() == ("home is down\n", "")
        assert up.returncode == 0
        assert_gone(family)
    assert list((shell.folder / "run").iterdir()) == []


def test_down_ends_a_network_in_the_foreground(shell: Shell) -> None:
    with shell.start("up", "home.yaml") as up:
        read_until(up.stdout, "home is up")
        assert shell.run("down") == (0, "home is down\n", "")
        assert up.wait(10) == 0


def test_a_state_directory_that_is_removed_is_made_anew(shell: Shell) -> None:
    with shell.start("up", "home.yaml") as up:
        read_until(up.stdout, "home is up")
        for _ in range(2):
            shutil.rmtree(shell.state_root)
            read_until(up.stdout, "it has been made anew")
            assert "home" in shell.run("ps")[1]
        assert shell.run("down") == (0, "home is down\n", "")
        assert up.wait(10) == 0
    assert not shell.state_root.exists()


@pytest.mark.parametrize("options", [[], ["-d"]])
def test_a_state_directory_that_is_removed_while_nodes_start(
    shell: Shell, options: list[str]
) -> None:
    with shell.start("up", *options, "home.yaml", fake="removed") as up:
        read_until(up.stdout, "home is up")
        assert "home" in shell.run("ps")[1]
        assert shell.run("down") == (0, "home is down\n", "")
        assert up.wait(10) == 0
    assert not shell.state_root.exists()


def test_a_full_disk_does_not_end_what_has_started(shell: Shell) -> None:
    with shell.start("up", "home.yaml", fake="full") as up:
        read_until(up.stdout, "the network goes on without that")
        assert shell.run("exec", "alice", "ip")[0] == 0
        assert shell.run("down") == (0, "home is down\n", "")
        assert up.wait(10) == 0


def test_a_network_whose_name_is_taken_meanwhile_ends(shell: Shell) -> None:
    with shell.start("up", "home.yaml") as first:
        read_until(first.stdout, "home is up")
        first.send_signal(signal.SIGSTOP)
        shutil.rmtree(shell.state_root)
        with shell.start("up", "home.yaml") as second:
            read_until(second.stdout, "home is up")
            first.send_signal(signal.SIGCONT)
            read_until(first.stdout, "nobody finds this one: it ends")
            assert first.wait(10) == 1
            assert shell.run("down") == (0, "home is down\n", "")
            assert second.wait(10) == 0


def test_events_are_shown(shell: Shell) -> None:
    with shell.start("up", "home.yaml") as up:
        read_until(up.stdout, "home is up")
        shell.run("exec", "alice", "say")
        assert "0.000 s  log        web: something happened\n" in read_until(up.stdout, "happened")
        up.terminate()
        up.communicate()


def test_json_in_the_foreground_is_a_document_and_then_events(shell: Shell) -> None:
    with shell.start("up", "--json", "home.yaml") as up:
        assert up.stdout is not None
        assert json.loads(up.stdout.readline())["name"] == "home"
        shell.run("exec", "alice", "say")
        assert json.loads(up.stdout.readline())["text"] == "something happened"
        up.terminate()
        assert up.communicate() == ("", "")


def test_a_second_ctrl_c_kills(shell: Shell) -> None:
    with shell.start("up", "home.yaml", fake="stubborn") as up:
        read_until(up.stdout, "home is up")
        up.send_signal(signal.SIGINT)
        read_until(up.stdout, "stopping")
        up.send_signal(signal.SIGINT)
        assert up.communicate() == ("home is down\n", "")
        assert up.returncode == 130
    assert list((shell.folder / "run").iterdir()) == []


def test_interrupted_while_starting(shell: Shell) -> None:
    with shell.start("up", "home.yaml", fake="slow") as up:
        read_until(up.stdout, "starting")
        up.send_signal(signal.SIGINT)
        up.communicate()
        assert up.returncode == 130
    assert list((shell.folder / "run").iterdir()) == []


def test_down_ends_a_network_that_is_still_starting(shell: Shell) -> None:
    with shell.start("up", "home.yaml", fake="slow") as up:
        read_until(up.stdout, "starting")
        assert shell.run("ps")[1].split()[-1] == "starting"
        code, _, err = shell.run("exec", "alice", "ip")
        assert code == 1
        assert "home is still starting; try again" in err
        assert shell.run("down") == (0, "home is down\n", "")
        assert up.wait(10) == 130


@pytest.mark.parametrize("options", [[], ["-d"]])
def test_a_network_that_does_not_start_leaves_nothing(shell: Shell, options: list[str]) -> None:
    code, out, err = shell.run("up", *options, "home.yaml", fake="failing")
    assert (code, out, err) == (1, "", "netsim: web: port 80 is served twice\n")
    assert list((shell.folder / "run").iterdir()) == []


def test_virtual_time_is_for_scenarios(shell: Shell) -> None:
    code, out, err = shell.run("up", "--time", "virtual", "home.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("netsim up: a network that is up runs in real time; netsim test runs ")


def test_a_name_that_no_network_can_have(shell: Shell) -> None:
    code, out, err = shell.run("up", "home.yaml", "--name", "Ho me")
    assert (code, out) == (2, "")
    assert err.startswith("netsim: `Ho me` cannot name a network; ")


@pytest.mark.parametrize("options", [[], ["-d"]])
def test_an_invalid_file_starts_nothing(shell: Shell, options: list[str]) -> None:
    (shell.folder / "bad.yaml").write_text("name: home\nnodse: {}\n")
    code, out, err = shell.run("up", *options, "bad.yaml")
    assert (code, out) == (2, "")
    assert "bad.yaml:2:1: " in err
    assert "Traceback" not in err
    assert list((shell.folder / "run").iterdir()) == []


def test_an_interrupted_detaching_takes_the_supervisor_along(shell: Shell) -> None:
    with shell.start("up", "-d", "home.yaml", fake="slow") as up:
        log = shell.state_root / "home" / "log"
        while not (log.exists() and log.read_text()):  # the supervisor's own output
            assert up.poll() is None
        up.send_signal(signal.SIGINT)
        up.communicate()
        assert up.returncode == 130
    assert list((shell.folder / "run").iterdir()) == []


def test_what_a_killed_supervisor_leaves_goes_with_the_next_command(shell: Shell) -> None:
    shell.run("up", "-d", "home.yaml")
    supervisor = psutil.Process(json.loads(shell.run("ps", "--json")[1])[0]["supervisor_pid"])
    nodes = supervisor.children(recursive=True)
    supervisor.kill()
    psutil.wait_procs([supervisor], 5)
    assert (shell.state_root / "home").exists()
    code, out, err = shell.run("down", "home")
    assert (code, out, err) == (0, "home had crashed; what it left is removed\n", "")
    assert_gone(nodes)
    assert list((shell.folder / "run").iterdir()) == []


def test_a_reader_that_leaves_ends_the_network(shell: Shell) -> None:
    with shell.start("up", "home.yaml") as up:
        read_until(up.stdout, "home is up")
        assert up.stdout is not None
        up.stdout.close()
        shell.run("exec", "alice", "say")
        assert up.wait(10) == 1
        assert up.stderr is not None
        assert up.stderr.read() == ""
    assert list((shell.folder / "run").iterdir()) == []


def on_a_terminal(shell: Shell, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """The command in a session of its own on a new terminal; its other end is returned."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*FAKE_NETSIM, *arguments],
        cwd=shell.folder,
        env={**shell.environment, "TERM": "xterm-256color", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    return process, ours


def read_terminal_until(terminal: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        seen += os.read(terminal, 65_536)
    return seen


def test_a_terminal_shows_progress_and_colour(shell: Shell) -> None:
    process, terminal = on_a_terminal(shell, "up", "home.yaml")
    with process:
        seen = read_terminal_until(terminal, b"home is up")
        assert b"starting nodes" in seen
        assert b"1/2" in seen
        assert b"\x1b[1mNODE" in seen
        os.write(terminal, b"\x03")  # Ctrl-C
        read_terminal_until(terminal, b"home is down")
        assert process.wait(10) == 0
    os.close(terminal)


def test_a_closed_terminal_ends_the_network(shell: Shell) -> None:
    process, terminal = on_a_terminal(shell, "up", "home.yaml")
    with process:
        read_terminal_until(terminal, b"home is up")
        os.close(terminal)
        process.wait(10)
    assert list((shell.folder / "run").iterdir()) == []


def test_tests_that_are_killed_leave_no_network(tmp_path: Path) -> None:
    (tmp_path / "home.yaml").write_text(HOME)
    program = (
        "import json, pathlib, sys, netsim_shell\n"
        "shell = netsim_shell.Shell(pathlib.Path(sys.argv[1]), netsim_shell.FAKE_NETSIM)\n"
        "shell.run('up', '-d', 'home.yaml')\n"
        "print(json.loads(shell.run('ps', '--json')[1])[0]['supervisor_pid'], flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as tests:
        assert tests.stdout is not None
        supervisor = psutil.Process(int(tests.stdout.readline()))
        network = [supervisor, *supervisor.children(recursive=True)]
        tests.kill()
        assert psutil.wait_procs(network, 30)[1] == []
