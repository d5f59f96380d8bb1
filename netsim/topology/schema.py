"""The vocabulary of a topology file.

These models check each word by itself, before anything is known about the network as a whole.
They hold checked values with units resolved; None stands for "not written". Words that a later
netsim will know are listed in `not_yet` with what to write until then.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from netsim.core.units import parse_duration, parse_percentage
from netsim.topology import names, words
from netsim.topology.plan import Kind, PortPlan


class Words(BaseModel):
    """A mapping with a fixed vocabulary. A key without a value counts as not written."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    not_yet: ClassVar[dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, written: Any) -> Any:
        if written is None:
            return {}
        if isinstance(written, dict):
            return {key: value for key, value in written.items() if value is not None}
        return written


def _attribute(written: object) -> str:
    return names.check_attribute(written, "mypackage.mymodule:create_app")


def _by_interface(written: object) -> object:
    return written if isinstance(written, dict) else {"": written}


Duration = Annotated[int, PlainValidator(parse_duration)]
Percentage = Annotated[float, PlainValidator(parse_percentage)]
Attribute = Annotated[str, PlainValidator(_attribute)]
NodeName = Annotated[str, PlainValidator(words.node_name)]
InterfaceName = Annotated[str, PlainValidator(lambda name: name and words.interface_name(name))]
HostAddress = Annotated[words.HostAddress, PlainValidator(words.host_address)]
NextHop = Annotated[bytes | str, PlainValidator(words.next_hop)]
Endpoint = Annotated[words.Endpoint, PlainValidator(words.endpoint)]
Variable = Annotated[str, PlainValidator(words.variable_name)]
Value = Annotated[str, PlainValidator(words.variable_value)]
ServicePort = Annotated[int, PlainValidator(words.service_port)]


# Nodes ----------------------------------------------------------------------------------------


class ServiceWords(Words):
    """What answers on a port: an aiohttp application, or a folder of files."""

    not_yet: ClassVar[dict[str, str]] = {
        "tls": "remove it and serve plain HTTP",
        "asgi": "write `app` with an aiohttp application",
        "upstream": "write `app` with a program that runs inside the network",
    }

    app: Attribute | None = None
    args: dict[str, Any] | None = None
    files: Annotated[str, PlainValidator(words.folder)] | None = None

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

    call: Attribute = Field(examples=["mypackage.mymodule:main"])
    args: dict[str, Any] | None = None

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

    to: Annotated[words.Prefix, PlainValidator(words.route_target)] = Field(
        examples=["10.9.0.0/16"]
    )
    via: NextHop = Field(examples=["r1"])


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
    services: dict[ServicePort, ServiceWords] | None = None
    run: RunWords | None = None
    congestion: Annotated[str, PlainValidator(words.congestion)] | None = None
    restart: Annotated[str, PlainValidator(words.restart)] | None = None


class NodeWords(ProgramWords):
    """One node, or `count` like ones."""

    kind: Kind | None = None
    count: Annotated[int, PlainValidator(words.count)] | None = None
    address: Annotated[dict[InterfaceName, HostAddress], BeforeValidator(_by_interface)] | None = (
        None
    )
    """By interface; "" is the only interface there is."""
    gateway: NextHop | None = None
    routes: list[RouteWords] | None = None
    ports: list[Annotated[PortPlan, PlainValidator(words.port_forward)]] | None = None


# Links ----------------------------------------------------------------------------------------


class GilbertElliottWords(Words):
    """tc-netem's `loss gemodel`, with the loss in each state instead of its complement."""

    p: Percentage = Field(examples=["1%"])
    r: Percentage = Field(examples=["20%"])
    loss_bad: Percentage | None = None
    loss_good: Percentage | None = None


class LossWords(Words):
    """Independent losses (`loss: 1%` is short for `{random: 1%}`), or bursts."""

    random: Percentage | None = None
    gilbert_elliott: GilbertElliottWords | None = None

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
    jitter: Duration | None = None
    loss: LossWords | None = None
    duplicate: Percentage | None = None
    reorder: Percentage | None = None
    corrupt: Percentage | None = None
    bandwidth: Annotated[int, PlainValidator(words.bandwidth)] | None = None
    queue: Annotated[tuple[int | None, int | None], PlainValidator(words.queue)] | None = None


class LinkDefaultWords(DirectionWords):
    """What both directions of a link share."""

    mtu: Annotated[int, PlainValidator(words.mtu)] | None = None


class LinkWords(LinkDefaultWords):
    """A link; `[alice, s1]` is short for `{endpoints: [alice, s1]}`."""

    endpoints: list[Endpoint] = Field(examples=["[alice, s1]"])
    egress: dict[Endpoint, DirectionWords] | None = None

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

    pool: Annotated[words.Prefix, PlainValidator(words.pool)] | None = None
    prefix: Annotated[int, PlainValidator(words.subnet_length)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, written: Any) -> Any:
        return {"pool": written} if isinstance(written, str) else written


class DefaultWords(ProgramWords):
    """What holds for every link, node and computer that does not say otherwise."""

    kind: Kind | None = None
    link: LinkDefaultWords | None = None


class KindWords(Words):
    """What holds for every node of a kind."""

    computer: ProgramWords | None = None
    switch: Words | None = None
    router: Words | None = None


class TopologyWords(Words):
    """A whole topology file."""

    name: Annotated[str, PlainValidator(words.network_name)] = Field(examples=["campus"])
    seed: Annotated[int, PlainValidator(words.seed)] | None = None
    domain: Annotated[str, PlainValidator(names.check_domain)] | None = None
    addressing: AddressingWords | None = None
    routing: Literal["auto", "static"] | None = None
    convergence: Duration | None = None
    defaults: DefaultWords | None = None
    kinds: KindWords | None = None
    nodes: dict[NodeName, NodeWords] = Field(examples=["{alice: {kind: computer}}"])
    links: list[LinkWords] | None = None
