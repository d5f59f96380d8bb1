"""The vocabulary of a topology file.

These models check each word by itself, before anything is known about the network as a whole.
They hold checked values with units resolved; None stands for "not written". Words that a later
netsim will know are listed in `not_yet` with what to write until then. The docstrings and
`json_forms` make the JSON Schema that editors complete from.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from netsim.core.units import parse_duration, parse_percentage
from netsim.topology import forms, naming, values
from netsim.topology.plan import Kind, PortPlan, Restart


class Words(BaseModel):
    """A mapping with a fixed vocabulary. A key without a value counts as not written."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )

    not_yet: ClassVar[dict[str, str]] = {}
    short_form: ClassVar[forms.Form | None] = None
    """In JSON Schema: what may be written instead of the mapping."""
    noun: ClassVar[str] = "key"
    """What one of its words is called."""
    page: ClassVar[str] = "docs/topology.md"
    """Where the words are explained."""

    @classmethod
    def words(cls) -> dict[str, FieldInfo]:
        """Its fields by what is written for them."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> forms.Form:
        form = handler(core_schema)
        return form if cls.short_form is None else forms.either(cls.short_form, form)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, written: Any) -> Any:
        if written is None:
            return {}
        if isinstance(written, dict):
            return {key: value for key, value in written.items() if value is not None}
        return written


def _attribute(written: object) -> str:
    return naming.check_attribute(written, "mypackage.mymodule:create_app")


def _by_interface(written: object) -> object:
    return written if isinstance(written, dict) else {"": written}


Duration = Annotated[int, PlainValidator(parse_duration), WithJsonSchema(forms.DURATION)]
Percentage = Annotated[float, PlainValidator(parse_percentage), WithJsonSchema(forms.PERCENTAGE)]
Attribute = Annotated[str, PlainValidator(_attribute), WithJsonSchema(forms.ATTRIBUTE)]
NodeName = Annotated[str, PlainValidator(values.node_name), WithJsonSchema(forms.NAME)]
InterfaceName = Annotated[
    str,
    PlainValidator(lambda name: name and values.interface_name(name)),
    WithJsonSchema(forms.INTERFACE),
]
HostAddress = Annotated[
    values.HostAddress,
    PlainValidator(values.host_address),
    WithJsonSchema(forms.HOST_ADDRESS),
]
NextHop = Annotated[bytes | str, PlainValidator(values.next_hop), WithJsonSchema(forms.NEXT_HOP)]
Endpoint = Annotated[
    values.Endpoint,
    PlainValidator(values.endpoint),
    WithJsonSchema(forms.ENDPOINT),
]
Variable = Annotated[str, PlainValidator(values.variable_name), WithJsonSchema(forms.VARIABLE)]
Value = Annotated[str, PlainValidator(values.variable_value), WithJsonSchema(forms.VALUE)]
_AddressForms = HostAddress | dict[InterfaceName, HostAddress]
ServicePort = Annotated[int, PlainValidator(values.service_port), WithJsonSchema(forms.TCP_PORT)]


# Nodes ----------------------------------------------------------------------------------------


class ServiceWords(Words):
    """What answers on a port: an aiohttp application, or a folder of files."""

    not_yet: ClassVar[dict[str, str]] = {
        "tls": "remove it and serve plain HTTP",
        "asgi": "write `app` with an aiohttp application",
        "upstream": "write `app` with a program that runs inside the network",
    }

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["app"]}, {"required": ["files"]}],
            "dependencies": {"args": ["app"]},
        }
    )
    short_form = forms.ATTRIBUTE

    app: Attribute | None = None
    """An aiohttp application or its factory, as `module:attr`; looked up beside the file first."""
    args: dict[str, Any] | None = None
    """Keyword arguments of the factory."""
    files: Annotated[str, PlainValidator(values.folder), WithJsonSchema(forms.FOLDER)] | None = None
    """A folder that is served; relative to the file."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        return {"app": written} if isinstance(written, str) else written

    @model_validator(mode="after")
    def _has_one_program(self) -> ServiceWords:
        if (self.app is None) == (self.files is None):
            raise ValueError("a service is one program; write either `app` or `files`")
        if self.args is not None and self.app is None:
            raise ValueError("`args` go to the factory of an `app`; remove them")
        return self


class RunWords(Words):
    """A coroutine function that is started on a computer."""

    short_form = forms.ATTRIBUTE

    call: Attribute = Field(examples=["mypackage.mymodule:main"])
    """The coroutine function, as `module:attr`; looked up beside the file first."""
    args: dict[str, Any] | None = None
    """Its keyword arguments."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        if isinstance(written, list):
            raise ValueError(
                "running real programs is not there yet; write a coroutine function, for "
                "example `mypackage.mymodule:main`"
            )
        return {"call": written} if isinstance(written, str) else written


class RouteWords(Words):
    """A route that a person wrote, as in netplan: `{to: 10.9.0.0/16, via: r2}`."""

    to: Annotated[
        values.Prefix,
        PlainValidator(values.route_target),
        WithJsonSchema(forms.ROUTE_TARGET),
    ] = Field(examples=["10.9.0.0/16"])
    """The network, or `default`."""
    via: NextHop = Field(examples=["r1"])
    """The next hop: an address, or the name of a node."""


class ProgramWords(Words):
    """What computers may have in common: the words of `kinds.computer`."""

    not_yet: ClassVar[dict[str, str]] = {
        "stack": "leave it out: every computer has netsim's own stack",
        "attach": "leave it out",
        "proxy": "write `ports` to publish one port of the network",
        "nat": "leave it out: every address is reachable without translation",
        "firewall": "leave it out: routers forward everything",
    }

    env: dict[Variable, Value] | None = None
    """Environment variables that its programs see; merged variable by variable."""
    services: dict[ServicePort, ServiceWords] | None = None
    """TCP port → what answers there; merged port by port."""
    run: RunWords | None = None
    """A coroutine function that is started on it."""
    congestion: (
        Annotated[str, PlainValidator(values.congestion), WithJsonSchema(forms.CONGESTION)] | None
    ) = None
    """TCP's congestion control; `reno` is NewReno, and the only one yet."""
    restart: (
        Annotated[Restart, PlainValidator(values.restart), WithJsonSchema(forms.RESTART)] | None
    ) = None
    """Whether it is started again when it is killed or ends by itself: `on-failure`, or `never`,
    which holds where it is left out."""


class NodeWords(ProgramWords):
    """One node, or `count` like ones."""

    kind: Kind | None = None
    """What it is; required, unless `defaults` has one."""
    count: Annotated[int, PlainValidator(values.count), WithJsonSchema(forms.COUNT)] | None = None
    """Makes NAME-1, NAME-2 … instead of one node."""
    # By interface; "" is the only interface there is.
    address: (
        Annotated[
            dict[InterfaceName, HostAddress],
            BeforeValidator(_by_interface, json_schema_input_type=_AddressForms),
        ]
        | None
    ) = None
    """Address and prefix length: `10.0.3.10/24`; by interface where there are several. What is
    not given is assigned."""
    gateway: NextHop | None = None
    """Next hop of the default route: an address, or a router's name."""
    routes: list[RouteWords] | None = None
    """Static routes, beside those that follow from the links."""
    ports: (
        list[
            Annotated[
                PortPlan,
                PlainValidator(values.port_forward),
                WithJsonSchema(forms.PORT_FORWARD),
            ]
        ]
        | None
    ) = None
    """Real ports that enter the network here, as in `ssh -L`: LISTEN:PORT:HOST:PORT."""


# Links ----------------------------------------------------------------------------------------


class GilbertElliottWords(Words):
    """tc-netem's `loss gemodel`, with the loss in each state instead of its complement."""

    p: Percentage = Field(examples=["1%"])
    """Chance to go from the good state to the bad one with each frame."""
    r: Percentage = Field(examples=["20%"])
    """Chance to go back."""
    loss_bad: Percentage | None = None
    """Loss in the bad state; 100% where it is left out."""
    loss_good: Percentage | None = None
    """Loss in the good state; 0% where it is left out."""


class LossWords(Words):
    """Independent losses (`loss: 1%` is short for `{random: 1%}`), or bursts."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["random"]}, {"required": ["gilbert_elliott"]}],
        }
    )
    short_form = forms.PERCENTAGE

    random: Percentage | None = None
    """Each frame by itself."""
    gilbert_elliott: GilbertElliottWords | None = None
    """Bursts."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        return written if isinstance(written, dict) else {"random": written}

    @model_validator(mode="after")
    def _is_one_model(self) -> LossWords:
        if (self.random is None) == (self.gilbert_elliott is None):
            raise ValueError(
                "loss is one model; write `0.1%`, or `{gilbert_elliott: {p: 1%, r: 20%}}`"
            )
        return self


class DirectionWords(Words):
    """What one direction of a link does to frames."""

    not_yet: ClassVar[dict[str, str]] = {
        "ecn": "leave it out: queues drop what does not fit",
        "attach": "leave it out",
    }

    delay: Duration | None = None
    """Time on the cable, one way; 0s where it is left out."""
    jitter: Duration | None = None
    """The delay varies by up to this, either way; order is kept."""
    loss: LossWords | None = None
    """How many frames are lost: `0.1%`, or bursts."""
    duplicate: Percentage | None = None
    """How many frames are delivered twice."""
    reorder: Percentage | None = None
    """How many frames skip the delay and overtake."""
    corrupt: Percentage | None = None
    """How many frames arrive with one bit of their IPv4 packet flipped."""
    bandwidth: (
        Annotated[int, PlainValidator(values.bandwidth), WithJsonSchema(forms.BANDWIDTH)] | None
    ) = None
    """Rate at which the sender puts bits on the cable; unlimited where it is left out."""
    queue: (
        Annotated[
            tuple[int | None, int | None],
            PlainValidator(values.queue),
            WithJsonSchema(forms.QUEUE),
        ]
        | None
    ) = None
    """What may wait for the bandwidth, in packets (`100`) or bytes (`256KiB`); what comes then is
    dropped. 1000 packets where it is left out."""


class LinkDefaultWords(DirectionWords):
    """What both directions of a link share."""

    mtu: Annotated[int, PlainValidator(values.mtu), WithJsonSchema(forms.MTU)] | None = None
    """Bytes of the largest IP packet; 1500 where it is left out."""


class LinkWords(LinkDefaultWords):
    """A link; `[alice, s1]` is short for `{endpoints: [alice, s1]}`."""

    short_form = forms.ENDPOINTS

    endpoints: Annotated[list[Endpoint], WithJsonSchema(forms.ENDPOINTS)] = Field(
        examples=["[alice, s1]"]
    )
    """The two ends: `NODE`, or `NODE:INTERFACE`. A counted node gets a link for each."""
    egress: dict[Endpoint, DirectionWords] | None = None
    """NODE → what is different in the direction that leaves it."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        if isinstance(written, LinkWords):
            return written
        if isinstance(written, list):
            written = {"endpoints": written}
        if not isinstance(written, dict):
            raise ValueError(
                "this is no link; write `[alice, s1]`, or a mapping with `endpoints: [alice, s1]`"
            )
        ends = written.get("endpoints")
        if isinstance(ends, list) and len(ends) != 2:
            raise ValueError(
                f"a link has two ends, not {len(ends)}; write for example `[alice, s1]`"
            )
        return written


# The file -------------------------------------------------------------------------------------


class AddressingWords(Words):
    """Where assigned subnets come from; `10.0.0.0/8` is short for `{pool: 10.0.0.0/8}`."""

    short_form = forms.PREFIX

    pool: (
        Annotated[
            values.Prefix,
            PlainValidator(values.pool),
            WithJsonSchema(forms.PREFIX),
        ]
        | None
    ) = None
    """The network that subnets are cut from; 10.0.0.0/8 where it is left out."""
    prefix: (
        Annotated[
            int,
            PlainValidator(values.subnet_length),
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

    name: Annotated[str, PlainValidator(values.network_name), WithJsonSchema(forms.NAME)] = Field(
        examples=["campus"]
    )
    """Names the running network: lowercase letters, digits, hyphens."""
    seed: Annotated[int, PlainValidator(values.seed), WithJsonSchema(forms.SEED)] | None = None
    """Every random choice derives from it; the caller's, else 0, where it is left out."""
    domain: (
        Annotated[str, PlainValidator(naming.check_domain), WithJsonSchema(forms.DOMAIN)] | None
    ) = None
    """A node `web` is also web.DOMAIN; `NAME.test` where it is left out."""
    addressing: AddressingWords | None = None
    """Where assigned subnets come from; 10.0.0.0/8 where it is left out."""
    routing: Literal["auto", "static"] | None = None
    """`auto`: routes are recomputed when links fail; `static`: those over dead links are only
    withdrawn."""
    convergence: Duration | None = None
    """Network time from a change of carrier to the new routes; 50ms where it is left out."""
    defaults: DefaultWords | None = None
    """What holds where nothing else is said."""
    kinds: KindWords | None = None
    """What the nodes of a kind have in common; goes before `defaults`."""
    nodes: dict[NodeName, NodeWords] = Field(examples=["{alice: {kind: computer}}"])
    """Name → node."""
    links: list[LinkWords] | None = None
    """The cables, in order: interfaces are numbered by it."""
