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


def test_the_command_says_what_is_wrong(shell: Shell) -> None:
    assert shell.run("trace", "alice", "web")[::2] == (
        2,
        "netsim: `web` is no URL; write for example `http://web/`\n",
    )
    code, out, err = shell.run("trace", "alice", "http://web/", "--svg", "no/such/folder.svg")
    assert (code, out) == (1, "")
    assert "no/such/folder.svg: No such file or directory" in err
    assert shell.run("trace", "alice", "http://web/", "--timeout", "0")[0] == 2
