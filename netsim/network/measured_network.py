"""What is measured of a network from one of its computers to another: `iperf`, `trace`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from netsim.network.node_view import NodeView
from netsim.network.running_network import RunningNetwork
from netsim.topology.plan_names import check_node

# What measures is imported when something is: a supervisor needs none of it.
if TYPE_CHECKING:
    from netsim.observe.request_trace import Trace
    from netsim.tools.http_exchange import Headers
    from netsim.tools.http_reply import HttpReply
    from netsim.tools.iperf_report import IperfReport


class MeasuredNetwork(RunningNetwork):
    """A network that runs, and whose computers ask and send."""

    @abstractmethod
    def __getitem__(self, name: str) -> NodeView:
        """A node: `net["alice"]`."""

    async def iperf(
        self,
        client: str,
        server: str,
        *,
        reverse: bool = False,
        parallel: int = 1,
        seconds: float = 10.0,
        interval: float = 1.0,
        udp: bool = False,
        bitrate: str | None = None,
        length: int | None = None,
    ) -> IperfReport:
        """Send from one computer to another for a while, as `iperf3` does; both ends are counted.

        `server` is a name or address, where nothing has to listen; with `reverse` it sends. There
        are `parallel` streams. `seconds` and `interval` are of network time. Over `udp` each stream
        sends datagrams of `length` bytes (1448) at a `bitrate` (`"10mbit"`; 1 by default).
        IperfFailedError, and ConnectionError when a node is or goes down; UnknownNameError,
        InvalidValueError, UnitError.
        """
        from netsim.network.iperf_run import IperfOptions, IperfRun

        check_node(self.plan, client)
        options = IperfOptions(
            reverse=reverse,
            parallel=parallel,
            seconds=seconds,
            interval=interval,
            udp=udp,
            bitrate=bitrate,
            length=length,
        )
        return await IperfRun(self, client, server, options).run()

    async def trace(self, client: str, url: str, *, timeout: float = 30.0) -> Trace:
        """One request, followed through every queue and over every cable.

        The trace has its packets, hop by hop, and where the time went, whatever came of it: an
        `error` where there was no reply within `timeout` seconds of network time. UnknownNameError,
        InvalidValueError for what is no URL, ConnectionError when the client is or goes down.
        """
        from netsim.network.tracing import TracedRequest, trace_request

        check_node(self.plan, client)
        asked = TracedRequest("GET", url, timeout=timeout)
        return (await trace_request(self, self._backend, client, asked))[0]

    async def traced_request(
        self,
        client: str,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> tuple[Trace, HttpReply | None]:
        """As `NodeView.request`, followed as by `trace`, which says why there is no whole reply."""
        from netsim.network.tracing import TracedRequest, trace_request

        check_node(self.plan, client)
        asked = TracedRequest(method, url, headers, body, timeout, keep=True)
        return await trace_request(self, self._backend, client, asked)
