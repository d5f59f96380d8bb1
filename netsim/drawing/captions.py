"""The words beside figures and lines: addresses, link attributes, what is served."""

from __future__ import annotations

import ipaddress
from typing import Final

from netsim.core.link_attributes import LINK_ATTRIBUTES, LinkAttributes
from netsim.drawing.picture import Figure, Line, Picture
from netsim.topology.plan import InterfacePlan

_IN_ORDER: Final = sorted(LINK_ATTRIBUTES, key=lambda each: not each.leads)


def address(interface: InterfacePlan) -> str:
    """`10.0.1.10`; empty at a switch."""
    return "" if interface.address is None else str(ipaddress.ip_address(interface.address))


def short_address(interface: InterfacePlan) -> str:
    """What an address adds to the prefix of its subnet: `.1` in a /24, `.3.1` in a /16."""
    whole = address(interface)
    shared = interface.prefix_length // 8
    return whole and "." + ".".join(whole.split(".")[min(shared, 3) :])


def addresses(figure: Figure) -> list[str]:
    """All addresses of a node; `10.0.2.10 … 10.0.2.29` of a group."""
    if len(figure.members) > 1:
        first, last = (address(figure.members[place].interfaces[0]) for place in (0, -1))
        return [f"{first} … {last}"]
    (node,) = figure.members
    packed = [own for interface in node.interfaces for own, _ in interface.addresses]
    return [*(str(ipaddress.ip_address(each)) for each in packed), *loopback(figure)]


def loopback(figure: Figure) -> list[str]:
    """Addresses of a router that are at none of its links."""
    return [str(ipaddress.ip_address(each)) for each in figure.members[0].loopback]


def addresses_by_interface(figure: Figure) -> list[str]:
    """The same with the name before the first of each interface, where there are several."""
    node = figure.members[0]
    if len(figure.members) > 1 or len(node.interfaces) < 2:
        return addresses(figure)
    named = [(each.name, [own for own, _ in each.addresses]) for each in node.interfaces]
    named.append(("lo", list(node.loopback)))
    found = []
    for name, packed in named:
        shown = [str(ipaddress.ip_address(each)) for each in packed]
        found += [f"{name} {each}" for each in shown[:1]] + shown[1:]
    return found


def services(figure: Figure) -> list[str]:
    """What answers: `:80 httpbin`, `:8000 site/`, by port the module or folder; or `tap:tap0`."""
    tap = figure.members[0].tap
    found = [] if tap is None else [f"tap:{tap}"]
    for service in figure.members[0].services:
        if service.reference is not None:
            what = service.reference.partition(":")[0].rpartition(".")[2]
        elif service.upstream is not None:
            what = f"→ {service.upstream}"
        else:
            what = (service.files or "").rstrip("/").rpartition("/")[2] + "/"
        found.append(f":{service.port} {what}{' (TLS)' if service.tls else ''}")
    return found


def ports(figure: Figure) -> list[str]:
    """`127.0.0.1:8080 → web:80`: where real connections enter, and where they go."""
    return [
        f"{port.listen_host}:{port.listen_port} → {port.host}:{port.port}"
        for port in figure.members[0].ports
    ]


def line_words(picture: Picture, line: Line) -> list[str]:
    """What a link does to frames: the words of both directions, then those of one alone.

    `["100mbit 2ms", "r-tokyo → 2mbit loss 1%"]`; nothing for a bare link.
    """
    return [" ".join(phrases) for phrases in line_phrases(picture, line)]


def line_phrases(picture: Picture, line: Line) -> list[list[str]]:
    """The same before they are joined, for whoever has to break lines between them."""
    there, back = _words(line.a_end.egress), _words(line.b_end.egress)
    shared = [word for word in there if word in back]
    found = [shared] if shared else []
    for end, words in ((line.a, there), (line.b, back)):
        alone = [word for word in words if word not in shared]
        if alone:
            found.append([f"{picture.figures[end].name} →", *alone])
    return found


def _words(attributes: LinkAttributes) -> list[str]:
    """The words for what is not as in a bare link, in the units of a topology file."""
    phrases = [each.caption(attributes) for each in _IN_ORDER]
    return [phrase for phrase in phrases if phrase]
