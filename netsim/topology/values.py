"""What may stand behind one word of a topology file: written form to checked value.

Each function takes whatever the file holds there and returns the checked value, or raises a
ValueError whose text says what is wrong and what to write instead.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import sys
from typing import Final, TypeAlias

from netsim.core.order_words import parse_order
from netsim.topology.addresses import ip_address, is_address_like, is_number
from netsim.topology.naming import check_interface, check_network_name, check_node_name
from netsim.topology.plan import PublishedPortPlan, Restart, UpstreamPlan

MAX_NODES: Final = 10_000

Endpoint: TypeAlias = tuple[str, str | None]
"""A node's name and, where it is written, the interface's."""

_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_PORT: Final = re.compile(r"(?:(\[[^\[\]]*\]|[^:\[\]]*):)?([0-9]{1,6}):([^:\[\]]+):([0-9]{1,6})")
_UPSTREAM: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,6})")
_SUN_PATH: Final = 107
"""Bytes of a Unix socket's path (unix(7): `sun_path` is 108 with its final zero)."""
_TAP: Final = re.compile(r"tap:([A-Za-z0-9_][A-Za-z0-9_.-]{0,14})")
_PYTHON_FILE: Final = re.compile(r"(?:\./)?(/?[\w./-]*\w)\.py\b")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def count(written: object) -> int:
    """How many like nodes."""
    if isinstance(written, bool) or not isinstance(written, int) or written < 1:
        raise ValueError(f"`{written}` is not a count; write a whole number from 1")
    if written > MAX_NODES:
        raise ValueError(f"{written} nodes are too many; write at most {MAX_NODES}")
    return written


def seed(written: object) -> int:
    """Any whole number."""
    if isinstance(written, bool) or not isinstance(written, int):
        raise ValueError(f"`{written}` is not a seed; write a whole number, for example `7`")
    return written


def congestion(written: object) -> str:
    """The name of a congestion control."""
    if written == "bbr":
        raise ValueError("`bbr` is not there yet; write `cubic` or `reno`")
    if written == "cubic" or written == "reno":
        return written
    raise ValueError(f"`{written}` is no congestion control; write `cubic` or `reno`")


def ecn(written: object) -> bool:
    """Whether a computer's TCP uses ECN."""
    if isinstance(written, bool):
        return written
    raise ValueError(f"`{written}` does not say whether to use ECN; write `true` or `false`")


def tls(written: object) -> bool:
    """Whether a service speaks TLS."""
    if isinstance(written, bool):
        return written
    raise ValueError(
        f"`{written}` does not say whether to speak TLS; write `true` (netsim makes the "
        "certificates) or `false`"
    )


def order(written: object) -> str:
    """In which order tasks run that are ready at one instant."""
    return parse_order(written)


def restart(written: object) -> Restart:
    """When a computer that ended is started again: `never`, or `on-failure`."""
    if written == "on-failure":
        return "on-failure"
    if written == "never":
        return "never"
    raise ValueError(f"`{written}` says nothing about restarts; write `on-failure` or `never`")


def outside(written: object) -> bool:
    """Whether the programs of a computer may reach this machine's network: `allow`, `refuse`."""
    if written in ("allow", "refuse"):
        return written == "allow"
    raise ValueError(f"`{written}` says nothing about the outside; write `refuse` or `allow`")


def ready(written: object) -> int | str:
    """When programs serve: a TCP port that they listen at, or a function that returns."""
    if isinstance(written, int) and not isinstance(written, bool) and 1 <= written <= 65535:
        return written
    if isinstance(written, str) and _ATTRIBUTE.fullmatch(written):
        return written
    raise ValueError(
        f"`{written}` says nothing about readiness; write the port that a program listens at, for "
        "example `8000`, or a function, `mymodule:is_ready`"
    )


def node_name(written: object) -> str:
    """A host name, in which `_` may stand like a hyphen."""
    return check_node_name(written)


def network_name(written: object) -> str:
    """A lowercase host name, which is also the name of a directory."""
    return check_network_name(written)


def own_package(written: object) -> str:
    """A package as it is imported, without its parts."""
    if not isinstance(written, str) or not written.isidentifier():
        text = str(written)[:80]
        top = text.partition(".")[0]
        hint = f"the package alone, `{top}`" if top.isidentifier() else "for example `celery`"
        raise ValueError(f"`{text}` is no name under which a package is imported; write {hint}")
    if written in sys.stdlib_module_names or written == "netsim":
        whose = "netsim's own" if written == "netsim" else "of the standard library"
        raise ValueError(f"`{written}` is {whose}, which all computers share; remove it")
    return written


def endpoint(written: object) -> Endpoint:
    """`s1` or `r1:eth0`."""
    if isinstance(written, str):
        return _endpoint(written)
    if isinstance(written, int) and not isinstance(written, bool):
        return str(written), None
    if isinstance(written, dict) and {"node", "interface"} <= set(written):
        end = f"{written['node']}:{written['interface']}"[:80]
        raise ValueError(f"an end of a link is one word; write `{end}`")
    raise ValueError("an end of a link is a node; write `s1`, or `r1:eth0` with the interface")


@functools.lru_cache(MAX_NODES)
def _endpoint(text: str) -> Endpoint:
    """One object for an end that is named many times."""
    node, colon, interface = text.partition(":")
    return check_node_name(node), check_interface(interface) if colon else None


def interface_name(written: object) -> str:
    """`eth0`."""
    if not isinstance(written, str):
        raise ValueError(f"`{written}` is no interface; write for example `eth0`")
    return check_interface(written)


def service_port(written: object) -> int:
    """A TCP port."""
    if isinstance(written, str) and written.endswith("/udp"):
        raise ValueError(f"UDP services are not there yet (`{written}`); write a TCP port: `80`")
    if isinstance(written, bool) or not isinstance(written, int) or not 1 <= written <= 65535:
        raise ValueError(f"`{written}` is not a TCP port; write a bare number from 1 to 65535")
    return written


def variable_name(written: object) -> str:
    """The name of an environment variable."""
    if isinstance(written, str) and _VARIABLE.fullmatch(written):
        return written
    raise ValueError(f"`{written}` cannot name a variable; write letters, digits and `_`")


def variable_value(written: object) -> str:
    """Text; whole numbers are written as their digits."""
    if isinstance(written, int) and not isinstance(written, bool):
        return str(written)
    if isinstance(written, str) and "\0" not in written:
        return written
    raise ValueError('the value of a variable is text; put it in quotes, for example "yes"')


def tap(written: object) -> str:
    """The name of the TAP device of this machine in `tap:NAME`."""
    match = _TAP.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise ValueError(
            f"`{written}` is nothing to attach to; write `tap:` and the name of a TAP device, of "
            "at most 15 letters, digits, `_`, `.` and `-`, for example `tap:tap0`"
        )
    return match[1]


def folder(written: object) -> str:
    """A path as written; whether it exists is looked at later."""
    if isinstance(written, str) and written and "\0" not in written:
        return written
    raise ValueError("`files` serves a folder; write its path, for example `./site`")


def upstream(written: object) -> UpstreamPlan:
    """`127.0.0.1:5432`, `[::1]:5432`, `db.internal:5432` or `unix:/run/redis.sock`."""
    examples = "write for example `127.0.0.1:5432`, or `unix:/run/redis.sock`"
    if isinstance(written, str) and written.startswith("unix:"):
        path = written.removeprefix("unix:")
        if not path.startswith("/") or "\0" in path:
            raise ValueError(f"`{written}` is no absolute path; write `unix:/run/redis.sock`")
        if len(os.fsencode(path)) > _SUN_PATH:
            raise ValueError(
                f"the path of a Unix socket has at most {_SUN_PATH} bytes; use a shorter one"
            )
        return UpstreamPlan(path=path)
    match = _UPSTREAM.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        if isinstance(written, int) and not isinstance(written, bool):
            raise ValueError(f"`{written}` has no host; write `127.0.0.1:{written}`")
        if isinstance(written, str) and "://" in written:
            raise ValueError(f"`{written[:50]}` is a URL, and an upstream is any TCP; {examples}")
        if isinstance(written, str) and written.startswith("/"):
            raise ValueError(f"`{written}` is a path; write `unix:{written}` for a Unix socket")
        raise ValueError(f"`{str(written)[:50]}` is no server outside; {examples}")
    bracketed, host, port = match.groups()
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"`{port}` is not a port; write a number from 1 to 65535")
    if bracketed:
        try:
            host = str(ipaddress.IPv6Address(bracketed))
        except ValueError:
            raise ValueError(f"`[{bracketed}]` is no IPv6 address; {examples}") from None
    elif is_address_like(host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f"`{host}` is no address; {examples}") from None
    return UpstreamPlan(host, int(port))


def no_program(written: str) -> str:
    """What to write for `server.py`, `python3 -m server` or `nginx` under `run`."""
    file = _PYTHON_FILE.search(written)
    if file is None:
        return (
            f"`{written[:50]}`: running real programs is not there yet; write functions, "
            "for example `mypackage.mymodule:main`"
        )
    path = file[1]
    inside = path.rpartition("/")[2] if path.startswith(("/", "..")) else path
    module = inside.replace("/", ".") + ":main"
    return (
        f"`{written[:50]}`: nodes run no real programs; write a function of that file, "
        f"for example `{module}` for its `main()`"
    )


def port_forward(written: object) -> PublishedPortPlan:
    """`127.0.0.1:8080:web:80`, the form of `ssh -L`; without an address, 127.0.0.1 listens."""
    example = "write LISTEN:PORT:HOST:PORT, for example `127.0.0.1:8080:web:80`"
    match = _PORT.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        ports = str(written).rpartition("/")[0] or str(written)
        if len(parts := ports.split(":")) in (2, 3) and all(map(is_number, parts[-2:])):
            outside, inside = parts[-2:]
            example = f"write the node as well: `{outside}:NODE:{inside}`"
        raise ValueError(f"`{written}` is not a port to publish; {example}")
    listen, listen_port, host, port = match.groups()
    if int(listen_port) > 65535 or not 1 <= int(port) <= 65535:
        wrong = listen_port if int(listen_port) > 65535 else port
        raise ValueError(f"`{wrong}` is not a port; write a number from 1 to 65535")
    if is_address_like(host):
        ip_address(host)
    return PublishedPortPlan(_loopback(listen), int(listen_port), host, int(port))


def _loopback(listen: str | None) -> str:
    if listen in (None, "", "localhost"):
        return "127.0.0.1"
    assert listen is not None
    try:
        address = ipaddress.ip_address(listen.strip("[]"))
    except ValueError:
        raise ValueError(f"`{listen}` is no address to listen on; write `127.0.0.1`") from None
    if not address.is_loopback:
        raise ValueError(f"`{listen}` would open the port to other machines; write `127.0.0.1`")
    return str(address)
