"""A search finds the faults that break a program, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import write_stores

from netsim.scenario.explore import Exploration, explore
from netsim.scenario.found_scenario import fault_lines, found_text, unmovable
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.results import ScenarioResult

SECOND = 10**9


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(1)
    yield pool
    pool.close()


def search(file: Path, pool: Pool, *, seed: int = 0, examples: int = 40) -> Exploration:
    seen: list[tuple[int, bool]] = []
    exploration = explore(
        load_scenario(file),
        pool,
        seed=seed,
        examples=examples,
        progress=lambda tried, is_shrinking: seen.append((tried, is_shrinking)),
    )
    assert [is_shrinking for _, is_shrinking in seen] == sorted(each for _, each in seen)
    return exploration


def run(file: Path, pool: Pool) -> ScenarioResult:
    ((_, result),) = pool.run([Job(load_scenario(file))])
    return result


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stores(tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="module")
def found(file: Path, pool: Pool) -> Exploration:
    return search(file, pool)


def test_two_faults_that_break_it_together_are_found_and_fail_again(
    file: Path, found: Exploration, pool: Pool
) -> None:
    kinds = sorted((fault.kind, fault.subject) for fault in found.faults)
    assert kinds == [("crash", ("a",)), ("crash", ("b",))]
    # Shortest, and at the earliest time when there is something to lose.
    assert {fault.lasting_ns for fault in found.faults} == {SECOND // 100}
    assert {fault.at_ns for fault in found.faults} <= {SECOND, SECOND + SECOND // 10}

    assert found.is_shrunk_enough
    assert found.result is not None
    written = file.with_name("stores.found.yaml")
    written.write_text(found_text(load_scenario(file), found, file.parent))
    again = run(written, pool)
    assert [(step.role, step.text, step.expected, step.seen) for step in again.failures] == [
        (step.role, step.text, step.expected, step.seen) for step in found.result.failures
    ]
    assert again.network_ns == found.result.network_ns
    assert again.failures[0].role == "invariant"
    # Without one of its faults it holds: both are needed.
    text = written.read_text()
    lines = [line for line in text.splitlines() if line.startswith("  - {crash")]
    assert len(lines) == 2
    for line in lines:
        written.write_text(text.replace(f"{line}\n", ""))
        assert run(written, pool).held


def test_equal_seeds_find_the_same_in_the_same_way(
    file: Path, found: Exploration, pool: Pool
) -> None:
    again = search(file, pool)
    assert (again.tried, again.faults) == (found.tried, found.faults)
    assert again.tried > 1
    assert [str(fault) for fault in again.faults] == [
        "crash a at 1s for 10ms",
        "crash b at 1s for 10ms",
    ]
    assert fault_lines(again) == ["crash a, from 1s to 1.01s", "crash b, from 1s to 1.01s"]


def test_a_file_in_another_folder_finds_what_it_needs(
    file: Path, found: Exploration, pool: Pool
) -> None:
    scenario = load_scenario(file)
    folder = file.parent / "kept"
    folder.mkdir()
    (problem,) = unmovable(scenario, folder)[:1]
    assert str(problem) == (
        f"{file}:8:5: `store_app:write_both` is looked up beside the file; "
        "`--write` into its folder"
    )
    assert unmovable(scenario, file.parent) == []
    # Where the module is installed it may be anywhere.
    (folder / "store_app.py").write_text((file.parent / "store_app.py").read_text())
    assert unmovable(scenario, folder) == []
    written = folder / "lost.yaml"
    written.write_text(found_text(scenario, found, folder))
    assert "topology: ../net.yaml   # all on one switch\n" in written.read_text()
    assert not run(written, pool).held


def test_what_a_single_fault_cannot_break_holds(tmp_path: Path, pool: Pool) -> None:
    found = search(write_stores(tmp_path, at_most=1), pool, examples=15)
    assert (found.faults, found.result) == ((), None)
    assert 5 < found.tried <= 15


def test_nothing_is_searched_for_in_what_fails_anyway(tmp_path: Path, pool: Pool) -> None:
    file = write_stores(tmp_path)
    file.write_text(file.read_text().replace("returns: true", "returns: 5"))
    found = search(file, pool)
    assert (found.tried, found.faults, found.result) == (0, (), None)
    assert not found.faultless.held


def test_a_step_that_waits_for_ever_is_no_failure(tmp_path: Path, pool: Pool) -> None:
    # Nobody tells the client that the server has lost its power while it was working.
    file = write_stores(tmp_path)
    program = tmp_path / "store_app.py"
    slow = "import asyncio\n        await asyncio.sleep(2)\n        return web.Response()"
    patient = program.read_text().replace(
        "timeout=TIMEOUT, raise", "timeout=aiohttp.ClientTimeout(None), raise"
    )
    program.write_text(patient.replace("return web.Response()", slow))
    text = file.read_text().replace(", expect: {within: 2s}", "")
    faults = "faults: [{at: 2s, crash: {node: a}, lasting: 1s}]\n"
    file.write_text(f"{text}\n{faults}limits: {{time: 50s}}\n")
    result = run(file, pool)
    assert result.held, result.problem
    assert result.network_ns == 50 * SECOND


def test_faults_of_every_kind_are_written_as_they_are_read(tmp_path: Path, pool: Pool) -> None:
    file = write_stores(tmp_path)
    text = file.read_text().partition("# What may break")[0]
    faults = [
        "down: {link: [client, s1]}",
        "hold: {link: [a, s1]}",
        "crash: {node: b}",
        "kill_program: {node: a}",
        "pause: {node: client}",
        "drop: {from: client, to: a, both_ways: true, port: 80}",
        "isolate: {between: [[client], [a, b]]}",
        "reset_connections: {to: a, port: 80}",
        "cut_connections: {to: a, port: 80, after: 0B}",
        "stall_connections: {to: b, port: 80, from: client}",
        "slow_close: {to: b, port: 80, delay: 2s}",
        "refuse_connections: {to: a, port: 80, first: 2}",
    ]
    lines = [f"  - {{{fault}, at: {20 * i}s, lasting: 1s}}" for i, fault in enumerate(faults)]
    file.write_text("\n".join([text, "faults:", *lines]))
    scenario = load_scenario(file)
    assert [fault.kind for fault in scenario.faults] == [each.partition(":")[0] for each in faults]
    result = ScenarioResult("x", "x", 0, "virtual", False, "", ())
    kinds = tuple(fault.kind for fault in scenario.faults)
    exploration = Exploration(0, result, 1, kinds, 0, SECOND, scenario.faults, result)
    written = tmp_path / "again.yaml"
    written.write_text(found_text(scenario, exploration, tmp_path))
    assert load_scenario(written).faults == scenario.faults
    done = run(file, pool)
    assert done.problem == ""
    assert [fault.kind for fault in done.faults] == list(kinds)
    assert all(fault.ended_ns is not None for fault in done.faults)


def test_what_runs_record_is_not_left(tmp_path: Path, pool: Pool) -> None:
    file = write_stores(tmp_path)
    scenario = file.read_text()
    assert "\nsteps:\n" in scenario
    record = "\nsteps:\n  - record: {at: a, to: out.csv}\n"
    file.write_text(scenario.replace("\nsteps:\n", record))
    before = sorted(path.name for path in tmp_path.iterdir())
    assert search(file, pool, examples=2).tried
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == before


def test_that_shrinking_has_ended_early_is_told(
    file: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsim.scenario.explore.MOST_TO_SHRINK", 1)
    exploration = search(file, pool)
    assert exploration.faults
    assert not exploration.is_shrunk_enough


def test_threads_that_block_are_searched_through(tmp_path: Path, pool: Pool) -> None:
    # Without a route `connect` fails at once, and the worker tries again at once.
    (tmp_path / "orders.py").write_text(THREADS)
    (tmp_path / "orders_net.yaml").write_text(
        "name: net\nnodes:\n  app: {kind: computer, run: 'orders:shop'}\n"
        "  web: {kind: computer, run: 'orders:serve', ready: 7000}\n"
        "links: [{endpoints: [app, web], delay: 10ms}]\n"
    )
    file = tmp_path / "orders.yaml"
    file.write_text(
        "name: no order arrives twice\ntopology: orders_net.yaml\nsteps: [wait: 8s]\n"
        "invariants: [run: {host: web, call: 'orders:once', expect: {returns: true}}]\n"
        "explore: {faults: {links: [[app, web]], kinds: [down], at_most: 1, lasting: 3s}}\n"
    )
    exploration = search(file, pool)
    assert [fault.kind for fault in exploration.faults] == ["down"]
    written = tmp_path / "orders.found.yaml"
    written.write_text(found_text(load_scenario(file), exploration, tmp_path))
    again = run(written, pool)
    assert not again.held
    assert again.failures[0].seen == "it returns False"


THREADS = """\
import queue, socket, socketserver, threading, time
jobs, got = queue.Queue(), []


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            got.append(int(line))
            self.wfile.write(b"ok\\n")


def serve():
    with socketserver.ThreadingTCPServer(("", 7000), Handler) as server:
        server.daemon_threads = True
        server.serve_forever()


def work():
    while True:
        number = jobs.get()
        try:
            with socket.create_connection(("web", 7000), 1) as sock, sock.makefile("rw") as file:
                file.write(f"{number}\\n")
                file.flush()
                if not file.readline():
                    raise ConnectionError
        except OSError:
            jobs.put(number)  # it may have arrived


def shop():
    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    for number in range(6):
        jobs.put(number)
        time.sleep(1)


def once():
    return len(got) == len(set(got))
"""
