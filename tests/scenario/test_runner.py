"""What a runner makes of steps, on a network that is only said to be one."""

from __future__ import annotations

from pathlib import Path

import pytest
from played_network import FakeNetwork, World

from netsim.scenario.fault_steps import PlannedFault
from netsim.scenario.results import ScenarioResult
from netsim.scenario.text_report import failure_lines

SECOND = 10**9
HTTP = 'http: {from: alice, url: "http://web/ip"}'


def failure(result: ScenarioResult) -> tuple[int, str, str]:
    """Line, expected and seen of the one thing that did not hold."""
    assert not result.held
    (step,) = result.failures
    return step.line, step.expected, step.seen


def test_steps_in_order_at_their_times(tmp_path: Path) -> None:
    world = World()
    result = world.run(
        tmp_path,
        f"  - {HTTP}\n"
        "  - down: {link: [alice, r1]}\n"
        "  - wait: 2s\n"
        "  - up: {link: [alice, r1]}\n"
        "  - hold: {link: [r1:eth1, r2]}\n"
        "  - release: {link: [r1:eth1, r2]}\n"
        "  - set: {link: [r2, web], loss: 5%, delay: 80ms, from: web}\n"
        "  - reset: {link: [r2, web]}\n"
        "  - flap: {link: [r2, web], period: 2s, times: 5}\n"
        "  - partition: {between: [[alice], [web, r2]]}\n"
        "  - repair\n"
        "  - crash: {node: r2}\n"
        "  - restart: {node: r2}\n"
        "  - stop: {node: r2}\n"
        "  - start: {node: r2}\n"
        "  - capture: {at: [r1:eth0, r2], to: out.pcapng}\n",
    )
    assert result.held, result.failures
    assert world.done == [
        (0.011, "down alice r1"),
        (2.012, "up alice r1"),
        (2.013, "hold r1:eth1 r2"),
        (2.014, "release r1:eth1 r2"),
        (2.015, "set {'loss': '5%', 'delay': '80ms'} from web r2 web"),
        (2.016, "reset r2 web"),
        (2.017, "flap 2s 5 r2 web"),
        (2.017, "partition ['alice'] ['web', 'r2']"),
        (2.017, "repair"),
        (2.017, "crash r2"),
        (2.017, "restart r2"),
        (2.017, "stop r2"),
        (2.017, "start r2"),
        (2.017, "capture r1:eth0 out.pcapng"),
        (2.017, "capture r2 out.pcapng"),
        (2.017, "stopped"),
    ]
    assert [(step.started_ns, step.ended_ns) for step in result.steps[:3]] == [
        (0, 10_000_000),
        (10_000_000, 11_000_000),
        (11_000_000, 2_011_000_000),
    ]
    assert [(fault.kind, fault.subject) for fault in result.faults] == [
        ("down", "alice – r1"),
        ("hold", "r1:eth1 – r2"),
        ("set", "r2 – web: loss 5%, delay 80ms"),
        ("flap", "r2 – web"),
        ("partition", "alice | web, r2"),
        ("crash", "r2"),
        ("stop", "r2"),
    ]
    assert (result.faults[0].started_ns, result.faults[0].ended_ns) == (11_000_000, 2_012_000_000)
    assert result.network_ns == 2_017_000_000
    assert result.seed == 5


BODY = "GET http://web/ip None None"


@pytest.mark.parametrize(
    ("check", "expected", "seen"),
    [
        ("expect: {status: 404}", "status 404", f"status 200 with body {BODY!r}"),
        (
            "expect: {status: 404, body: x}",
            "status 404, body with 'x'",
            f"status 200, body {BODY!r}",
        ),
        ("expect: {within: 5ms}", "within 5ms", "after 10ms"),
        ("expect: {time: 20ms ± 1ms}", "time 20ms ± 1ms", "time 10ms"),
        ("expect: {body: nothing}", "body with 'nothing'", "body 'GET http://web/ip None None'"),
        ("expect: {headers: {Server: x}}", "header Server with 'x'", "header Server missing"),
        (
            "expect: {headers: {Content-Type: json}}",
            "header Content-Type with 'json'",
            "header Content-Type 'text/plain'",
        ),
        (
            "expect: {status: 200, within: 5ms, body: nothing}",
            "body with 'nothing', within 5ms",
            "body 'GET http://web/ip None None', after 10ms",
        ),
        ("expect: {error: refused}", "an error with 'refused'", "none: status 200 after 10ms"),
        ("timeout: 5ms", "a response", "timed out after 0.005 s"),
    ],
)
def test_a_request_that_does_not_hold(tmp_path: Path, check: str, expected: str, seen: str) -> None:
    result = World().run(tmp_path, f'  - http: {{from: alice, url: "http://web/ip", {check}}}\n')
    assert failure(result) == (4, expected, seen)


@pytest.mark.parametrize(
    "check",
    [
        "expect: {status: 200, within: 10ms, time: 10ms, body: POST}",
        "expect: {headers: {Content-Type: text}}",
        "expect: {body: \"b'x'\"}",
        "expect: {body: \"{'A': '1'}\"}",
    ],
)
def test_a_request_that_holds(tmp_path: Path, check: str) -> None:
    words = f'from: alice, url: "http://web/ip", body: x, headers: {{A: 1}}, {check}'
    result = World().run(tmp_path, f"  - http: {{{words}}}\n")
    assert result.held, result.failures


@pytest.mark.parametrize(("error", "held"), [("refused", True), ('""', True), ("no route", False)])
def test_errors_may_be_expected(tmp_path: Path, error: str, held: bool) -> None:
    result = World().run(
        tmp_path,
        "  - down: {link: [alice, r1]}\n"
        f'  - http: {{from: alice, url: "http://web/ip", expect: {{error: {error}}}}}\n',
    )
    assert result.held == held
    if not held:
        refused = "ConnectionRefusedError: connection refused"
        assert failure(result) == (5, "an error with 'no route'", refused)


@pytest.mark.parametrize(
    ("step", "lost", "expected", "seen"),
    [
        ("ping: {from: alice, to: web}", 2, "", ""),
        ("ping: {from: alice, to: web}", 3, "a reply", "0 of 3 replies"),
        (
            "ping: {from: alice, to: web, count: 4, expect: {loss: 0%}}",
            1,
            "loss 0%",
            "loss 25% (3 of 4 replies, none to 4, rtt min/avg/max 5/6/7 ms: 5, 6, 7)",
        ),
        ("ping: {from: alice, to: web, count: 4, expect: {loss: 25%, rtt: 6ms}}", 1, "", ""),
        (
            "ping: {from: alice, to: web, expect: {rtt: < 6ms}}",
            0,
            "rtt < 6ms",
            "rtt 6ms (3 of 3 replies, rtt min/avg/max 5/6/7 ms: 5, 6, 7)",
        ),
        (
            "ping: {from: alice, to: web, expect: {rtt: < 6ms}}",
            3,
            "rtt < 6ms",
            "no reply (0 of 3 replies)",
        ),
        (
            "ping: {from: alice, to: web, count: 12, expect: {rtt: < 6ms}}",
            1,
            "rtt < 6ms",
            "rtt 10ms (11 of 12 replies, none to 12, rtt min/avg/max 5/10/15 ms: "
            "5, 6, 7, 8, 9, 10, 11, 12, 13, 14, …)",
        ),
        ("ping: {from: alice, to: web, expect: {ttl: 62}}", 0, "", ""),
        (
            "ping: {from: alice, to: web, expect: {ttl: < 62}}",
            2,
            "ttl < 62",
            "ttl 62 (1 of 3 replies, none to 2, 3)",
        ),
        (
            "ping: {from: alice, to: web, expect: {ttl: 62}}",
            3,
            "ttl 62",
            "no reply (0 of 3 replies)",
        ),
        ("path: {from: alice, to: web, expect: [r1, r2]}", 0, "", ""),
        ("path: {from: alice, to: web, expect: [r2]}", 0, "path [r2]", "path [r1, r2]"),
        ("path: {from: alice, to: web}", 0, "", ""),
        ("dns: {from: alice, name: web, expect: {a: 10.0.1.1}}", 0, "", ""),
        ("dns: {from: alice, name: web, expect: {a: 10.0.1.2}}", 0, "a 10.0.1.2", "a 10.0.1.1"),
        ("dns: {from: alice, name: web, expect: {a: none}}", 0, "a none", "a 10.0.1.1"),
        ("dns: {from: alice, name: nobody, expect: {a: none}}", 0, "", ""),
        ("dns: {from: alice, name: nobody}", 0, "an address", "a none"),
        ("transfer: {from: alice, to: web, size: 1MB, expect: {goodput: 4mbit}}", 0, "", ""),
        (
            "transfer: {from: alice, to: web, size: 1MB,"
            " expect: {goodput: '> 5mbit', within: 1500ms}}",
            0,
            "goodput > 5mbit, within 1.5s",
            "goodput 4mbit, after 2s",
        ),
        (
            "transfer: {from: alice, to: web, size: 1MB, timeout: 1s}",
            0,
            "completion",
            "no completion within 1s",
        ),
    ],
)
def test_other_checks(tmp_path: Path, step: str, lost: int, expected: str, seen: str) -> None:
    result = World(lost=lost).run(tmp_path, f"  - {step}\n")
    assert result.held == (not seen), result.failures
    if seen:
        assert failure(result) == (4, expected, seen)


@pytest.mark.parametrize(
    ("words", "expected", "seen"),
    [
        ("call: 'shop_checks:add', args: {a: 1, b: 2}", "", ""),
        ("call: 'shop_checks:add', args: {a: 1, b: 2}, expect: {returns: 3}", "", ""),
        (
            "call: 'shop_checks:add', args: {a: 1, b: 2}, expect: {returns: 4}",
            "it returns 4",
            "it returns 3",
        ),
        ("call: 'shop_checks:add', args: {a: 1, b: x}", "a return", "TypeError: unsupported"),
        ("call: 'shop_checks:add', args: {a: 1, b: x}, expect: {error: TypeError}", "", ""),
        ("call: 'shop_checks:add', args: {c: 1}", "a return", "TypeError: add() got an"),
        ("call: 'shop_checks:adds'", "a return", "shop_checks:adds: module"),
        ("call: 'shop_checks:forever', timeout: 3s", "a return", "no return within 3s"),
    ],
)
def test_own_functions(tmp_path: Path, words: str, expected: str, seen: str) -> None:
    (tmp_path / "shop_checks.py").write_text(
        "import asyncio\n"
        "async def add(a, b):\n    return a + b\n"
        "async def forever():\n    await asyncio.sleep(1e6)\n"
    )
    result = World().run(tmp_path, f"  - run: {{host: alice, {words}}}\n")
    assert result.held == (not seen), result.failures
    if seen:
        line, wanted, got = failure(result)
        assert (line, wanted) == (4, expected)
        assert got.startswith(seen)


def test_a_step_that_does_not_hold_stops_the_scenario(tmp_path: Path) -> None:
    world = World(status=lambda _: 503)
    words = 'from: alice, url: "http://web/", expect: {status: 200}'
    result = world.run(tmp_path, f"  - http: {{{words}}}\n  - down: {{link: [alice, r1]}}\n")
    assert failure(result) == (4, "status 200", "status 503")
    assert [what for _, what in world.done] == ["stopped"]
    assert len(result.failures[0].frames) == 1


def test_unless_it_says_continue(tmp_path: Path) -> None:
    world = World(status=lambda _: 503)
    words = 'from: alice, url: "http://web/", expect: {status: 200}'
    result = world.run(
        tmp_path, f"  - http: {{{words}}}\n    continue: true\n  - down: {{link: [alice, r1]}}\n"
    )
    assert failure(result) == (4, "status 200", "status 503")
    assert [what for _, what in world.done] == ["down alice r1", "stopped"]


def test_a_fault_that_cannot_be_done(tmp_path: Path) -> None:
    result = World().run(tmp_path, "  - start: {node: r1}\n")
    assert failure(result) == (4, "start to be done", "r1 is up already")


# The flow of steps


def test_eventually_tries_until_it_holds(tmp_path: Path) -> None:
    world = World(status=lambda network: 200 if network.now() > 3 * SECOND else 503)
    words = 'within: 10s, http: {from: alice, url: "http://web/", expect: {status: 200}}'
    result = world.run(tmp_path, f"  - eventually: {{{words}}}\n  - wait: 1s\n")
    assert result.held, result.failures
    assert round(result.steps[0].ended_ns, -3) == 3_010_000_000  # a try each 100 ms, 10 ms each


def test_eventually_gives_up(tmp_path: Path) -> None:
    world = World(status=lambda _: 503)
    words = (
        'within: 1s, every: 200ms, http: {from: alice, url: "http://web/", expect: {status: 200}}'
    )
    result = world.run(tmp_path, f"  - eventually: {{{words}}}\n  - wait: 1s\n")
    seen = "status 503, at the last of 5 tries, at 800ms; at the first, at 0s, the same"
    assert failure(result) == (4, "status 200, within 1s", seen)
    assert result.network_ns <= SECOND


def test_eventually_does_not_wait_for_a_try_that_hangs(tmp_path: Path) -> None:
    world = World(response=1e9)
    result = world.run(tmp_path, f"  - eventually: {{within: 10s, {HTTP}}}\n")
    line, _, seen = failure(result)
    assert (line, seen) == (4, "no answer, at the only try, at 0s")
    assert result.network_ns == 10 * SECOND


def test_eventually_tells_the_first_and_the_last_answer_and_a_try_that_hangs(
    tmp_path: Path,
) -> None:
    def status(network: FakeNetwork) -> int:
        world.response = 1e9 if network.now() > 600_000_000 else 0.01
        return 500 if network.now() < 100_000_000 else 503

    world = World(status=status)
    words = (
        'within: 1s, every: 200ms, http: {from: alice, url: "http://web/", expect: {status: 200}}'
    )
    result = world.run(tmp_path, f"  - eventually: {{{words}}}\n")
    assert failure(result)[2] == (
        "no answer, at the last of 5 tries, at 800ms; at the one before, at 600ms, status 503; "
        "at the first, at 0s, status 500"
    )


def test_repeat(tmp_path: Path) -> None:
    world = World()
    result = world.run(
        tmp_path, "  - repeat: {times: 3, steps: [wait: 1s, down: {link: [alice, r1]}]}\n"
    )
    assert result.held
    assert [what for _, what in world.done] == ["down alice r1"] * 3 + ["stopped"]
    assert [step.depth for step in result.steps] == [0] + [1] * 6


def test_parallel_takes_as_long_as_its_longest_step(tmp_path: Path) -> None:
    result = World().run(tmp_path, "  - parallel: [wait: 3s, wait: 5s, wait: 4s]\n  - wait: 1s\n")
    assert result.held
    assert result.network_ns == 6 * SECOND


def test_the_first_failure_in_parallel_ends_the_others(tmp_path: Path) -> None:
    world = World(status=lambda _: 503)
    words = 'from: alice, url: "http://web/", expect: {status: 200}'
    result = world.run(tmp_path, f"  - parallel: [wait: 3s, http: {{{words}}}]\n")
    assert failure(result)[1:] == ("status 200", "status 503")
    assert result.network_ns == 10_000_000
    assert [(step.verb, step.held) for step in result.steps] == [
        ("parallel", False),
        ("http", False),
    ]


def test_always_checks_while_other_steps_run(tmp_path: Path) -> None:
    seen: list[float] = []

    def status(network: FakeNetwork) -> int:
        seen.append(network.now() / SECOND)
        return 200

    world = World(status=status)
    checks = 'every: 2s, steps: [http: {from: alice, url: "http://web/", expect: {status: 200}}]'
    result = world.run(tmp_path, f"  - always: {{{checks}, while: {{wait: 5s}}}}\n")
    assert result.held, result.failures
    assert seen == [0.01, 2.01, 4.01, 5.01]


def test_always_fails_as_soon_as_a_check_does(tmp_path: Path) -> None:
    world = World(status=lambda network: 200 if network.now() < 3 * SECOND else 503)
    checks = 'every: 1s, steps: [http: {from: alice, url: "http://web/", expect: {status: 200}}]'
    result = world.run(tmp_path, f"  - always: {{{checks}, while: [wait: 9s, wait: 9s]}}\n")
    assert failure(result) == (4, "status 200", "status 503")
    assert [step.role for step in result.failures] == ["always"]
    assert result.network_ns == 3_010_000_000


def test_what_runs_meanwhile_may_fail_too(tmp_path: Path) -> None:
    checks = f"every: 1s, steps: [{HTTP}]"
    result = World().run(
        tmp_path, f"  - always: {{{checks}, while: [wait: 2s, start: {{node: r1}}]}}\n"
    )
    assert failure(result) == (4, "start to be done", "r1 is up already")


# Between steps


def test_invariants_are_checked_after_every_step(tmp_path: Path) -> None:
    invariants = 'invariants:\n  - http: {from: alice, url: "http://web/", expect: {status: 200}}\n'
    calls: list[int] = []
    world = World(status=lambda network: calls.append(network.now()) or 200)  # type: ignore[func-returns-value]
    steps = "  - wait: 1s\n  - repeat: {times: 2, steps: [wait: 1s]}\n"
    assert world.run(tmp_path, steps + invariants).held
    assert len(calls) == 4
    world = World(status=lambda network: 200 if network.now() < 2 * SECOND else 500)
    result = world.run(tmp_path, "  - wait: 1s\n  - wait: 1s\n  - wait: 1s\n" + invariants)
    assert failure(result) == (8, "status 200", "status 500")
    assert [step.role for step in result.steps] == ["step", "step", "invariant"]


def test_errors_of_programs_fail_the_scenario(tmp_path: Path) -> None:
    def status(network: FakeNetwork) -> int:
        network.log_error("Error handling request\nValueError: no such thing")
        return 500

    result = World(status=status).run(tmp_path, f"  - {HTTP}\n  - wait: 1s\n")
    seen = "web: Error handling request\nValueError: no such thing"
    assert failure(result) == (4, "no errors of programs", seen)
    assert [line.node for line in result.errors] == ["web"]
    expected = 'expected_errors: ["no such"]\n'
    result = World(status=status).run(tmp_path, f"  - {HTTP}\n  - wait: 1s\n" + expected)
    assert result.held
    assert len(result.errors) == 1


def test_an_exception_says_at_which_line_it_was_raised(tmp_path: Path) -> None:
    (tmp_path / "raising_checks.py").write_text("async def price():\n    return {}['price']\n")
    result = World().run(tmp_path, "  - run: {host: alice, call: 'raising_checks:price'}\n")
    assert failure(result)[2] == "KeyError: 'price' (raising_checks.py:2, in price)"


def test_a_failure_is_shown_with_what_was_broken_and_what_programs_said(tmp_path: Path) -> None:
    def status(network: FakeNetwork) -> int:
        network.log(30, "the database is away")
        network.log_error("Error handling request")
        return 404

    steps = (
        "  - down: {link: [alice, r1]}\n  - wait: 1s\n  - up: {link: [alice, r1]}\n"
        "  - set: {link: [r2, web], loss: 5%}\n"
        '  - http: {from: alice, url: "http://web/ip", expect: {status: 200}}\n'
    )
    lines = [line.strip() for line in failure_lines(World(status=status).run(tmp_path, steps))]
    assert [line for line in lines if "→ web" not in line and "ARP" not in line][2:6] == [
        "seen:     status 404 with body 'GET http://web/ip None None'",
        "broken:   down alice – r1, from 1ms to 1.002s",
        "broken:   set r2 – web: loss 5%, since 1.003s",
        "what programs logged:",
    ]
    assert "1.013000  web: the database is away" in lines
    assert lines[-1] == "web:      Error handling request"


def test_what_was_set_is_broken_until_the_link_is_reset(tmp_path: Path) -> None:
    """Whichever way the link is named; with ends that another link has, too."""
    result = World().run(
        tmp_path,
        "  - set: {link: [r1:eth1, r2], loss: 5%}\n"
        "  - set: {link: [alice, r1], delay: 80ms}\n"
        "  - down: {link: [alice, r1]}\n"
        "  - up: {link: [r1, alice]}\n"
        "  - reset: {link: [r2, r1:eth1]}\n",
    )
    assert [(each.kind, each.subject, each.ended_ns is None) for each in result.faults] == [
        ("set", "r1:eth1 – r2: loss 5%", False),
        ("set", "alice – r1: delay 80ms", True),
        ("down", "alice – r1", False),
    ]


def test_a_limit_of_network_time(tmp_path: Path) -> None:
    result = World(response=1e9).run(tmp_path, f"  - {HTTP}\nlimits: {{time: 1min}}\n")
    assert result.problem == "the limit of 1min of network time is over"
    assert failure(result) == (4, "to come to an end", result.problem)
    assert result.network_ns == 60 * SECOND


def test_a_limit_of_real_time(tmp_path: Path) -> None:
    result = World(response=1e-6).run(
        tmp_path, f"  - repeat: {{times: 1000000, steps: [{HTTP}]}}\nlimits: {{wall: 100ms}}\n"
    )
    assert "the limit of 0.1 s of real time is over" in result.problem
    line, expected, seen = failure(result)
    assert (line, expected, seen) == (4, "to come to an end", result.problem)


def test_a_deadlock_names_the_step_and_who_waits(tmp_path: Path) -> None:
    (tmp_path / "stuck_checks.py").write_text(
        "import asyncio\nasync def stuck():\n    await asyncio.Event().wait()\n"
    )
    result = World().run(
        tmp_path, "  - wait: 1s\n  - run: {host: alice, call: 'stuck_checks:stuck'}\n"
    )
    line, expected, seen = failure(result)
    assert (line, expected) == (5, "to come to an end")
    assert seen.startswith("nothing is left to happen at 1s, but")
    assert "Event.wait" in seen


# Faults at times of their own


def test_planned_faults_come_and_go_beside_the_steps(tmp_path: Path) -> None:
    world = World()
    faults = [
        PlannedFault(2 * SECOND, "crash", ("r2",), 3 * SECOND),
        PlannedFault(1 * SECOND, "down", ("alice", "r1"), 1 * SECOND),
        PlannedFault(4 * SECOND, "hold", ("r1:eth1", "r2"), 10 * SECOND),
    ]
    result = world.run(tmp_path, "  - wait: 6s\n", faults=faults)
    assert result.held, result.failures
    assert world.done == [
        (1.001, "down alice r1"),
        (2.0, "crash r2"),
        (2.002, "up alice r1"),
        (4.001, "hold r1:eth1 r2"),
        (5.0, "start r2"),
        (14.002, "release r1:eth1 r2"),
        (14.002, "stopped"),
    ]
    assert str(sorted(faults)[0]) == "down alice – r1 at 1s for 1s"


def test_invariants_hold_when_all_planned_faults_are_over(tmp_path: Path) -> None:
    invariants = f"invariants:\n  - {HTTP}\n"
    fault = PlannedFault(SECOND, "down", ("alice", "r1"), SECOND)
    assert World().run(tmp_path, f"  - wait: 10s\n{invariants}", faults=[fault]).held
    result = World().run(tmp_path, f"  - wait: 1500ms\n{invariants}", faults=[fault])
    assert failure(result)[1:] == ("a response", "ConnectionRefusedError: connection refused")


def test_measurements_become_samples(tmp_path: Path) -> None:
    result = World().run(
        tmp_path,
        f"  - {HTTP}\n  - ping: {{from: alice, to: web, count: 2}}\n"
        "  - transfer: {from: alice, to: web, size: 1MB}\n",
    )
    assert [(s.time_ns, s.kind, s.label, s.value) for s in result.samples] == [
        (10_000_000, "response", "alice → web", 10_000_000),
        (15_000_000, "rtt", "alice → web", 5_000_000),
        (1_016_000_000, "rtt", "alice → web", 6_000_000),
        (3_010_000_000, "goodput", "alice → web", 4_000_000),
    ]


def test_seeds(tmp_path: Path) -> None:
    assert World().run(tmp_path, "  - wait: 1s\nseed: 7\n").seed == 7
    assert World().run(tmp_path, "  - wait: 1s\nseed: 7\n", seed=0).seed == 0
