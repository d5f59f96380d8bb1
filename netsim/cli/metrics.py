"""`netsim metrics`: what a network counts, for Prometheus."""

from __future__ import annotations

import click

from netsim.cli import options
from netsim.control.control_client import ControlClient
from netsim.control.state_directory import find


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim metrics\n"
    "  netsim metrics | grep netsim_link_dropped_frames_total",
)
@options.network_name
def command(name: str | None) -> None:
    """Print what a network counts, as Prometheus reads it.

    Interfaces, links, queues, drops by reason, TCP, and how late the nodes run. A Prometheus gets
    the same from GET /metrics of the control API.
    """
    click.echo(ControlClient(find(name)).metrics(), nl=False)
