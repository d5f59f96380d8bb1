"""The `netsim` command itself: its options and the list of commands."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final

import click

from netsim.cli.completion import matching

ADDRESS: Final = "NETSIM_CONTROL"

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Final = {
    "up": ("netsim.cli.up", "Start a network from a topology file."),
    "down": ("netsim.cli.down", "Stop a running network."),
    "ps": ("netsim.cli.ps", "List the running networks."),
    "inspect": ("netsim.cli.inspect", "Show nodes, addresses, routes, tables and counters."),
    "exec": ("netsim.cli.exec_", "Run ping, traceroute, curl, dig, ip, ss or mac-table at a node."),
    "capture": ("netsim.cli.capture", "Show what passes nodes and interfaces, as tcpdump does."),
    "pingall": ("netsim.cli.pingall", "Ping from every computer to every other one."),
    "trace": ("netsim.cli.trace", "Follow one request through every queue and every cable."),
    "iperf": ("netsim.cli.iperf", "Measure how much one computer can send to another."),
    "link": ("netsim.cli.link", "Show or change a link: down, hold, delay, loss, bandwidth …"),
    "partition": ("netsim.cli.partition", "Take down links until two groups are cut off."),
    "isolate": ("netsim.cli.isolate", "Let packets vanish between two groups of nodes."),
    "drop": ("netsim.cli.drop", "Let packets vanish from one node to another."),
    "connections": ("netsim.cli.connections", "Reset, cut, stall or refuse connections."),
    "repair": ("netsim.cli.repair", "Heal what the four before have done."),
    "shell": ("netsim.cli.shell", "A prompt, as Mininet's: h1 ping h2, link s1 s2 down, pingall …"),
    "node": ("netsim.cli.node", "Kill, stop, start, restart or pause a node."),
    "top": ("netsim.cli.top", "Show the busiest links, live."),
    "metrics": ("netsim.cli.metrics", "Print what a network counts, for Prometheus."),
    "logs": ("netsim.cli.logs", "Show what the nodes and their programs logged."),
    "test": ("netsim.cli.test", "Run scenario files, in virtual time or in real time."),
    "graph": ("netsim.cli.graph", "Show a topology as a tree, or draw a picture of it."),
    "generate": ("netsim.cli.generate", "Print a topology file: linear, tree, ring, clos …"),
    "validate": (
        "netsim.cli.validate",
        "Check topology and scenario files; nothing starts.",
    ),
    "schema": ("netsim.cli.schema", "Print the JSON Schema of topology or scenario files."),
}
"""Module and one line of each command, in the order of `netsim --help`."""


class CommandList(click.Group):
    """Imports a command when it is run: `--help` and `ps` need none of the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = {name: text for name, (_, text) in COMMANDS.items()}
        # click's own would import every command for its help.
        return [
            *matching(commands, incomplete),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            from netsim.cli.other_words import words_here

            instead = words_here(args) or _nearest(args[0])
            ctx.fail(f"there is no command `{args[0]}`; {instead}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _nearest(name: str) -> str:
    from netsim.topology.naming import nearest

    near = nearest(name, COMMANDS.keys())
    if near is not None:
        return f"write `{near}`"
    return f"write one of {', '.join(f'`{command}`' for command in COMMANDS)}"


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"netsim {version('netsim-internet')}")
        ctx.exit()


@click.group(
    cls=CommandList,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
    epilog="\b\nExamples:\n"
    "  netsim up topologies/campus.yaml\n"
    "  netsim exec alice traceroute web\n"
    "  netsim down campus",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
@click.option(
    "--control",
    metavar="URL",
    help="Talk to a network behind this address (netsim up --control), not to one here.",
)
@click.option("--name", metavar="NAME", hidden=True, help="As behind the command.")
@click.pass_context
def netsim(ctx: click.Context, debug: bool, control: str | None, name: str | None) -> Any:
    """An internet you can pip install: a YAML file becomes a running network.

    Computers, switches and routers each run as a process of their own, and real HTTP crosses
    them on real Ethernet frames.
    """
    if control is not None:
        os.environ[ADDRESS] = control
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    elif name is not None:
        _hand_on(ctx, ctx.invoked_subcommand, name)


def _hand_on(ctx: click.Context, command_name: str, name: str) -> None:
    """`netsim --name campus ps` is `netsim ps --name campus`."""
    command = (
        ctx.command.get_command(ctx, command_name) if isinstance(ctx.command, CommandList) else None
    )
    for parameter in command.params if command is not None else ():
        if "--name" in parameter.opts and parameter.name is not None:
            ctx.default_map = {command_name: {parameter.name: name}}
            return
    ctx.fail(f"`{command_name}` takes no `--name`; leave it out")
