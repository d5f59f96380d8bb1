"""Names in a topology file: what they may look like, and the nearest one to a misspelled one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from netsim.core.errors import InvalidNameError

# A node's name is a host name (RFC 1123, 2.1); resolvers take `_` as well. A network's name is also
# the name of a directory, so nothing that could walk out of it may pass.
_NODE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_INTERFACE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")  # Linux: IFNAMSIZ is 16
_ATTRIBUTE: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_PYTHON_FILE: Final = re.compile(r"(?:\./)?([^\W\d]\w*(?:/[^\W\d]\w*)*)\.py")
_SUGGESTION_LIMIT: Final = 2_000


def check_network_name(name: object) -> str:
    """`name` if it is a lowercase host name."""
    return _checked(name, _LABEL, "network", "lowercase letters, digits and hyphens")


def check_node_name(name: object) -> str:
    """`name` if it is a host name, in which `_` may stand like a hyphen."""
    return _checked(name, _NODE, "node", "letters, digits, hyphens and `_`")


def _checked(name: object, form: re.Pattern[str], what: str, characters: str) -> str:
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if isinstance(name, str) and form.fullmatch(name) and name.lower() != "localhost":
        return name
    shown = name[:70] if isinstance(name, str) else repr(name)
    raise InvalidNameError(
        f"`{shown}` cannot name a {what}; write at most 63 {characters}{_lowercase_form(shown)}"
    )


def host_name(label: object) -> str:
    """The label where it can name a node, else the nearest that can: "New York" is new-york."""
    text = str(label)
    if _NODE.fullmatch(text) and text.lower() != "localhost":
        return text
    return network_name(label)


def network_name(label: object) -> str:
    """The nearest name that a network can have: "New York" is new-york, (0, 1) is 0-1."""
    return re.sub(r"[^a-z0-9]+", "-", str(label).lower()).strip("-")[:63].rstrip("-") or "node"


def check_domain(name: object) -> str:
    """`name` if it is a domain of lowercase labels ("campus.test")."""
    labels = name.split(".") if isinstance(name, str) else []
    if labels and all(map(_LABEL.fullmatch, labels)) and len(str(name)) <= 190:
        return str(name)
    raise InvalidNameError(
        f"`{str(name)[:70]}` is no domain; write lowercase letters, digits and hyphens between "
        "dots, for example `campus.test`"
    )


def check_interface(name: str) -> str:
    """`name` if an interface can have it ("eth0"; `lo` is taken)."""
    if _INTERFACE.fullmatch(name) and name != "lo":
        return name
    nearest_form = re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:15]
    example = nearest_form if _INTERFACE.fullmatch(nearest_form) else "eth0"
    raise InvalidNameError(
        f"`{name[:40]}` cannot name an interface; write at most 15 letters, digits, dots and "
        f"hyphens, for example `{example}`"
    )


def check_attribute(text: object, example: str) -> str:
    """`text` if it has the form `module:attr`; whether that exists is looked at later."""
    if isinstance(text, str) and _ATTRIBUTE.fullmatch(text):
        return text
    hint = example
    shown = str(text)[:70]
    if isinstance(text, str) and len(text.split()) > 1:
        raise InvalidNameError(
            f"`{shown}` is a command, and running real programs is not there yet; write "
            f"`module:attr`, for example `{example}`"
        )
    if isinstance(text, str) and (file := _PYTHON_FILE.fullmatch(text)):
        module = file[1].strip("/").replace("/", ".")
        raise InvalidNameError(
            f"`{shown}` is a file; write the function in it, `module:attr`, for example "
            f"`{module}:{example.rpartition(':')[2]}`"
        )
    if isinstance(text, str):
        module, _, last = text.rpartition(".")
        # Our own services are modules; of others the last word is more likely the function.
        is_ours = text.startswith("netsim.services.")
        meant = f"{text}:create_app" if is_ours else f"{module}:{last}"
        hint = meant if _ATTRIBUTE.fullmatch(meant) else example
    raise InvalidNameError(f"`{shown}` is not `module:attr`; write for example `{hint}`")


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `name` was probably meant to be, or None."""
    known = candidates if isinstance(candidates, Collection) else list(candidates)
    if len(known) > _SUGGESTION_LIMIT or len(name) > 80:
        return None
    from difflib import get_close_matches  # only when there is a mistake to explain

    found = get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    if found and found[0][:1] != name[:1].lower():
        # The first letter is seldom wrong; without it more must fit (`binds` is no `kind`).
        found = get_close_matches(name.lower(), found, n=1, cutoff=0.75)
    return found[0] if found else None


def suggest(name: str, candidates: Collection[str]) -> str:
    """What to write instead of `name`: the nearest candidate, or a few of them."""
    near = nearest(name, candidates)
    if near is not None:
        return f"write `{near}`"
    shown = [f"`{candidate}`" for candidate in list(candidates)[:12]]
    more = ", …" if len(candidates) > len(shown) else ""
    return f"write one of {', '.join(shown)}{more}" if shown else "remove it"


def _lowercase_form(name: str) -> str:
    form = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return f", for example `{form}`" if _LABEL.fullmatch(form) and form != name else ""
