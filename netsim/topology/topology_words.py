"""The vocabulary of a topology file.

These models check each word by itself, before anything is known about the network as a whole.
They hold checked values with units resolved; None stands for "not written". Words that a later
netsim will know are listed in `not_yet` with what to write until then. The docstrings and
`json_forms` make the JSON Schema that editors complete from.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from netsim.topology import addresses, naming, values
from netsim.topology import json_forms as forms
from netsim.topology.checked_topology import LOOPBACK
from netsim.topology.kinds import Kind
from netsim.topology.link_words import LinkDefaultWords, LinkWords
from netsim.topology.plan import PublishedPortPlan, Restart, UpstreamPlan
from netsim.topology.vocabulary import Duration, NodeName, Reference, Words


def _programs(written: object) -> object:
    if isinstance(written, list):
        if any(isinstance(each, str) and ":" not in each for each in written):
            raise ValueError(values.no_program(" ".join(map(str, written))))
        return written
    if isinstance(written, str) and (" " in written or written.endswith(".py")):
        raise ValueError(values.no_program(written))
    return [written]


def _by_interface(written: object) -> object:
    by_interface = written if isinstance(written, dict) else {"": written}
    return {
        interface: own if isinstance(own, list) else [own]
        for interface, own in by_interface.items()
    }


InterfaceName = Annotated[
    str,
    PlainValidator(lambda name: name if name in ("", LOOPBACK) else values.interface_name(name)),
    WithJsonSchema(forms.INTERFACE),
]


HostAddress = Annotated[
    addresses.HostAddress,
    PlainValidator(addresses.host_address),
    WithJsonSchema(forms.HOST_ADDRESS),
]
NextHop = Annotated[bytes | str, PlainValidator(addresses.next_hop), WithJsonSchema(forms.NEXT_HOP)]
Order = Annotated[str, PlainValidator(values.order), WithJsonSchema(forms.ORDER)]
OwnPackage = Annotated[str, PlainValidator(values.own_package), WithJsonSchema(forms.PACKAGE)]
Variable = Annotated[str, PlainValidator(values.variable_name), WithJsonSchema(forms.VARIABLE)]
Value = Annotated[str, PlainValidator(values.variable_value), WithJsonSchema(forms.VALUE)]
_Addresses = HostAddress | list[HostAddress]
_AddressForms = _Addresses | dict[InterfaceName, _Addresses]
Call = Annotated[
    str,
    PlainValidator(lambda written: naming.check_attribute(written, "mypackage.mymodule:main")),
    WithJsonSchema(forms.REFERENCE),
]
ServicePort = Annotated[int, PlainValidator(values.service_port), WithJsonSchema(forms.TCP_PORT)]


# Nodes ----------------------------------------------------------------------------------------


_APPLICATIONS: Final = ("app", "asgi", "wsgi")
_ANSWERS: Final = (*_APPLICATIONS, "files", "upstream")


class ServiceWords(Words):
    """What answers on a port: an application, or a folder of files."""

    not_yet: ClassVar[dict[str, str]] = dict.fromkeys(
        ("command", "exec"),
        "write `app` with an application, or a function under `run`",
    )

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [word]} for word in _ANSWERS],
            "dependencies": {
                "args": {"anyOf": [{"required": [word]} for word in _APPLICATIONS]},
                "tls": {"not": {"required": ["upstream"]}},
            },
        }
    )
    short_form = forms.REFERENCE

    app: Reference | None = None
    """An application or its factory, as `module:attr`; looked up beside the file first. One of
    aiohttp, or one that is known for ASGI or WSGI: of FastAPI, Starlette, Django, Flask …"""
    asgi: Reference | None = None
    """An ASGI application or its factory; uvicorn serves it."""
    wsgi: Reference | None = None
    """A WSGI application or its factory; uvicorn serves it, in threads."""
    args: dict[str, Any] | None = None
    """Keyword arguments of the factory."""
    files: Annotated[str, PlainValidator(values.folder), WithJsonSchema(forms.FOLDER)] | None = None
    """A folder that is served; relative to the file."""
    upstream: (
        Annotated[UpstreamPlan, PlainValidator(values.upstream), WithJsonSchema(forms.UPSTREAM)]
        | None
    ) = None
    """A real server outside, in real time: `127.0.0.1:5432`, `unix:/run/redis.sock`."""
    tls: Annotated[bool, PlainValidator(values.tls), WithJsonSchema(forms.TLS)] | None = None
    """Whether it speaks TLS, with a certificate that all computers of the network trust."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        return {"app": written} if isinstance(written, str) else written

    @model_validator(mode="after")
    def _has_one_program(self) -> ServiceWords:
        answers = [word for word in _ANSWERS if getattr(self, word) is not None]
        if len(answers) != 1:
            written = f"; {_in_words(answers)} are written" if answers else ""
            raise ValueError(
                f"a service is one program{written}; write one of {_in_words(list(_ANSWERS))}"
            )
        if self.tls is not None and self.upstream is not None:
            raise ValueError("an `upstream` has the real server's own TLS; remove `tls`")
        if self.args is not None and answers[0] not in _APPLICATIONS:
            raise ValueError("`args` go to the factory of an application; remove them")
        return self


def _in_words(words: list[str]) -> str:
    """`app`, `asgi` and `files`."""
    quoted = [f"`{word}`" for word in words]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


class RunWords(Words):
    """A function that is started on a computer."""

    short_form = forms.REFERENCE

    call: Call = Field(examples=["mypackage.mymodule:main"])
    """The function, `async def` or `def`, as `module:attr`; looked up beside the file first."""
    args: dict[str, Any] | None = None
    """Its keyword arguments."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        return {"call": written} if isinstance(written, str) else written


class RouteWords(Words):
    """A route that a person wrote, as in netplan: `{to: 10.9.0.0/16, via: r2}`."""

    to: Annotated[
        addresses.Prefix,
        PlainValidator(addresses.route_target),
        WithJsonSchema(forms.ROUTE_TARGET),
    ] = Field(examples=["10.9.0.0/16"])
    """The network, or `default`."""
    via: NextHop = Field(examples=["r1"])
    """The next hop: an address, or the name of a node."""


def _empty_text_is_none(written: Any) -> Any:
    return None if written == "" else written


class ProgramWords(Words):
    """What computers may have in common: the words of `kinds.computer`."""

    not_yet: ClassVar[dict[str, str]] = {
        "asgi": 'write `services: {80: {asgi: "mypackage.mymodule:app"}}`',
        "tls": 'write `services: {443: {app: "mypackage.mymodule:app", tls: true}}`',
        "upstream": 'write `services: {5432: {upstream: "127.0.0.1:5432"}}`',
        "stack": "leave it out: every computer has netsim's own stack",
        "proxy": "write `ports` to publish one port of the network",
        "nat": "leave it out: every address is reachable without translation",
        "firewall": "leave it out: routers forward everything",
    }

    env: dict[Variable, Value] | None = None
    """Environment variables that its programs see; merged variable by variable."""
    services: dict[ServicePort, ServiceWords] | None = None
    """TCP port → what answers there; merged port by port."""
    run: (
        Annotated[
            list[RunWords],
            BeforeValidator(_programs, json_schema_input_type=RunWords | list[RunWords]),
        ]
        | None
    ) = None
    """Functions that are started on it: one, or a list of them."""
    ready: (
        Annotated[int | str, PlainValidator(values.ready), WithJsonSchema(forms.READY)] | None
    ) = None
    """When what is under `run` serves: a TCP port that is listened at, or a function that
    returns. The network is up only then; left out, programs have begun."""
    congestion: (
        Annotated[str, PlainValidator(values.congestion), WithJsonSchema(forms.CONGESTION)] | None
    ) = None
    """TCP's congestion control: `cubic` where it is left out, or `reno`, which is NewReno."""
    ecn: Annotated[bool, PlainValidator(values.ecn), WithJsonSchema(forms.ECN)] | None = None
    """Whether its TCP tells of congestion without losses (RFC 3168): `true` offers that to peers,
    `false` refuses it; left out, it agrees where a peer offers it."""
    order: Order | None = None
    """In virtual time, in which order its tasks run that are ready at one instant: `fifo`
    (asyncio's, where it is left out), or drawn from the seed: `random`, `pct:3`."""
    restart: (
        Annotated[Restart, PlainValidator(values.restart), WithJsonSchema(forms.RESTART)] | None
    ) = None
    """Whether it is started again when it is killed or ends by itself: `on-failure`, or `never`,
    which holds where it is left out."""
    outside: (
        Annotated[bool, PlainValidator(values.outside), WithJsonSchema(forms.OUTSIDE)] | None
    ) = None
    """In real time, whether its programs may reach the network of this machine: `refuse`, which
    holds where it is left out, or `allow`."""


_NO_IMAGE = "leave it out: no node has an image, every one is netsim's own"
_NO_PROGRAM_OF_LINUX = (
    "leave it out: `run` starts functions of Python on a computer (docs/services.md)"
)
_NO_MANAGEMENT = "leave it out: `netsim exec NODE` needs no management network"
_LOOPBACK_ADDRESS = "write `address: {lo: 10.255.0.1/32}`"
_NO_CONFIGURATION = "leave it out: `address`, `gateway` and `routes` stand here"


class NodeWords(ProgramWords):
    """One node, or `count` like ones."""

    elsewhere: ClassVar[dict[str, str]] = {
        "binds": "leave it out: programs see your files, `services: {80: {files: ./site}}` serves "
        "a folder",
        "exec": _NO_CONFIGURATION + ", programs under `run`",
        "startup-config": _NO_CONFIGURATION,
        "enforce-startup-config": _NO_CONFIGURATION,
        "config": _NO_CONFIGURATION,
        "env-files": "write the variables under `env`",
        "image": _NO_IMAGE,
        "image-pull-policy": _NO_IMAGE,
        "license": _NO_IMAGE,
        "type": "leave it out, and write `kind: computer`, `switch` or `router`",
        "mgmt-ipv4": _NO_MANAGEMENT,
        "mgmt-ipv6": _NO_MANAGEMENT,
        "network-mode": _NO_MANAGEMENT,
        "sysctls": "leave it out: a router forwards, a computer does not; `congestion` and `ecn` "
        "are words of a computer",
        "cap-add": _NO_PROGRAM_OF_LINUX,
        "lo": _LOOPBACK_ADDRESS,
        "lo0": _LOOPBACK_ADDRESS,
        "loopback": _LOOPBACK_ADDRESS,
        "interfaces": "write `address: {eth0: 10.0.1.1/24}`; interfaces come from the links",
    } | dict.fromkeys(
        ("cpu", "cpu-set", "memory", "user", "labels", "group", "stages", "startup-delay", "dns"),
        "leave it out",
    )

    kind: Kind | None = None
    """What it is; required, unless `defaults` has one."""
    count: Annotated[int, PlainValidator(values.count), WithJsonSchema(forms.COUNT)] | None = None
    """Makes NAME-1, NAME-2 … instead of one node."""
    # By interface; "" is the only interface there is.
    address: (
        Annotated[
            dict[InterfaceName, list[HostAddress]],
            BeforeValidator(_by_interface, json_schema_input_type=_AddressForms),
        ]
        | None
    ) = None
    """Address and prefix length: `10.0.3.10/24`, or a list; by interface where there are several,
    and `lo` of a router. What is not given is assigned."""
    gateway: Annotated[NextHop | None, BeforeValidator(_empty_text_is_none)] = None
    """Next hop of the default route: an address, or a router's name."""
    routes: list[RouteWords] | None = None
    """Static routes, beside those that follow from the links."""
    attach: Annotated[str, PlainValidator(values.tap), WithJsonSchema(forms.ATTACH)] | None = None
    """`tap:NAME`: its place, name and address are taken by whoever holds that TAP device of this
    machine."""
    ports: (
        list[
            Annotated[
                PublishedPortPlan,
                PlainValidator(values.port_forward),
                WithJsonSchema(forms.PORT_FORWARD),
            ]
        ]
        | None
    ) = None
    """Real ports that enter the network here, as in `ssh -L`: LISTEN:PORT:HOST:PORT."""


# The file -------------------------------------------------------------------------------------


class AddressingWords(Words):
    """Where assigned subnets come from; `10.0.0.0/8` is short for `{pool: 10.0.0.0/8}`."""

    short_form = forms.PREFIX

    pool: (
        Annotated[
            addresses.Prefix,
            PlainValidator(addresses.pool),
            WithJsonSchema(forms.PREFIX),
        ]
        | None
    ) = None
    """The network that subnets are cut from; 10.0.0.0/8 where it is left out."""
    prefix: (
        Annotated[
            int,
            PlainValidator(addresses.subnet_length),
            WithJsonSchema(forms.SUBNET_LENGTH),
        ]
        | None
    ) = None
    """The prefix length of each subnet; 24 where it is left out."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        return {"pool": written} if isinstance(written, str) else written


class DefaultWords(ProgramWords):
    """What holds for every link, node and computer that does not say otherwise."""

    kind: Kind | None = None
    """The kind of nodes that do not say theirs."""
    link: LinkDefaultWords | None = None
    """Attributes of links that do not say otherwise."""


class KindWords(Words):
    """What holds for every node of a kind."""

    computer: ProgramWords | None = None
    """What computers have in common."""
    switch: Words | None = None
    """Nothing yet."""
    router: Words | None = None
    """Nothing yet."""


class TopologyWords(Words):
    """A whole topology file."""

    elsewhere: ClassVar[dict[str, str]] = {
        "mgmt": _NO_MANAGEMENT,
        "prefix": "leave it out: `name` alone names the network, and nothing outside carries it",
        "settings": "leave it out",
    }

    name: Annotated[
        str, PlainValidator(values.network_name), WithJsonSchema(forms.NETWORK_NAME)
    ] = Field(examples=["campus"])
    """Names the running network: lowercase letters, digits, hyphens."""
    seed: Annotated[int, PlainValidator(values.seed), WithJsonSchema(forms.SEED)] | None = None
    """Every random choice derives from it; the caller's, else 0, where it is left out."""
    domain: (
        Annotated[str, PlainValidator(naming.check_domain), WithJsonSchema(forms.DOMAIN)] | None
    ) = None
    """A node `web` is also web.DOMAIN; `NAME.test` where it is left out."""
    addressing: AddressingWords | None = None
    """Where assigned subnets come from; 10.0.0.0/8 where it is left out."""
    routing: Literal["auto", "static", "none"] | None = None
    """`auto`: routes are recomputed when links fail; `static`: those over dead links are only
    withdrawn; `none`: routers have those of their own subnets, and what `routes` gives them."""
    convergence: Duration | None = None
    """Network time from a change of carrier to the new routes; 50ms where it is left out."""
    host_jitter: Duration | None = None
    """How long computers take for a packet that arrives, at most: drawn for each one; 0s where it
    is left out."""
    order: Order | None = None
    """The `order` of computers that nothing else is said of."""
    own_packages: list[OwnPackage] | None = None
    """Installed packages of which each computer has a copy of its own, in virtual time, too."""
    defaults: DefaultWords | None = None
    """What holds where nothing else is said."""
    kinds: KindWords | None = None
    """What the nodes of a kind have in common; goes before `defaults`."""
    nodes: dict[NodeName, NodeWords] = Field(examples=["{alice: {kind: computer}}"])
    """Name → node."""
    links: list[LinkWords] | None = None
    """The cables, in order: interfaces are numbered by it."""
