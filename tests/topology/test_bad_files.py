"""Every mistake a person makes in a topology file, where it is shown and what is said.

The marks (`▶`) are explained in mistakes.py.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from mistakes import MARK, check_mistakes

from netsim.core.errors import InvalidFileError
from netsim.topology.load_topology import load_plan

# A network that holds, to put one mistake into: computers a and b at switch s.
NODES = """\
name: lan
nodes:
  a: {kind: computer}
  b: {kind: computer}
  s: {kind: switch}
"""
LAN = NODES + "links:\n  - [a, s]\n  - [b, s]\n"


def at_a(words: str) -> str:
    """The lan with more words at computer a."""
    return LAN.replace("a: {kind: computer}", f"a: {{kind: computer, {words}}}")


def at_link(words: str) -> str:
    """The lan with more words at its first link."""
    return LAN.replace("- [a, s]", f"- {{endpoints: [a, s], {words}}}")


def two_lans(*, a: str = "{kind: computer}", r: str = "{kind: router}") -> str:
    """a – s – r – t – b, with r a router."""
    return (
        f"name: lans\nnodes:\n  a: {a}\n  b: {{kind: computer}}\n  r: {r}\n"
        "  s: {kind: switch}\n  t: {kind: switch}\n"
        "links:\n  - [a, s]\n  - [s, r]\n  - [r, t]\n  - [t, b]\n"
    )


def routers(rb: str) -> str:
    """ra – rb – server, whose addresses are given."""
    return (
        "name: two\nnodes:\n  ra: {kind: router, address: {eth0: 10.1.0.1/30}}\n"
        f"  rb: {{kind: router, address: {rb}}}\n"
        "  server: {kind: computer, address: 192.168.2.10/24}\n"
        "links:\n  - [ra, rb]\n  - [rb, server]\n"
    )


CASES: dict[str, tuple[str, list[str]]] = {
    # YAML itself
    "empty": ("▶", ["the file is empty; write"]),
    "only a comment": ("▶# nothing\n", ["the file is empty"]),
    "a list": ("▶- name: x\n", ["cannot be a list; write a mapping with the keys name"]),
    "plain text": ("▶hello\n", ["the file cannot be the text `hello`", "nodes, links"]),
    "nodes not indented": (
        "name: x\nnodes:▶\n▶a: {kind: computer}\n",
        ["`nodes` is empty", "unknown key `a`; indent it below `nodes`"],
    ),
    "nodes that are empty": (
        "name: x\nnodes:▶\nlinks: []\n",
        ["`nodes` is empty; write for example `nodes: {alice"],
    ),
    "misspelt nodes": ("name: x\n▶nods:\n  a: {kind: computer}\n", ["`nods`; write `nodes`"]),
    "misspelt kind": (LAN.replace("a: {kind", "a: {▶knd"), ["`knd`; write `kind`"]),
    "the nesting of containerlab": (
        "name: x\n▶topology:\n  nodes:\n    a: {kind: ▶linux, ▶image: alpine}\n"
        '  links: [{endpoints: ["a:eth1", ▶"b:eth1"]}]\n',
        [
            "`topology` is containerlab's; write `nodes` and `links` without it, not indented",
            "`linux` is no kind; write `computer`, or `router`",
            "`image` is another tool's; leave it out",
            "there is no node `b`",
        ],
    ),
    "kind not indented": (
        "name: x\nnodes:\n  ▶a:\n  kind: ▶computer\n",
        ["`kind` is missing", "`kind` stands where nodes stand; indent it below"],
    ),
    "a word of Mininet": (at_link("▶bw: 10mbit"), ["unknown key `bw`; write `bandwidth`"]),
    "a word of Toxiproxy": (at_link("▶latency: 10ms"), ["unknown key `latency`; write `delay`"]),
    "unclosed bracket": (LAN + "seed: [1\n▶", ["expected ',' or ']'"]),
    "tab": ("name: x\nnodes:\n▶\ta: {}\n", ["a tab cannot indent in YAML; write spaces"]),
    "two colons": ("name: x▶: y\n", ["a second `:`"]),
    "reserved character": ("name: ▶@x\n", ["cannot start with `@`", "quotes"]),
    "two documents": (LAN + "▶---\nname: y\n", ["a second document"]),
    "duplicate key": (LAN + "▶name: again\n", ["`name` is already on line 1"]),
    "duplicate node": (
        LAN.replace("  s: {", "  ▶a: {kind: computer}\n  s: {"),
        ["`a` is already on line 3"],
    ),
    "duplicate key beside others": (
        LAN.replace("{kind: switch}", "{kind: ▶swtch}") + "▶name: again\nseed: ▶x\n",
        ["`swtch` is no kind", "`name` is already on line 1", "`x` is not a seed"],
    ),
    "a section twice blames nobody else": (
        LAN + "▶links:\n  - [a, nobody]\n",
        ["`links` is already on line 6"],
    ),
    "tag that runs code": (
        LAN + "seed: ▶!!python/object/apply:os.system [id]\n",
        ["`!!python/object/apply:os.system` is refused"],
    ),
    "own tag": (at_a("env: ▶!secret {A: b}"), ["`!secret` is refused"]),
    "anchor that recurses": (at_a("env: &e {A: ▶*e}"), ["stands inside the value it refers to"]),
    "unknown anchor": (at_a("env: ▶*e"), ["`*e` has no anchor"]),
    "anchors that explode": (
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)
        ).replace("*a4, *a4, *a4, *a4, *a4", "*a4, *a4, *a4, *a4, ▶*a4", 1),
        ["more than 500000 values"],
    ),
    "nested without end": (
        "name: " + "[" * 31 + "▶" + "[" * 1000,
        ["nested more than 32 levels deep"],
    ),
    "control character": ("name: ▶\x07\n", ["control character (U+0007)"]),
    "merge key": (at_a("▶<<: {env: {A: b}}"), ["merge keys (`<<`)"]),
    "list as key": (LAN + "? ▶[a]\n: b\n", ["a key is plain text"]),
    # The head of the file
    "no name": (MARK + LAN.replace("name: lan\n", ""), ["`name` is missing; write", "campus"]),
    "name that walks out": (LAN.replace("lan", "▶../../etc"), ["cannot name a network", "`etc`"]),
    "name with capitals": (LAN.replace("lan", "▶My Lan"), ["for example `my-lan`"]),
    "no nodes": ("▶name: x\n", ["the key `nodes` is missing"]),
    "nodes as a list": (
        "name: x\nnodes: ▶[a, b]\n",
        ["`nodes` cannot be a list; write a mapping"],
    ),
    "unknown key": (LAN + "▶sed: 7\n", ["unknown key `sed`; write `seed`"]),
    "unknown key, nothing near": (
        LAN + "▶xyzzy: 7\n",
        ["unknown key `xyzzy`; write one of `name`"],
    ),
    "seed": (LAN + 'seed: ▶"seven"\n', ["`seven` is not a seed; write a whole number"]),
    "domain": (LAN + "domain: ▶a..b\n", ["`a..b` is no domain", "campus.test"]),
    "routing": (LAN + "routing: ▶ospf\n", ["`ospf` is no routing; write auto, static or none"]),
    "convergence": (LAN + "convergence: ▶50\n", ["`50` has no unit", "ns, us, ms, s, min or h"]),
    "pool with host bits": (LAN + "addressing: ▶10.1.0.0/8\n", ["write `10.0.0.0/8`"]),
    "pool too small": (
        LAN + "addressing: {pool: 10.0.0.0/25, prefix: ▶24}\n",
        ["a subnet of /24 does not fit in the pool of /25"],
    ),
    "pool of multicast": (LAN + "addressing: ▶224.0.0.0/8\n", ["no subnets can be cut"]),
    # Kinds and words of nodes
    "no kind": (LAN.replace("  a: {kind: computer}", "  ▶a: {}"), ["`kind` is missing"]),
    "empty node": (LAN.replace("  a: {kind: computer}", "  ▶a:"), ["`kind` is missing"]),
    "misspelled kind": (
        LAN.replace("s: {kind: switch", "s: {kind: ▶swich"),
        ["`swich` is no kind; write `switch`"],
    ),
    "kind from elsewhere": (
        LAN.replace("s: {kind: switch", "s: {kind: ▶linux"),
        ["`linux` is no kind; write `computer`"],
    ),
    "kind from nowhere": (
        LAN.replace("s: {kind: switch", "s: {kind: ▶modem"),
        ["`modem` is no kind; write computer, switch or router"],
    ),
    "node that is text": (
        LAN.replace("{kind: switch}", "▶switch"),
        ["`s` cannot be the text `switch`; write `s: {kind: switch}`"],
    ),
    "node name": (
        LAN.replace("  a: {", "  ▶a.1: {").replace("[a", "[▶a.1"),
        ["cannot name a node", "cannot name a node"],
    ),
    "names that differ in case": (
        LAN.replace("  s: {", "  ▶A: {kind: switch}\n  s: {") + "  - [A, s]\n",
        ["`a` and `A` are one name: case does not matter; rename one"],
    ),
    "a name in the wrong case": (
        LAN.replace("  a: {", "  Web_1: {").replace("[a", "[▶web_1"),
        ["there is no node `web_1`; write `Web_1`"],
    ),
    "unknown node key": (at_a("▶adress: 10.0.0.1/24"), ["unknown key `adress`; write `address`"]),
    "node named like a key": (
        LAN.replace("  a: {", "  env: {▶cont: 1, ").replace("[a", "[env"),
        ["unknown key `cont`; write `count`"],
    ),
    "count zero": (at_a("count: ▶0"), ["`0` is not a count"]),
    "count without end": (at_a("count: ▶100000000"), ["100000000 nodes are too many", "10000"]),
    "too many in sum": (
        LAN.replace("nodes:", "▶nodes:")
        .replace("a: {", "a: {count: 6000, ")
        .replace("b: {", "b: {count: 6000, "),
        ["12001 nodes are too many"],
    ),
    "member named twice": (
        LAN.replace("  a: {", "  b-x: {count: 2, ")
        .replace("  b: {", "  ▶b-x-2: {")
        .replace("[a", "[b-x")
        .replace("[b,", "[b-x-2,"),
        ["`b-x-2` names two nodes"],
    ),
    "service at a router": (
        two_lans(r="{kind: router, ▶services: {80: a:b}}"),
        ["a router runs no programs; write `services` at a computer"],
    ),
    "address of a switch": (
        LAN.replace("kind: switch", "kind: switch, ▶address: 10.0.1.1/24"),
        ["a switch has no addresses"],
    ),
    "environment value": (at_a("env: {A: ▶true}"), ["put it in quotes"]),
    "environment name": (at_a("env: {▶A-B: x}"), ["`A-B` cannot name a variable"]),
    # Services, programs, ports
    "service without colon": (
        at_a("services: {80: ▶shop.web.create_app}"),
        ["`shop.web.create_app` is not `module:attr`; write for example `shop.web:create_app`"],
    ),
    "service port": (at_a("services: {▶80000: a:b}"), ["`80000` is not a TCP port"]),
    "service port as text": (at_a('services: {▶"80": a:b}'), ["`80` is not a TCP port"]),
    "service without program": (
        at_a("services: {80: ▶{}}"),
        ["a service is one program; write one of `app`, `asgi`, `wsgi`, `files` and `upst"],
    ),
    "service with two programs": (
        at_a("services: {80: ▶{app: a:b, files: .}}"),
        ["a service is one program; `app` and `files` are written; write one of"],
    ),
    "service of three": (
        at_a("services: {80: ▶{app: a:b, asgi: a:b, wsgi: a:b}}"),
        ["`app`, `asgi` and `wsgi` are written"],
    ),
    "arguments of a folder": (
        at_a("services: {80: ▶{files: ., args: {x: 1}}}"),
        ["`args` go to the factory of an application; remove them"],
    ),
    "asgi without colon": (
        at_a("services: {80: {asgi: ▶shop.api.app}}"),
        ["`shop.api.app` is not `module:attr`; write for example `shop.api:app`"],
    ),
    "service key": (
        at_a("services: {80: {app: a:b, ▶arg: {}}}"),
        ["unknown key `arg`; write `args`"],
    ),
    "no such folder": (at_a("services: {80: {files: ▶./nowhere}}"), ["there is no folder /"]),
    "run": (at_a("run: ▶main"), ["`main` is not `module:attr`; write for example `mypackage."]),
    "run a file": (at_a("run: {call: ▶server.py}"), ["`server.py` is a file", "`server:main`"]),
    "run a file of a package": (
        at_a("run: {call: ▶./shop/api.py}"),
        ["is a file", "`shop.api:main`"],
    ),
    "run a command": (at_a("run: {call: ▶python server.py}"), ["`python server.py` is a command"]),
    "service of a file": (at_a("services: {80: ▶web.py}"), ["is a file", "`web:create_app`"]),
    "upstream of a node": (
        at_a("▶upstream: '127.0.0.1:5432'"),
        ["`upstream` is not there yet; write `services: {5432: {upstream:"],
    ),
    "tls of a node": (at_a("▶tls: true"), ["`tls` is not there yet; write `services: {443: {app"]),
    "command of a service": (
        at_a("services: {80: {▶command: nginx}}"),
        ["`command` is not there yet; write `app`"],
    ),
    "exec of a service": (
        at_a("services: {80: {▶exec: nginx}}"),
        ["`exec` is not there yet; write `app`"],
    ),
    "port form": (
        at_a("ports: [▶8080]"),
        ["`8080` is not a port to publish", "127.0.0.1:8080:web:80"],
    ),
    "port out of range": (at_a('ports: [▶"127.0.0.1:80800:b:80"]'), ["`80800` is not a port"]),
    "port 0 inside": (at_a('ports: [▶"127.0.0.1:8080:b:0"]'), ["`0` is not a port"]),
    "port open to the world": (
        at_a('ports: [▶"0.0.0.0:8080:b:80"]'),
        ["would open the port to other machines; write `127.0.0.1`"],
    ),
    "port twice": (
        at_a('ports: ["127.0.0.1:8080:b:80", ▶"localhost:8080:b:81"]'),
        ["127.0.0.1:8080 is already published by `a`"],
    ),
    "port to nobody": (
        at_a('ports: ["8080:b.lan.test:80", ▶"8081:bb:80"]'),
        ["there is no node `bb`; write `b`"],
    ),
    "port to a switch": (at_a('ports: [▶"8080:s:80"]'), ["`s` is a switch"]),
    "port of counted nodes": (
        at_a('count: 2, ports: [▶"8080:b:80"]'),
        ["cannot share the host port 8080; write `0`"],
    ),
    # Addresses
    "address without prefix": (at_a("address: ▶10.0.3.10"), ["write for example `10.0.3.10/24`"]),
    "no address": (at_a("address: ▶10.0.3.300/24"), ["`10.0.3.300` is no address"]),
    "broadcast": (
        at_a("address: ▶10.0.3.255/24"),
        ["is the broadcast address of 10.0.3.0/24; write one from 10.0.3.1 to 10.0.3.254"],
    ),
    "network address": (at_a("address: ▶10.0.3.0/24"), ["is the network address"]),
    "multicast address": (at_a("address: ▶224.0.0.5/24"), ["no host can have 224.0.0.5"]),
    "host route as subnet": (at_a("address: ▶10.0.3.10/32"), ["`/32` cannot be a subnet"]),
    "IPv6": (at_a('address: ▶"fd00::1/64"'), ["IPv6 is not there yet"]),
    "same address twice": (
        at_a("address: 10.0.3.10/24").replace("b: {", "b: {address: ▶10.0.3.10/24, "),
        ["10.0.3.10 is already the address of `a`"],
    ),
    "outside the subnet": (
        at_a("address: 10.0.3.10/24").replace("b: {", "b: {address: ▶10.0.4.10/24, "),
        ["10.0.4.10/24 is outside 10.0.3.0/24, the subnet that `a` gives to the network at s"],
    ),
    "overlapping subnets": (
        two_lans(a="{kind: computer, address: 10.0.3.10/24}").replace(
            "b: {", "b: {address: ▶10.0.9.9/16, "
        ),
        ["10.0.0.0/16 of the network at t overlaps 10.0.3.0/24 that `a` gives"],
    ),
    "several interfaces": (
        two_lans(r="{kind: router, address: ▶10.0.3.1/24}"),
        ["`r` has 2 interfaces; write `address: {eth0: …, eth1: …}`"],
    ),
    "no such interface": (
        two_lans(r="{kind: router, address: {▶wlan: 10.0.3.1/24}}"),
        ["`r` has no interface `wlan`, as 2 links lead to it; write one of `eth0`, `eth1`, or a f"],
    ),
    "addresses exchanged": (
        routers("{eth0: ▶192.168.2.1/24, eth1: 10.1.0.2/30}"),
        [
            "`rb:eth0` is the link to `ra` (interfaces are numbered in the order of `links`), and "
            "the address of `eth1` fits there; exchange the two"
        ],
    ),
    "link forgotten": (
        routers("{eth0: ▶172.16.0.1/24, eth1: ▶10.1.0.2/30, ▶eth2: 192.168.2.1/24}"),
        [
            "`rb:eth0` is the link to `ra` (interfaces are numbered in the order of `links`), and "
            "the address of `eth1` fits there; write the link that is missing before it",
            "`rb:eth1` is the link to `server`",
            "`rb` has no interface `eth2`, as 2 links lead to it",
        ],
    ),
    "address of counted nodes": (
        at_a("count: 2, ▶address: 10.0.3.10/24"),
        ["cannot share an address"],
    ),
    "full subnet": (
        LAN.replace("a: {", "a: {address: 10.0.3.1/30, ").replace(
            "  s: {", "  ▶c: {kind: computer}\n  s: {"
        )
        + "  - [c, s]\n",
        ["10.0.3.0/30 has no address left for `c`"],
    ),
    "pool used up": (
        two_lans().replace("b: {", "b: {count: 9, ") + "addressing: ▶10.0.0.0/28\n",
        ["10.0.0.0/28 has no room left for the subnet of the network at t"],
    ),
    "gateway of zeroes": (at_a("gateway: ▶0.0.0.0"), ["0.0.0.0 is no next hop; leave it out"]),
    "mask": (
        at_a("address: ▶10.0.3.10/255.255.255.0"),
        ["`255.255.255.0` is a mask; write its length: `10.0.3.10/24`"],
    ),
    "mask of a route": (
        at_a("routes: [{to: ▶10.9.0.0/255.255.0.0, via: b}]"),
        ["`255.255.0.0` is a mask; write its length: `10.9.0.0/16`"],
    ),
    "no mask": (at_a("address: ▶10.0.3.10/255.0.255.0"), ["cannot be a subnet with hosts"]),
    "no space before a mapping": (
        LAN.replace("  s: {kind", "  ▶s:{kind"),
        ["there is no space after `:`; write `s: {…}`"],
    ),
    "no space before a value": (
        LAN.replace("  s: {kind: switch}", "  s: {▶kind:switch}"),
        ["there is no space after `:`; write `kind: switch`"],
    ),
    "gateway to nobody": (two_lans(a="{kind: computer, gateway: ▶q}"), ["there is no node `q`"]),
    "gateway elsewhere": (
        two_lans(a="{kind: computer, gateway: ▶10.0.2.1}"),
        ["`10.0.2.1` is in no subnet of `a`; write `r`, whose address there is 10.0.1.1"],
    ),
    "gateway of one's own": (
        two_lans(a="{kind: computer, address: 10.0.1.77/24, gateway: ▶10.0.1.77}"),
        ["10.0.1.77 is `a` itself; write `r`"],
    ),
    "gateway that is all": (
        two_lans(a="{kind: computer, gateway: ▶10.0.1.255}"),
        ["10.0.1.255 is the broadcast address of 10.0.1.0/24, not a machine in it; write `r`"],
    ),
    "gateway that is a network": (
        two_lans(a="{kind: computer, gateway: ▶10.0.1.0}"),
        ["10.0.1.0 is the network of 10.0.1.0/24, not a machine in it; write `r`"],
    ),
    "route with host bits": (
        two_lans(a="{kind: computer, routes: [{to: ▶10.9.0.1/16, via: r}]}"),
        ["`10.9.0.1/16` has host bits set; write `10.9.0.0/16`"],
    ),
    "route without next hop": (
        two_lans(a="{kind: computer, routes: [▶{to: default}]}"),
        ["`via` is missing"],
    ),
    # Links
    "unknown node in a link": (LAN + "  - [a, ▶sw]\n", ["there is no node `sw`; write `s`"]),
    "unknown node at one end": (
        LAN + "  - endpoints: [▶alise, s]\n",
        ["there is no node `alise`; write one of `a`, `b`, `s`"],
    ),
    "link to itself": (LAN + "  - [a, ▶a]\n", ["`a` is linked to itself"]),
    "link with one end": (LAN + "  - ▶[a]\n", ["a link has two ends, not 1"]),
    "link with three ends": (LAN + "  - ▶[a, b, s]\n", ["a link has two ends, not 3"]),
    "link as text": (LAN + "  - ▶a--s\n", ["this is no link; write `[alice, s1]`"]),
    "link without ends": (LAN + "  - ▶{delay: 2ms}\n", ["`endpoints` is missing"]),
    "both ends counted": (
        LAN.replace("a: {", "a: {count: 2, ").replace("b: {", "b: {count: 2, ") + "  - [a, ▶b]\n",
        ["both ends are counted"],
    ),
    "interface twice": (
        LAN.replace("[a, s]", '[a, "s:eth0"]').replace("[b, s]", '[b, ▶"s:eth0"]'),
        ["`s` has another link at its `eth0`"],
    ),
    "interface for many": (
        LAN.replace("a: {", "a: {count: 2, ").replace("[a, s]", '[a, ▶"s:eth0"]'),
        ["2 links cannot share the interface `eth0`"],
    ),
    "interface name": (LAN.replace("[a, s]", '[a, ▶"s:lo"]'), ["cannot name an interface"]),
    "delay without unit": (at_link("delay: ▶10"), ["`10` has no unit", "`10ms`"]),
    "delay with a wrong unit": (at_link("delay: ▶10sec"), ["`sec` is not a unit of a duration"]),
    "bandwidth in words of others": (
        at_link("bandwidth: ▶100Mbps"),
        ["`Mbps` is not a unit of a rate; write a rate in bit, kbit"],
    ),
    "no bandwidth": (at_link("bandwidth: ▶0mbit"), ["carries nothing"]),
    "loss without unit": (at_link("loss: ▶0.1"), ["`0.1` has no unit", "`0.5%`"]),
    "loss above all": (at_link("loss: ▶110%"), ["more than 100%"]),
    "loss model": (
        at_link("loss: {▶gilbert_eliot: {p: 1%}}"),
        ["unknown key `gilbert_eliot`; write `gilbert_elliott`"],
    ),
    "loss model without a part": (
        at_link("loss: {▶gilbert_elliott: {p: 1%}}"),
        ["`r` is missing; write for example `r: 20%`"],
    ),
    "queue of nothing": (at_link("queue: ▶0"), ["at least one packet"]),
    "queue below a frame": (at_link("queue: ▶1KiB"), ["holds no full frame", "1514B"]),
    "queue in words": (at_link("queue: ▶long"), ["`long` is not a size; write packets"]),
    "mtu": (at_link("mtu: ▶10"), ["`10` is not an MTU"]),
    "misspelled link word": (at_link("▶bandwith: 1gbit"), ["write `bandwidth`"]),
    "egress of another": (at_link("egress: {▶b: {loss: 1%}}"), ["`b` is no end of this link"]),
    "word in egress": (
        at_link("egress: {a: {▶los: 1%}}"),
        ["unknown key `los`; write `loss`"],
    ),
    "delay in defaults": (
        LAN + "defaults: {link: {delay: ▶5}}\n",
        ["`5` has no unit"],
    ),
    "word in kinds": (
        LAN + "kinds: {computer: {▶en: {A: b}}}\n",
        ["unknown key `en`; write `env`"],
    ),
    "unknown kind in kinds": (LAN + "kinds: {▶blah: {}}\n", ["unknown key `blah`; write one of"]),
    "other kind in kinds": (
        LAN + "kinds: {▶host: {}}\n",
        ["unknown kind `host`; write `computer`"],
    ),
    # The network as a whole
    "unreachable part": (
        LAN.replace("  s: {", "  ▶c: {kind: computer}\n  s: {"),
        ["no links lead from `c` to `a`", "`[c, s]`"],
    ),
    "no links": (
        NODES.replace("  a", "  a").replace("  b", "  ▶b").replace("  s", "  ▶s"),
        ["no links lead from `b` to `a`", "no links lead from `s` to `a`"],
    ),
    "loop of switches": (
        LAN.replace("  s: {", "  t: {kind: switch}\n  u: {kind: switch}\n  s: {")
        + "  - [s, t]\n  - [t, u]\n  - ▶[u, s]\n",
        ["closes a loop of switches (u–t–s–u)", "no spanning tree yet"],
    ),
    "two links between switches": (
        LAN.replace("  s: {", "  t: {kind: switch}\n  s: {") + "  - [s, t]\n  - ▶[s, t]\n",
        ["closes a loop of switches (s–t–s)"],
    ),
    # Not yet
    "stack": (at_a("▶stack: linux"), ["`stack` is not there yet; leave it out"]),
    "attached to no TAP": (
        at_a("attach: ▶eth7"),
        ["`eth7` is nothing to attach to; write `tap:` and the name of a TAP device"],
    ),
    "the name of a TAP is too long": (at_a("attach: ▶tap:abcdefghijklmnop"), ["at most 15"]),
    "a switch attached": (
        LAN.replace("s: {kind: switch", "s: {kind: switch, ▶attach: 'tap:t'"),
        ["a switch runs no programs; write `attach` at a computer"],
    ),
    "words that need a stack of ours": (
        at_a("attach: 'tap:t', ▶env: {A: b}, ▶run: 'm:f', ▶ports: ['0:b:80'], ▶gateway: b"),
        [
            "`env` cannot stand beside `attach`, since the place is taken by whoever holds the "
            "TAP device t; remove it, or `attach`",
            "`run` cannot stand",
            "`ports` cannot stand",
            "`gateway` cannot stand",
        ],
    ),
    "counted and attached": (
        at_a("attach: ▶'tap:t', count: 2").replace("[a, s]", "[a-1, s]\n  - [a-2, s]"),
        ["counted nodes cannot share a TAP device; write a node for each"],
    ),
    "two at one TAP": (
        at_a("attach: 'tap:t'").replace(
            "b: {kind: computer", "b: {kind: computer, attach: ▶'tap:t'"
        ),
        ["tap:t is already at `a`; write another TAP device"],
    ),
    "several links to a TAP": (
        at_a("attach: ▶'tap:t'") + "  - [a, b]\n",
        ["tap:t is one interface, and 2 links lead to `a`; leave one of them"],
    ),
    "proxy": (at_a('▶proxy: "127.0.0.1:3128"'), ["`proxy` is not there yet; write `ports`"]),
    "nat": (two_lans(r="{kind: router, ▶nat: {outside: eth1}}"), ["`nat` is not there yet"]),
    "firewall": (two_lans(r="{kind: router, ▶firewall: []}"), ["`firewall` is not there yet"]),
    "tls": (
        at_a("services: {443: {app: a:b, tls: ▶cert.pem}}"),
        ["`cert.pem` does not say whether to speak TLS; write `true` (netsim makes the cert"],
    ),
    "asgi": (
        at_a("▶asgi: a:b"),
        ["`asgi` is not there yet; write `services: {80: {asgi:"],
    ),
    "upstream and tls": (
        at_a('services: {82: ▶{upstream: "127.0.0.1:5432", tls: true}}'),
        ["an `upstream` has the real server's own TLS; remove `tls`"],
    ),
    "upstream without host": (
        at_a("services: {82: {upstream: ▶5432}}"),
        ["`5432` has no host; write `127.0.0.1:5432`"],
    ),
    "upstream without port": (
        at_a("services: {82: {upstream: ▶db.internal}}"),
        ["`db.internal` is no server outside; write for example `127.0.0.1:5432`, or `unix:/run"],
    ),
    "upstream of a URL": (
        at_a('services: {82: {upstream: ▶"redis://127.0.0.1:6379"}}'),
        ["is a URL, and an upstream is any TCP; write for example"],
    ),
    "upstream of a path": (
        at_a("services: {82: {upstream: ▶/run/redis.sock}}"),
        ["write `unix:/run/redis.sock` for a Unix socket"],
    ),
    "upstream of a relative path": (
        at_a('services: {82: {upstream: ▶"unix:redis.sock"}}'),
        ["`unix:redis.sock` is no absolute path"],
    ),
    "upstream of a long path": (
        at_a(f'services: {{82: {{upstream: ▶"unix:/{"x" * 120}"}}}}'),
        ["the path of a Unix socket has at most 107 bytes"],
    ),
    "upstream at no port": (
        at_a('services: {82: {upstream: ▶"127.0.0.1:70000"}}'),
        ["`70000` is not a port"],
    ),
    "upstream at no address": (
        at_a('services: {82: {upstream: ▶"127.0.0.256:80"}}'),
        ["`127.0.0.256` is no address"],
    ),
    "upstream at no address of IPv6": (
        at_a('services: {82: {upstream: ▶"[::1::]:80"}}'),
        ["`[::1::]` is no IPv6 address"],
    ),
    "UDP": (at_a("services: {▶53/udp: a:b}"), ["UDP services are not there yet"]),
    "bbr": (at_a("congestion: ▶bbr"), ["`bbr` is not there yet; write `cubic` or `reno`"]),
    "ecn of a computer": (
        at_a("ecn: ▶on"),
        ["`on` does not say whether to use ECN; write `true` or `false`"],
    ),
    "order": (
        at_a("order: ▶lifo"),
        ["`lifo` is no order of tasks; write `fifo`, `random` or `pct:3`"],
    ),
    "depth": (LAN + "order: ▶pct:0\n", ["`pct:0` is no order of tasks"]),
    "order of many runs": (
        at_a("order: ▶exhaustive"),
        ["`exhaustive` takes many runs; write it in a scenario"],
    ),
    "part of a package": (
        LAN + "own_packages: [celery, ▶celery.app]\n",
        ["`celery.app` is no name under which a package is imported; write the package alone"],
    ),
    "no package": (
        LAN + "own_packages: [▶a-b]\n",
        ["`a-b` is no name under which a package is imported; write for example `celery`"],
    ),
    "package that all share": (
        LAN + "own_packages: [▶logging]\n",
        ["`logging` is of the standard library, which all computers share; remove it"],
    ),
    "host jitter": (LAN + "host_jitter: ▶20\n", ["`20` has no unit"]),
    "restart": (
        at_a("restart: ▶always"),
        ["`always` says nothing about restarts; write `on-failure` or `never`"],
    ),
    "outside": (
        at_a("outside: ▶true"),
        ["`True` says nothing about the outside; write `refuse` or `allow`"],
    ),
    "real program": (at_a("run: ▶[nginx]"), ["real programs is not there yet"]),
    "file of a program": (
        at_a("run: ▶server.py"),
        ["`server.py`: nodes run no real programs", "for example `server:main` for its `main()`"],
    ),
    "command line": (
        at_a("run: ▶[python3, ./shop/server.py]"),
        ["`python3 ./shop/server.py`", "for example `shop.server:main`"],
    ),
    "path of a program": (at_a("run: ▶/srv/x.py"), ["for example `x:main`"]),
    # Containerlab's
    "management network": (
        LAN + "▶mgmt: {network: custom}\n",
        ["`mgmt` is another tool's; leave it out: `netsim exec NODE` needs no management network"],
    ),
    "kind linux": (
        LAN.replace("a: {kind: computer", "a: {kind: ▶linux"),
        ["`linux` is no kind; write `computer`, or `router` where it forwards packets"],
    ),
    "kinds of linux": (
        LAN + "kinds: {▶linux: {env: {A: b}}}\n",
        ["unknown kind `linux`; write `computer`"],
    ),
    "kind of a vendor": (
        two_lans(r="{kind: ▶nokia_srlinux}"),
        ["`nokia_srlinux` is no kind; write `router`"],
    ),
    "image": (at_a("▶image: alpine"), ["`image` is another tool's; leave it out: no node has"]),
    "binds": (at_a("▶binds: ['a:b']"), ["`binds` is another tool's", "{files: ./site}"]),
    "exec": (
        at_a("▶exec: [ip link]"),
        ["`exec` is another tool's; leave it out: `address`, `gateway` and `routes` stand here"],
    ),
    "startup-config": (at_a("▶startup-config: a.cfg"), ["`startup-config` is another tool's"]),
    "cmd": (at_a("▶cmd: sleep"), ["unknown key `cmd`; write `run`"]),
    "published ports without the node": (
        at_a("ports: [▶'8080:80/tcp']"),
        ["`8080:80/tcp` is not a port to publish; write the node as well: `8080:NODE:80`"],
    ),
    "loopback by another name": (
        two_lans(r="{kind: router, address: {▶lo0: 10.255.0.1/32}}"),
        ["`lo0` is another tool's loopback; write `lo`"],
    ),
    "loopback as a key": (
        two_lans(r="{kind: router, ▶lo0: 10.255.0.1/32}"),
        ["write `address: {lo: 10.255.0.1/32}`"],
    ),
    "interface with a slash": (
        LAN.replace("- [a, s]", "- [a, ▶'s:ethernet-1/2']"),
        ["`ethernet-1/2` cannot name an interface", "for example `ethernet-1-2`"],
    ),
    "end as a mapping": (
        LAN.replace("- [a, s]", "- [a, ▶{node: s, interface: eth4}]"),
        ["an end of a link is one word; write `s:eth4`"],
    ),
    "end outside": (
        LAN.replace("- [a, s]", "- [▶'host:eth1', s]"),
        ["there is no node `host`; write a computer with `attach: tap:NAME`"],
    ),
    "type of a link": (
        LAN.replace("- [a, s]", "- {▶type: veth, endpoints: [a, s]}"),
        ["`type` is another tool's; leave it out: a link is a cable between two nodes"],
    ),
    "overhead": (at_link("overhead: ▶24"), ["`24` has no unit"]),
    "too much overhead": (at_link("overhead: ▶1MB"), ["at most 4096B; write for example `24B`"]),
    "trace": (at_link("bandwidth: {▶fil: cellular.mahi}"), ["unknown key `fil`; write `file`"]),
    "path of a trace": (at_link("bandwidth: {file: ▶7}"), ["`7` is no path of a trace"]),
    "trace that is not there": (
        at_link("bandwidth: {file: ▶none.mahi}"),
        ["/none.mahi; write a path relative to this file"],
    ),
    "jitter without a spread": (
        at_link("▶jitter: {distribution: normal}"),
        ["the key `spread` is missing; write for example `spread: 5ms`"],
    ),
    "spread": (at_link("jitter: {spread: ▶5}"), ["`5` has no unit; write a duration"]),
    "distribution": (
        at_link("jitter: {spread: 5ms, distribution: ▶poisson}"),
        ["`poisson` is no distribution of jitter; write `uniform`, `normal` or `pareto`"],
    ),
    "key of jitter": (
        at_link("jitter: {spread: 5ms, ▶distrbution: normal}"),
        ["unknown key `distrbution`; write `distribution`"],
    ),
    "reordering": (at_link("jitter: {spread: 5ms, reorder: ▶5%}"), ["write `true` or `false`"]),
    "queue discipline": (
        at_link("queue: {▶fq_codell: {}}"),
        ["unknown key `fq_codell`; write `fq_codel`"],
    ),
    "queue discipline without settings": (
        at_link("queue: ▶codel"),
        ["a queue discipline has settings; write `{codel: {}}`"],
    ),
    "red without settings": (at_link("queue: ▶red"), ["write `{red: {}}`"]),
    "target of pie": (at_link("queue: {pie: {target: ▶0s}}"), ["takes time; write"]),
    "target": (at_link("queue: {codel: {target: ▶5}}"), ["`5` has no unit"]),
    "ecn": (at_link("queue: {codel: {ecn: ▶perhaps}}"), ["write `true` or `false`"]),
    "thresholds": (
        at_link("queue: ▶{red: {min: 9, max: 5}}"),
        ["`min` of red is below `max`"],
    ),
    "thresholds in two units": (
        at_link("queue: ▶{red: {min: 9, max: 64KiB}}"),
        ["write both in packets or both in bytes"],
    ),
    "a delay of ages": (at_link("delay: ▶1000000000000h"), ["is more than netsim can count"]),
    "a delay of more ages": (
        at_link("delay: ▶1000000000000000000h"),
        ["`1000000000000000000h` has more digits than netsim can count"],
    ),
    "a queue of ages": (at_link("queue: ▶" + "9" * 90), ["a queue of 9", "is endless"]),
    "digits of others": (at_a("address: ▶10.0.0.9/٢٤"), ["cannot be a subnet with hosts"]),
    "a number beyond all": (at_link("mtu: ▶1e400"), ["`1e400` is not an MTU"]),
    "a module alone": (
        at_a("services: {80: ▶netsim.services.httpbin}"),
        ["write for example `netsim.services.httpbin:create_app`"],
    ),
    "a dot for the colon": (at_a("services: {80: ▶shop.web.app}"), ["example `shop.web:app`"]),
    "a number to run": (at_a("run: ▶3"), ["`run` cannot be the number 3"]),
    "one of several programs": (at_a("run: [a:b, {▶cal: c:d}]"), ["unknown key `cal`"]),
    # Several at once
    "all in one go": (
        two_lans(a="{kind: computer, ▶adress: 10.0.0.1/24}")
        .replace("[t, b]", "{endpoints: [t, b], delay: ▶3}")
        .replace("  s: {", "  ▶alone: {kind: computer}\n  s: {")
        + "  - ▶[s, t]\n".replace("▶", "")
        + "routing: ▶rip\n",
        [
            "unknown key `adress`; write `address`",
            "no links lead from `alone`",
            "`3` has no unit",
            "`rip` is no routing",
        ],
    ),
    "a lost node hides no other mistake": (
        LAN.replace("{kind: switch}", "{kind: ▶swtch}") + "  - [a, ▶nobody]\nseed: ▶x\n",
        ["`swtch` is no kind; write `switch`", "there is no node `nobody`", "`x` is not a seed"],
    ),
}


def test_a_hundred_mistakes_are_told_and_the_rest_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    nodes = "".join(f"  n{number}: {{kind: computer}}\n" for number in range(1_500))
    links = "".join(f"  - [n1, m{number}]\n" for number in range(10_000))
    file.write_text(f"name: x\nnodes:\n{nodes}links:\n{links}")
    started = time.process_time()
    with pytest.raises(InvalidFileError) as caught:
        load_plan(file)
    assert len(caught.value.problems) == 100
    assert caught.value.more == 9_900
    assert str(caught.value).endswith("\nand 9,900 more")
    # A minute when each of them looked for the name that was meant.
    assert time.process_time() - started < 15


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_is_shown_where_it_is(case: str, tmp_path: Path) -> None:
    check_mistakes(tmp_path / "bad.yaml", *CASES[case], load=load_plan)


LONG = "name: lan\nnodes:\n  s: {kind: switch, count: 2}\n  a: {kind: computer}\nlinks:\n"
"""Its first link is on line 6."""


def test_the_mistakes_of_a_long_file_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_text(LONG + "- [a, s-1]\n" * 1_500 + "- {dela: 1ms}\n" * 2_000)
    with pytest.raises(InvalidFileError) as caught:
        load_plan(file)
    places = [(problem.line, problem.column) for problem in caught.value.problems]
    assert places == [(line, column) for line in range(1_506, 1_556) for column in (3, 4)]
    assert caught.value.more == 2 * 2_000 - 100


def test_few_mistakes_of_a_long_file_are_shown_with_those_of_the_whole(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_text(LONG + "- [a, s-1]\n" * 1_500 + "- {endpoints: [a, s-2], mtu: x}\n- [a, b]\n")
    with pytest.raises(InvalidFileError) as caught:
        load_plan(file)
    assert [problem.line for problem in caught.value.problems] == [1_506, 1_507]
