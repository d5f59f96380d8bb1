"""`trace` over the real control API, of a network that is only told of."""

from __future__ import annotations

import json

from netsim_shell import Shell

pytest_plugins = ("told_network",)


def test_the_command_prints_draws_and_tells(shell: Shell) -> None:
    code, out, err = shell.run("trace", "alice", "http://web/", "--svg", "web.svg")
    assert (code, err) == (0, "")
    assert out.startswith("GET http://web/ from alice: 200 OK")
    assert "\x1b" not in out
    assert (shell.folder / "web.svg").read_text().startswith("<svg ")
    code, out, _ = shell.run("trace", "--json", "alice", "http://web:81/")
    document = json.loads(out)
    assert (code, document["failure"]) == (1, "connection refused")
    assert {"text", "svg"}.isdisjoint(document)


def test_redirects_are_followed_where_that_is_asked_for(shell: Shell) -> None:
    asked = "GET http://web/{} from alice"
    once = shell.run("trace", "alice", "http://web/old")
    assert (once[0], once[1].count("GET http")) == (0, 1)
    code, out, err = shell.run("trace", "-L", "alice", "http://web/old")
    first, second = (line for line in out.splitlines() if line.startswith("GET http"))
    assert (code, err) == (0, "")
    assert first.startswith(asked.format("old"))
    assert second.startswith(asked.format("") + ": 200 OK")
    assert "\n\nGET " in out
    code, out, err = shell.run("trace", "-L", "alice", "http://web/loop")
    assert (code, out.count("GET http://web/loop from")) == (1, 11)
    assert err == "netsim: more than 10 redirects; the next leads to http://web/loop\n"


def test_the_command_says_what_is_wrong(shell: Shell) -> None:
    assert shell.run("trace", "alice", "web")[::2] == (
        2,
        "netsim: `web` is no URL; write for example `http://web/`\n",
    )
    code, out, err = shell.run("trace", "alice", "http://web/", "--svg", "no/such/folder.svg")
    assert (code, out) == (1, "")
    assert "no/such/folder.svg: No such file or directory" in err
    assert shell.run("trace", "alice", "http://web/", "--timeout", "0")[0] == 2
