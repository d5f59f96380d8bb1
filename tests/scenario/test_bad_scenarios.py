"""Every mistake a person makes in a scenario file, where it is shown and what is said.

The marks (`▶`) are explained in mistakes.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from mistakes import check_mistakes

from netsim import InvalidFileError
from netsim.scenario.load_scenario import load_scenario

LAN = """\
name: lan
nodes:
  alice: {kind: computer}
  bob: {kind: computer}
  web: {kind: computer}
  s1: {kind: switch}
  r1: {kind: router}
  r2: {kind: router}
links:
  - [alice, s1]
  - [bob, s1]
  - [s1, r1]
  - [r1, r2]
  - [r1, r2]
  - [r2, web]
"""
HEAD = "name: x\ntopology: lan.yaml\n"


def step(text: str) -> str:
    """A scenario with one step."""
    return f"{HEAD}steps:\n  - {text}\n"


def http(words: str) -> str:
    """A scenario with one request and more words."""
    return step(f'http: {{from: alice, url: "http://web/", {words}}}')


CASES: dict[str, tuple[str, list[str]]] = {
    # The file
    "empty": ("▶", ["the file is empty", "`name`, `topology` and `steps`"]),
    "a list": ("▶- wait: 1s\n", ["cannot be a list; write a mapping with the keys name, topology"]),
    "no name": ("▶topology: lan.yaml\nsteps: [wait: 1s]\n", ["the key `name` is missing; write"]),
    "name with line ends": ('name: ▶"a\\nb"\ntopology: lan.yaml\nsteps: [wait: 1s]\n', ["a line"]),
    "no topology": ("▶name: x\nsteps: [wait: 1s]\n", ["the key `topology` is missing; write"]),
    "topology that is not there": (
        "name: x\ntopology: ▶wan.yaml\nsteps: [wait: 1s]\n",
        ["there is no file `wan.yaml` beside this one; write"],
    ),
    "no steps": ("▶name: x\ntopology: lan.yaml\n", ["the key `steps` is missing; write"]),
    "steps that are empty": (f"▶{HEAD}steps: []\n", ["there are no steps; write"]),
    "steps as a mapping": (HEAD + "steps: ▶{wait: 1s}\n", ["`steps` cannot be a mapping; write a"]),
    "unknown key": (HEAD + "▶step: []\nsteps: [wait: 1s]\n", ["unknown key `step`; write `steps`"]),
    "time": (HEAD + "time: ▶vritual\nsteps: [wait: 1s]\n", ["no time; write `virtual`"]),
    "seed": (HEAD + "seed: ▶one\nsteps: [wait: 1s]\n", ["`one` is not a seed"]),
    "order": (HEAD + "order: ▶lifo\nsteps: [wait: 1s]\n", ["no order of tasks; write `fifo`"]),
    "order in real time": (
        HEAD + "time: real\norder: ▶random\nsteps: [wait: 1s]\n",
        ["is drawn in virtual time only; leave it out, or write `time: virtual`"],
    ),
    "sometimes": (
        HEAD + "steps: [wait: 1s]\nsometimes:\n  - log: {node: ▶wbe, text: x}\n",
        ["there is no node `wbe`; write `web`"],
    ),
    "sometimes a fault": (
        HEAD + "steps: [wait: 1s]\nsometimes:\n  - ▶down: {link: [r2, web]}\n",
        ["unknown step `down`; write one of"],
    ),
    "limits": (HEAD + "limits: {▶tim: 1s}\nsteps: [wait: 1s]\n", ["`tim`; write `time`"]),
    "limit without unit": (HEAD + "limits: {wall: ▶60}\nsteps: [wait: 1s]\n", ["has no unit"]),
    "limit of nothing": (HEAD + "limits: {time: ▶0s}\nsteps: [wait: 1s]\n", ["cannot be 0"]),
    "expected errors": (
        HEAD + "expected_errors: ▶timeout\nsteps: [wait: 1s]\n",
        ["`expected_errors` cannot be the text `timeout`; write a list"],
    ),
    # Steps
    "unknown step": (step("▶htp: {from: alice}"), ["unknown step `htp`; write `http`"]),
    "step of another tool": (step("▶sleep: 3s"), ["unknown step `sleep`; write `wait`"]),
    "expectation beside its check": (
        step('▶http: {from: alice, url: "http://web/"}\n    expect: {status: 200}'),
        ["`expect` belongs to a check; write it inside: `http: {…, expect: …}`"],
    ),
    "step that is text": (step("▶wait"), ["the text `wait` is no step; write a verb"]),
    "step without a verb": (step("▶continue: true"), ["a step is missing; write one of http"]),
    "empty step": (
        "name: x\ntopology: lan.yaml\nsteps:\n  -▶\n",
        ["a step is missing; write one of http"],
    ),
    "two steps in one": (
        step("▶wait: 1s\n    repair: {}"),
        ["`repair` and `wait` are 2 steps; write each"],
    ),
    "wait without unit": (step("wait: ▶30"), ["`30` has no unit; write a duration"]),
    "continue": (step("wait: 1s\n    continue: ▶maybe"), ["`continue` cannot be"]),
    # Checks
    "http without from": (
        step('▶http: {url: "http://web/"}'),
        ["`from` is missing; write", "alice"],
    ),
    "http without url": (
        step("▶http: {from: alice}"),
        ["`url` is missing; write", "http://web/ip"],
    ),
    "http from nobody": (
        step('http: {from: ▶alcie, url: "http://web/"}'),
        ["there is no node `alcie`; write `alice`"],
    ),
    "http from a switch": (
        step('http: {from: ▶s1, url: "http://web/"}'),
        ["`s1` is a switch, not a computer or router; write for example `alice`"],
    ),
    "http to nobody": (
        step('http: {from: alice, url: ▶"http://wbe/"}'),
        ["there is no node `wbe`; write `web`"],
    ),
    "http to another domain": (
        step('http: {from: alice, url: ▶"http://web.lam.test/"}'),
        ["no node is called `web.lam.test`; write `web.lan.test`"],
    ),
    "url without scheme": (
        step("http: {from: alice, url: ▶web/ip}"),
        ["`web/ip` is no URL; write"],
    ),
    "method": (http("method: ▶GET /"), ["is no method; write"]),
    "timeout": (http("timeout: ▶5"), ["`5` has no unit"]),
    "unknown word of http": (http("▶expects: {}"), ["unknown key `expects`; write `expect`"]),
    "unknown expectation": (
        http("expect: {▶stauts: 200}"),
        ["unknown key `stauts`; write `status`"],
    ),
    "status": (http("expect: {status: ▶OK}"), ["`OK` is not a whole number; write"]),
    "within": (http("expect: {within: ▶50}"), ["`50` has no unit"]),
    "within as a comparison": (http('expect: {within: ▶"< 50ms"}'), ["is not a duration; write"]),
    "body": (http("expect: {body: ▶[a]}"), ["this is no text; write it in quotes"]),
    "expectation that is text": (http("expect: ▶200"), ["`expect` cannot be the number 200"]),
    "ping to nobody": (
        step("ping: {from: alice, to: ▶wed}"),
        ["there is no node `wed`; write `web`"],
    ),
    "ping count": (step("ping: {from: alice, to: web, count: ▶0}"), ["no number of times"]),
    "ping counts for ever": (
        step("ping: {from: alice, to: web, count: ▶10000000}"),
        ["`10000000` is no number of times; write a whole number from 1 to 1000000"],
    ),
    "ping size": (step("ping: {from: alice, to: web, size: ▶1MiB}"), ["do not fit"]),
    "loss": (step("ping: {from: alice, to: web, expect: {loss: ▶0}}"), ["`0` has no unit"]),
    "rtt": (
        step("ping: {from: alice, to: web, expect: {rtt: ▶5ms ± 1}}"),
        ["`1` has no unit; write a duration"],
    ),
    "path over nobody": (
        step("path: {from: alice, to: web, expect: [r1, ▶r3]}"),
        ["there is no node `r3`; write one of"],
    ),
    "path over a switch": (
        step("path: {from: alice, to: web, expect: [▶s1, r1]}"),
        ["`s1` is a switch, not a router; write for example `r1`, `r2`"],
    ),
    "path as text": (step("path: {from: alice, to: web, expect: ▶r1}"), ["write a list"]),
    "dns": (
        step("dns: {from: alice, name: web, expect: {a: ▶10.0.3}}"),
        ["`10.0.3` is no address"],
    ),
    "dns record": (
        step("dns: {from: alice, name: web, expect: {▶aaa: 10.0.3.1}}"),
        ["unknown key `aaa`; write one of `a`"],
    ),
    "transfer without size": (step("▶transfer: {from: web, to: alice}"), ["`size` is missing"]),
    "transfer size": (step("transfer: {from: web, to: alice, size: ▶20}"), ["`20` has no unit"]),
    "transfer to itself": (
        step("transfer: {from: web, to: ▶web, size: 1MiB}"),
        ["`web` sends to itself; write"],
    ),
    "goodput": (
        step('transfer: {from: web, to: alice, size: 1MiB, expect: {goodput: ▶">= 80"}}'),
        ["`80` has no unit; write a rate"],
    ),
    "run": (
        step("run: {host: alice, call: ▶shop.checkout}"),
        ["`module:attr`; write", "shop:checkout"],
    ),
    "run a module that is not there": (
        step('run: {host: alice, call: ▶"no_such_module:main"}'),
        ["there is no module `no_such_module`; write"],
    ),
    "run on a switch": (step('run: {host: ▶s1, call: "os:nice"}'), ["`s1` is a switch"]),
    # Faults
    "down without a link": (step("▶down: {}"), ["the key `link` is missing; write", "[r1, r2]"]),
    "down of nothing": (step("down: {link: ▶r1-r2}"), ["a link is named by its ends; write"]),
    "one end": (step("down: {link: ▶[r1]}"), ["a link has two ends, not 1"]),
    "no such link": (
        step("down: {link: ▶[alice, web]}"),
        ["no link joins `alice` and `web`; write `[alice, s1]`"],
    ),
    "several links": (
        step("down: {link: ▶[r2, r1]}"),
        ["2 links join `r2` and `r1`; write one of them", "`[r1:eth1, r2:eth0]`"],
    ),
    "no such end": (step("hold: {link: [alice, ▶s2]}"), ["there is no node `s2`; write"]),
    "no such interface": (
        step("hold: {link: [r1:eth1, ▶r2:eth7]}"),
        ["`r2` has no interface `eth7`; write `eth"],
    ),
    "flap without period": (step("▶flap: {link: [alice, s1]}"), ["`period` is missing; write"]),
    "flap for ever": (
        step("flap: {link: [alice, s1], period: 1s, times: ▶always}"),
        ["no number of times"],
    ),
    "set nothing": (step("set: ▶{link: [alice, s1]}"), ["nothing is set; write"]),
    "set loss": (step("set: {link: [alice, s1], loss: ▶5}"), ["`5` has no unit"]),
    "set unknown": (step("set: {link: [alice, s1], ▶dely: 5ms}"), ["`dely`; write `delay`"]),
    "set from elsewhere": (
        step("set: {link: [alice, s1], loss: 5%, from: ▶r1}"),
        ["`r1` is no end of this link; write `alice` or `s1`"],
    ),
    "partition": (
        step("partition: {between: ▶[alice, web]}"),
        ["between two groups of nodes; write"],
    ),
    "partition of one": (
        step("partition: {between: ▶[[alice]]}"),
        ["two groups with a node in each"],
    ),
    "partition of nobody": (
        step("partition: {between: [[alice], [▶wbe]]}"),
        ["there is no node `wbe`; write `web`"],
    ),
    "partition with itself": (
        step("partition: {between: ▶[[alice, bob], [bob]]}"),
        ["`bob` is in both groups; write"],
    ),
    "drop to nobody": (
        step("drop: {from: alice, to: ▶wbe}"),
        ["there is no node `wbe`; write `web`"],
    ),
    "drop at a switch": (
        step("drop: {from: ▶s1, to: web}"),
        ["`s1` is a switch, not a computer or router; write"],
    ),
    "drop to itself": (step("drop: ▶{from: web, to: web}"), ["`web` is both ends; write two"]),
    "drop of icmp at a port": (
        step("drop: ▶{from: alice, to: web, protocol: icmp, port: 1}"),
        ["icmp has no ports; write"],
    ),
    "isolate a switch": (
        step("isolate: {between: [[▶s1], [web]]}"),
        ["`s1` is a switch, not a computer or router; write"],
    ),
    "reset without port": (step("▶reset_connections: {to: web}"), ["`port` is missing"]),
    "reset at no port": (
        step("reset_connections: {to: web, port: ▶70000}"),
        ["`70000` is no port; write 1 to 65535"],
    ),
    "cut without bytes": (step("▶cut_connections: {to: web, port: 80}"), ["`after` is missing"]),
    "slow close at once": (
        step("slow_close: {to: web, port: 80, delay: ▶0s}"),
        ["this cannot be 0; write"],
    ),
    "refuse none": (
        step("refuse_connections: {to: web, port: 80, first: ▶0}"),
        ["no number of times"],
    ),
    "pause a router": (
        step("pause: {node: ▶r1}"),
        ["`r1` is a router, not a computer; write"],
    ),
    "crash": (step("crash: {node: ▶r3}"), ["there is no node `r3`; write one of"]),
    "crash as text": (
        step("crash: ▶r2"),
        ["`crash` cannot be the text `r2`; write a mapping", "node"],
    ),
    "capture": (step("capture: {at: ▶r1:eth9, to: x.pcapng}"), ["has no interface `eth9`; write"]),
    "captures": (
        step("capture: {at: [r1, ▶r9, ▶alice:eth3], to: x.pcapng}"),
        ["there is no node `r9`", "`alice` has no interface `eth3`"],
    ),
    "capture of what": (
        step("capture: {at: r1, to: x.pcapng, filter: ▶host wbe or port 80}"),
        ["there is no host `wbe`; write `web`"],
    ),
    "capture with no filter": (
        step("capture: {at: r1, to: x.pcapng, filter: ▶tcp prot 80}"),
        ["`prot` is no word of a filter; write `port`"],
    ),
    "capture into no folder": (
        step("capture: {at: r1, to: ▶caps/x.pcapng}"),
        ["there is no folder `caps`; make it, or write another path"],
    ),
    "capture of nothing": (step("capture: {at: ▶[], to: x.pcapng}"), ["nothing is named"]),
    "capture without file": (step("▶capture: {at: r1}"), ["`to` is missing"]),
    "record": (
        step("record: {at: [r1, ▶r1:eth9, ▶r9], to: x.csv}"),
        ["has no interface `eth9`; write", "there is no node `r9`; write"],
    ),
    "record nothing": (step("record: {at: ▶[], to: x.csv}"), ["nothing is named; write"]),
    "record of a node": (step("record: {at: ▶r9, to: x.csv}"), ["there is no node `r9`; write"]),
    "record at no time": (step("record: {at: r1, to: x.csv, every: ▶0s}"), ["write"]),
    # The flow
    "parallel": (step("parallel: ▶{wait: 1s}"), ["`parallel` cannot be a mapping; write a list"]),
    "in parallel": (
        step("parallel: [{wait: 1s}, {crash: {node: ▶r9}}]"),
        ["there is no node `r9`; write"],
    ),
    "repeat without times": (step("▶repeat: {steps: [wait: 1s]}"), ["`times` is missing"]),
    "in repeat": (step("repeat: {times: 2, steps: [wait: ▶1]}"), ["`1` has no unit"]),
    "always without while": (
        step("▶always: {every: 1s, steps: [{ping: {from: alice, to: web}}]}"),
        ["`while` is missing; write"],
    ),
    "always breaks something": (
        step("always: {every: 1s, steps: [{▶down: {link: [alice, s1]}}], while: {wait: 1s}}"),
        ["unknown step `down`; write"],
    ),
    "while": (
        step(
            "always: {every: 1s, steps: [{ping: {from: alice, to: web}}],"
            " while: {crash: {node: ▶r9}}}"
        ),
        ["there is no node `r9`"],
    ),
    "eventually what": (
        step("eventually: ▶{within: 10s}"),
        ["a step is missing; write one of http"],
    ),
    "eventually when": (
        step("▶eventually: {ping: {from: alice, to: web}}"),
        ["`within` is missing; write"],
    ),
    "in eventually": (
        step("eventually: {within: 10s, ping: {from: alice, to: ▶wev}}"),
        ["there is no node `wev`"],
    ),
    "invariants": (
        step("wait: 1s") + "invariants:\n  - ▶wait: 1s\n",
        ["unknown step `wait`; write"],
    ),
    # What may break
    "explore nothing": (
        step("wait: 1s") + "explore: {faults: ▶{at_most: 3}}\n",
        ["nothing may break"],
    ),
    "explore kinds": (
        step("wait: 1s") + "explore: {faults: {nodes: [r1], kinds: [▶cash]}}\n",
        ["`cash` is no", "write `crash`"],
    ),
    "explore links": (
        step("wait: 1s") + "explore: {faults: {links: [▶[alice, web]]}}\n",
        ["no link joins"],
    ),
    "explore crashes of no node": (
        step("wait: 1s") + "explore: {faults: ▶{links: [[alice, s1]], kinds: [crash]}}\n",
        ["`crash` is for nodes; write"],
    ),
    # Several at once
    "all in one go": (
        "name: x\ntopology: lan.yaml\n▶sede: 1\nsteps:\n"
        "  - wait: ▶30\n"
        "  - http: {from: ▶alcie, url: ▶web}\n"
        "  - ▶pingg: {from: alice, to: web}\n"
        "  - ping: {from: alice, to: ▶wbe, expect: {rtt: ▶5}}\n",
        [
            "unknown key `sede`; write `seed`",
            "`30` has no unit",
            "there is no node `alcie`",
            "`web` is no URL",
            "unknown step `pingg`; write `ping`",
            "there is no node `wbe`",
            "`5` has no unit",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_is_shown_where_it_is(case: str, tmp_path: Path) -> None:
    (tmp_path / "lan.yaml").write_text(LAN)
    check_mistakes(tmp_path / "bad.yaml", *CASES[case], load=load_scenario)


def test_mistakes_in_the_topology_are_shown_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lan.yaml").write_text(LAN.replace("{kind: switch}", "{kind: swich}"))
    (tmp_path / "x.yaml").write_text(step("wait: 1"))
    with pytest.raises(InvalidFileError) as caught:
        load_scenario("x.yaml")
    assert [(p.file, p.line) for p in caught.value.problems] == [("x.yaml", 4), ("lan.yaml", 6)]


def test_what_is_wrong_in_another_place_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "lan.yaml").write_text(LAN)
    file = tmp_path / "x.yaml"
    for good in (step("wait: 1s"), http("expect: {error: ''}").replace("//web", "//nobody")):
        file.write_text(good)
        load_scenario(file)
