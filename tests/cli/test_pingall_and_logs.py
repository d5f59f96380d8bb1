"""`pingall` and `logs` over the real control API, of a network that is only told of."""

from __future__ import annotations

import json

from netsim_shell import Shell

from netsim.network.timing import Timing

pytest_plugins = ("told_network",)


def test_pingall_shows_rows_and_totals(shell: Shell) -> None:
    assert shell.run("pingall") == (
        1,
        "*** Ping: who reaches whom\n"
        "alice -> X\n"
        "web   -> alice\n"
        "*** Round trips: min/avg/max = 1.500/1.500/1.500 ms\n"
        "*** Results: 50% dropped (1/2 received)\n",
        "",
    )


def test_pingall_shows_each_round_trip_where_it_is_asked_to(shell: Shell) -> None:
    code, out, _ = shell.run("pingall", "--full")
    assert code == 1
    assert "\n alice->web: no answer\n web->alice: rtt 1.500 ms\n***" in out


def test_pingall_as_json_is_in_the_order_of_the_nodes(shell: Shell) -> None:
    code, out, err = shell.run("pingall", "--json", "--name", "home")
    assert (code, err) == (1, "")
    assert json.loads(out) == {
        "nodes": ["alice", "web"],
        "pings": [
            {"from": "alice", "to": "web", "rtt_ms": None},
            {"from": "web", "to": "alice", "rtt_ms": 1.5},
        ],
        "sent": 2,
        "received": 1,
        "dropped_percent": 50.0,
        "timing": Timing().as_dict(),
    }


def test_times_that_cannot_be_trusted_are_told_beside_the_facts(shell: Shell) -> None:
    said = "netsim: timing cannot be trusted: 12,000 frames up to 94 ms late, at web\n"
    code, out, err = shell.run("pingall", "--routers")
    assert (code, err) == (1, said)
    assert "timing" not in out
    code, out, err = shell.run("pingall", "--routers", "--json")
    assert (code, err) == (1, said)
    assert json.loads(out)["timing"]["late_frames"] == 12_000
    assert shell.run("exec", "alice", "late") == (0, "", said)
    assert shell.run("exec", "--all", "late") == (0, "", said)
    assert shell.run("exec", "alice", "echo", "in time") == (0, "in time", "")
    code, out, err = shell.run("inspect")
    since = "netsim: since the start: timing cannot be trusted: 48,000 frames up to 94 ms late"
    assert (code, err) == (0, f"{since}, at web\n")
    assert "timing" not in out
    code, out, err = shell.run("inspect", "--json")
    assert (code, err) == (0, f"{since}, at web\n")
    assert json.loads(out)["timing"]["text"] == err.strip().partition("start: ")[2]


def test_logs_are_shown_and_what_is_lost_is_counted(shell: Shell) -> None:
    assert shell.run("logs") == (0, "", "")
    shell.run("exec", "alice", "log", "disk full")
    assert shell.run("logs") == (0, "     1.500 s  web    error     disk full\n", "")
    assert shell.run("logs", "alice") == (0, "", "")
    for _ in range(4):
        shell.run("exec", "alice", "log", "again")
    code, out, err = shell.run("logs", "web", "-n", "2")
    assert (code, out) == (0, "     1.500 s  web  error     again\n" * 2)
    assert err == "2 earlier lines are not kept any more\n"
    document = json.loads(shell.run("logs", "--json")[1])
    assert (document["dropped"], len(document["lines"])) == (2, 3)
    assert shell.run("logs", "alcie")[0] == 1


def test_events_stand_between_lines_where_they_are_asked_for(shell: Shell) -> None:
    shell.run("exec", "alice", "log", "disk full")
    shell.run("exec", "alice", "happen", "carrier", "alice:eth0 carrier lost")
    shell.run("exec", "web", "happen", "routes", "routes of web have changed")
    assert shell.run("logs")[1] == "     1.500 s  web    error     disk full\n"
    carrier = "     1.600 s  alice  warning   carrier         alice:eth0 carrier lost\n"
    assert shell.run("logs", "--events", "--since", "400ms", "--level", "warning") == (
        0,
        carrier,
        "",
    )
    code, out, err = shell.run("logs", "--events", "alice", "web")
    assert (code, len(out.splitlines()), err) == (0, 3, "")
    for _ in range(4):
        shell.run("exec", "web", "happen", "routes", "again")
    code, out, err = shell.run("logs", "--events", "alice")
    assert (code, out, err) == (0, "", "3 earlier events are not kept any more\n")
    document = json.loads(shell.run("logs", "--events", "--json", "-n", "1")[1])
    assert [each["kind"] for each in document["lines"]] == ["routes"]
    assert document["dropped_events"] == 3
    code, out, err = shell.run("logs", "--since", "yesterday")
    assert (code, out) == (2, "")
    assert "10ms" in err
    assert shell.run("logs", "--level", "loud")[0] == 2


def test_logs_are_followed_until_the_network_ends(shell: Shell) -> None:
    shell.run("exec", "alice", "log", "first")
    with shell.start("logs", "-f", "--json") as logs:
        assert logs.stdout is not None
        assert json.loads(logs.stdout.readline())["text"] == "first"
        shell.run("exec", "alice", "log", "second")
        assert json.loads(logs.stdout.readline())["text"] == "second"
        shell.run("down")
        assert logs.communicate() == ("", "")
        assert logs.returncode == 0


def test_metrics_are_printed_as_prometheus_reads_them(shell: Shell) -> None:
    code, out, err = shell.run("metrics")
    assert (code, err) == (0, "")
    assert 'netsim_node_up{kind="computer",node="alice"} 1.0\n' in out
    assert shell.run("metrics", "--name", "nowhere")[0] == 1
