"""The vocabulary of checks: steps that look at the network and hold or do not.

Durations are ns, rates bit/s, sizes bytes, as in `netsim.topology.topology_words`; None is "not
written".
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from netsim.core import units
from netsim.scenario import step_values
from netsim.scenario.expectation import (
    COUNT,
    DURATION,
    PERCENTAGE,
    RATE,
    Expectation,
    Quantity,
    parse_expectation,
)
from netsim.topology.vocabulary import NodeName, Reference, Words


class ScenarioPart(Words):
    """Words of a scenario file. `from_` is written `from`, as in the file's language."""

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))
    page: ClassVar[str] = "docs/scenarios.md"


def _expected(quantity: Quantity) -> PlainValidator:
    return PlainValidator(lambda written: parse_expectation(written, quantity))


ExpectedDuration = Annotated[
    Expectation, _expected(DURATION), WithJsonSchema(step_values.EXPECTED_DURATION)
]
ExpectedRate = Annotated[Expectation, _expected(RATE), WithJsonSchema(step_values.EXPECTED_RATE)]
ExpectedPercentage = Annotated[
    Expectation, _expected(PERCENTAGE), WithJsonSchema(step_values.EXPECTED_PERCENTAGE)
]
ExpectedCount = Annotated[
    Expectation, _expected(COUNT), WithJsonSchema(step_values.EXPECTED_STATUS)
]
Period = Annotated[
    int, PlainValidator(step_values.positive_duration), WithJsonSchema(units.DURATION.form)
]
Text = Annotated[str, PlainValidator(step_values.text), WithJsonSchema(step_values.TEXT)]
Host = Annotated[str, PlainValidator(step_values.host), WithJsonSchema(step_values.HOST)]
Times = Annotated[int, PlainValidator(step_values.times), WithJsonSchema(step_values.COUNT)]
_Method = Annotated[str, PlainValidator(step_values.method), WithJsonSchema(step_values.METHOD)]
_Size = Annotated[int, PlainValidator(step_values.size), WithJsonSchema(units.SIZE.form)]
_PingSize = Annotated[int, PlainValidator(step_values.ping_size), WithJsonSchema(units.SIZE.form)]


class OutcomeWords(ScenarioPart):
    """What the outcome of most checks may be expected to be like."""

    within: Period | None = None
    """How long it may take."""
    time: ExpectedDuration | None = None
    """How long it takes."""
    error: Text | None = None
    """It must fail, and this must be part of the error's text; `""` is any error."""


class HttpExpectWords(OutcomeWords):
    """What the response of an HTTP request is expected to be like."""

    status: ExpectedCount | None = None
    """The status code."""
    body: Text | None = None
    """Must be part of the body."""
    headers: dict[str, Text] | None = None
    """Name → must be part of this header."""


class HttpWords(ScenarioPart):
    """An HTTP request; holds with any response unless `expect` says more."""

    from_: NodeName = Field(examples=["alice"])
    """The computer that asks."""
    url: Annotated[str, PlainValidator(step_values.url), WithJsonSchema(step_values.URL)] = Field(
        examples=["http://web/ip"]
    )
    """What it asks for."""
    method: (
        Annotated[str, PlainValidator(step_values.method), WithJsonSchema(step_values.METHOD)]
        | None
    ) = None
    """GET where it is left out; POST where there is a `body`."""
    headers: dict[str, Text] | None = None
    """Header fields of the request."""
    body: Text | None = None
    """What is sent."""
    timeout: Period | None = None
    """When it gives up; where it is left out, a second after `expect.within`, else never."""
    expect: HttpExpectWords | None = None
    """What the response must be like."""


class PingExpectWords(ScenarioPart):
    """What pings are expected to show."""

    loss: ExpectedPercentage | None = None
    """How many requests go without a reply."""
    rtt: ExpectedDuration | None = None
    """The average round-trip time of those that are answered."""
    ttl: ExpectedCount | None = None
    """The TTL with which each reply arrives: 64 less the routers on its way back."""


class PingWords(ScenarioPart):
    """ICMP echo requests; holds with one reply unless `expect` says more."""

    from_: NodeName = Field(examples=["alice"])
    """The node that pings."""
    to: Host = Field(examples=["web"])
    """A node's name, or an address."""
    count: Times | None = None
    """How many; 3 where it is left out."""
    interval: Period | None = None
    """Between two of them; 1s where it is left out."""
    timeout: Period | None = None
    """How long a reply may take; 2s where it is left out."""
    size: _PingSize | None = None
    """Data in each; 56B where it is left out."""
    expect: PingExpectWords | None = None
    """What they must show."""


class PathWords(ScenarioPart):
    """The way packets take; holds where there is one unless `expect` says more."""

    from_: NodeName = Field(examples=["alice"])
    """Where they start."""
    to: Host = Field(examples=["web"])
    """Where they go."""
    expect: list[NodeName] | None = None
    """The routers on the way, in order."""


class DnsExpectWords(ScenarioPart):
    """What a name is expected to resolve to."""

    a: (
        Annotated[str, PlainValidator(step_values.a_record), WithJsonSchema(step_values.A_RECORD)]
        | None
    ) = None
    """The address, or `none` where there is no such name."""


class DnsWords(ScenarioPart):
    """Looks a name up; holds where it exists unless `expect` says more."""

    from_: NodeName = Field(examples=["alice"])
    """The node that asks."""
    name: Host = Field(examples=["web.campus.test"])
    """What it asks for."""
    expect: DnsExpectWords | None = None
    """What the answer must be."""


class TransferExpectWords(OutcomeWords):
    """What a transfer is expected to be like."""

    goodput: ExpectedRate | None = None
    """Payload that arrived, over the time it took."""


class TransferWords(ScenarioPart):
    """Bytes over one TCP connection; holds when all have arrived unless `expect` says more."""

    from_: NodeName = Field(examples=["web"])
    """Who sends."""
    to: NodeName = Field(examples=["alice"])
    """Who receives."""
    size: _Size = Field(examples=["20MiB"])
    """How much."""
    timeout: Period | None = None
    """When it gives up; where it is left out, a second after `expect.within`, else never."""
    expect: TransferExpectWords | None = None
    """What it must be like."""


class RunExpectWords(OutcomeWords):
    """What a function is expected to do."""

    returns: Any = None
    """What it returns."""


class RunWords(ScenarioPart):
    """Runs a function on a computer; holds unless it raises or `expect` says more."""

    host: NodeName = Field(examples=["alice"])
    """The computer."""
    call: Reference = Field(examples=["mychecks.shop:checkout"])
    """The function, `async def` or `def`, as `module:attr`; looked up beside the file first."""
    args: dict[str, Any] | None = None
    """Its keyword arguments."""
    timeout: Period | None = None
    """When it is cancelled; where it is left out, a second after `expect.within`, else never."""
    expect: RunExpectWords | None = None
    """What it must do."""


CHECKS = ("http", "ping", "path", "dns", "transfer", "run")
_VERBS_ELSEWHERE: Final = {
    "call": "run",
    "curl": "http",
    "delay": "set",
    "dig": "dns",
    "get": "http",
    "heal": "repair",
    "iperf": "transfer",
    "kill": "crash",
    "loss": "set",
    "post": "http",
    "request": "http",
    "sleep": "wait",
    "tcpdump": "capture",
    "traceroute": "path",
}
"""What other tools call the same."""


def one_of(verbs: tuple[str, ...]) -> ConfigDict:
    """In JSON Schema: exactly one of these keys."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [verb]} for verb in verbs]})


class CheckWords(ScenarioPart):
    """One check."""

    model_config = one_of(CHECKS)
    noun: ClassVar[str] = "step"
    verbs: ClassVar[tuple[str, ...]] = CHECKS

    http: HttpWords | None = None
    """An HTTP request."""
    ping: PingWords | None = None
    """ICMP echo requests."""
    path: PathWords | None = None
    """The routers on the way."""
    dns: DnsWords | None = None
    """What a name resolves to."""
    transfer: TransferWords | None = None
    """Bytes over one TCP connection."""
    run: RunWords | None = None
    """A function on a computer."""

    @model_validator(mode="before")
    @classmethod
    def _is_a_step(cls, written: Any) -> Any:
        if isinstance(written, str):
            raise ValueError(
                f"the text `{written[:40]}` is no step; write a verb with what it needs, "
                "for example `wait: 5s`"
            )
        if not isinstance(written, dict):
            return written
        for key in map(str, written):
            known_elsewhere = _VERBS_ELSEWHERE.get(key.lower())
            if known_elsewhere in cls.verbs:
                raise ValueError(f"unknown step `{key}`; write `{known_elsewhere}`")
        if "expect" in written:
            verb = next((verb for verb in CHECKS if verb in written), "http")
            raise ValueError(
                f"`expect` belongs to a check; write it inside: `{verb}: {{…, expect: …}}`"
            )
        return written

    @property
    def verb(self) -> str:
        """The one that is written."""
        return next(verb for verb in self.verbs if self.arguments(verb) is not None)

    def arguments(self, verb: str) -> Any:
        """What is written for a verb, None where it is not."""
        fields = type(self).model_fields
        return getattr(self, verb if verb in fields else f"{verb}_")

    @model_validator(mode="after")
    def _has_one_verb(self) -> CheckWords:
        written = [verb for verb in self.verbs if self.arguments(verb) is not None]
        if not written:
            raise ValueError(f"a step is missing; write one of {', '.join(self.verbs)}")
        if len(written) > 1:
            shown = " and ".join(f"`{verb}`" for verb in written)
            raise ValueError(f"{shown} are {len(written)} steps; write each as a step of its own")
        return self
