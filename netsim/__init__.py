"""An internet you can pip install.

    from netsim import Network, run

`Network` is the whole of the Python API, and `run` is `asyncio.run` in virtual time; the rest is
what they return, take and raise. Nothing deeper than `netsim` is a promise. All of it is imported
when it is asked for, so that `import netsim` costs nothing.
"""

from __future__ import annotations

# As type checkers know it; `typing` is most of what is imported before the command line can catch
# Ctrl-C.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from netsim.core.errors import AlreadyRunningError as AlreadyRunningError
    from netsim.core.errors import BlockingCallError as BlockingCallError
    from netsim.core.errors import BlockingSleepError as BlockingSleepError
    from netsim.core.errors import CopyError as CopyError
    from netsim.core.errors import DeadlockError as DeadlockError
    from netsim.core.errors import FilterMistake as FilterMistake
    from netsim.core.errors import HttpFailedError as HttpFailedError
    from netsim.core.errors import InterceptionError as InterceptionError
    from netsim.core.errors import InvalidFileError as InvalidFileError
    from netsim.core.errors import InvalidFilterError as InvalidFilterError
    from netsim.core.errors import InvalidGraphError as InvalidGraphError
    from netsim.core.errors import InvalidNameError as InvalidNameError
    from netsim.core.errors import InvalidValueError as InvalidValueError
    from netsim.core.errors import IperfFailedError as IperfFailedError
    from netsim.core.errors import NetsimError as NetsimError
    from netsim.core.errors import NoCoroutineError as NoCoroutineError
    from netsim.core.errors import NoPathError as NoPathError
    from netsim.core.errors import NoProgramsError as NoProgramsError
    from netsim.core.errors import NotAwaitedError as NotAwaitedError
    from netsim.core.errors import NotInRealTimeError as NotInRealTimeError
    from netsim.core.errors import NotRespondingError as NotRespondingError
    from netsim.core.errors import NotRunningError as NotRunningError
    from netsim.core.errors import OutsideError as OutsideError
    from netsim.core.errors import Problem as Problem
    from netsim.core.errors import StandstillError as StandstillError
    from netsim.core.errors import StartError as StartError
    from netsim.core.errors import StuckError as StuckError
    from netsim.core.errors import ThreadLimitError as ThreadLimitError
    from netsim.core.errors import TransferFailedError as TransferFailedError
    from netsim.core.errors import UnitError as UnitError
    from netsim.core.errors import UnknownNameError as UnknownNameError
    from netsim.core.errors import UnrepeatableWarning as UnrepeatableWarning
    from netsim.core.errors import UnsupportedInterpreterError as UnsupportedInterpreterError
    from netsim.core.errors import WallLimitError as WallLimitError
    from netsim.core.errors import WrongTimeError as WrongTimeError
    from netsim.drawing.trace_svg import trace_svg as trace_svg
    from netsim.drawing.trace_text import trace_text as trace_text
    from netsim.network.events import Event as Event
    from netsim.network.events import Subscription as Subscription
    from netsim.network.faults import Fault as Fault
    from netsim.network.faults import Operation as Operation
    from netsim.network.link_loads import LinkLoad as LinkLoad
    from netsim.network.link_loads import Top as Top
    from netsim.network.link_view import LinkView as LinkView
    from netsim.network.live_captures import LiveCapture as LiveCapture
    from netsim.network.log_lines import LogLine as LogLine
    from netsim.network.measuring import Recording as Recording
    from netsim.network.network import Network as Network
    from netsim.network.node_view import Completed as Completed
    from netsim.network.node_view import NodeView as NodeView
    from netsim.network.reachability import Ping as Ping
    from netsim.network.reachability import Reachability as Reachability
    from netsim.network.timing import Timing as Timing
    from netsim.network.timing import TimingWatch as TimingWatch
    from netsim.network.traffic_faults import ConnectionsView as ConnectionsView
    from netsim.observe.captured import CapturedFrame as CapturedFrame
    from netsim.observe.frame_log import FrameRecord as FrameRecord
    from netsim.observe.late import Late as Late
    from netsim.observe.link_account import LinkAccount as LinkAccount
    from netsim.observe.link_account import UnbalancedLinkError as UnbalancedLinkError
    from netsim.observe.measurement import Measurement as Measurement
    from netsim.observe.request_phases import Span as Span
    from netsim.observe.request_trace import Trace as Trace
    from netsim.observe.request_trace import TracedHop as TracedHop
    from netsim.observe.request_trace import TracedPacket as TracedPacket
    from netsim.observe.tap import Direction as Direction
    from netsim.realtime.launcher import Launcher as Launcher
    from netsim.realtime.zygote import Zygote as Zygote
    from netsim.site.backend import ToolRun as ToolRun
    from netsim.tools.http_reply import HttpReply as HttpReply
    from netsim.tools.http_reply import HttpTimings as HttpTimings
    from netsim.tools.iperf_report import IperfRate as IperfRate
    from netsim.tools.iperf_report import IperfReport as IperfReport
    from netsim.tools.iperf_report import IperfStream as IperfStream
    from netsim.tools.ping_measurement import PingReport as PingReport
    from netsim.tools.transfer import Transfer as Transfer
    from netsim.topology.load_topology import load_graph as load_graph
    from netsim.topology.make_plan import make_plan as make_plan
    from netsim.topology.plan import NetworkPlan as NetworkPlan
    from netsim.virtual.director_loop import run as run
else:

    def __getattr__(name: str) -> object:
        import importlib

        module = _HOMES.get(name)
        if module is None and name in __all__:
            module = "netsim.core.errors"
        if module is None:
            raise AttributeError(f"module 'netsim' has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module(module), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "AlreadyRunningError",
    "BlockingCallError",
    "BlockingSleepError",
    "CapturedFrame",
    "Completed",
    "ConnectionsView",
    "CopyError",
    "DeadlockError",
    "Direction",
    "Event",
    "Fault",
    "FilterMistake",
    "FrameRecord",
    "HttpFailedError",
    "HttpReply",
    "HttpTimings",
    "InterceptionError",
    "InvalidFileError",
    "InvalidFilterError",
    "InvalidGraphError",
    "InvalidNameError",
    "InvalidValueError",
    "IperfFailedError",
    "IperfRate",
    "IperfReport",
    "IperfStream",
    "Late",
    "Launcher",
    "LinkAccount",
    "LinkLoad",
    "LinkView",
    "LiveCapture",
    "LogLine",
    "Measurement",
    "NetsimError",
    "Network",
    "NetworkPlan",
    "NoCoroutineError",
    "NoPathError",
    "NoProgramsError",
    "NodeView",
    "NotAwaitedError",
    "NotInRealTimeError",
    "NotRespondingError",
    "NotRunningError",
    "Operation",
    "OutsideError",
    "Ping",
    "PingReport",
    "Problem",
    "Reachability",
    "Recording",
    "Span",
    "StandstillError",
    "StartError",
    "StuckError",
    "Subscription",
    "ThreadLimitError",
    "Timing",
    "TimingWatch",
    "ToolRun",
    "Top",
    "Trace",
    "TracedHop",
    "TracedPacket",
    "Transfer",
    "TransferFailedError",
    "UnbalancedLinkError",
    "UnitError",
    "UnknownNameError",
    "UnrepeatableWarning",
    "UnsupportedInterpreterError",
    "WallLimitError",
    "WrongTimeError",
    "Zygote",
    "load_graph",
    "make_plan",
    "run",
    "trace_svg",
    "trace_text",
]

_HOMES = {
    "CapturedFrame": "netsim.observe.captured",
    "Completed": "netsim.network.node_view",
    "ConnectionsView": "netsim.network.traffic_faults",
    "Direction": "netsim.observe.tap",
    "Event": "netsim.network.events",
    "Fault": "netsim.network.faults",
    "FrameRecord": "netsim.observe.frame_log",
    "HttpReply": "netsim.tools.http_reply",
    "HttpTimings": "netsim.tools.http_reply",
    "IperfRate": "netsim.tools.iperf_report",
    "IperfReport": "netsim.tools.iperf_report",
    "IperfStream": "netsim.tools.iperf_report",
    "Late": "netsim.observe.late",
    "Launcher": "netsim.realtime.launcher",
    "LinkAccount": "netsim.observe.link_account",
    "LinkLoad": "netsim.network.link_loads",
    "LinkView": "netsim.network.link_view",
    "LiveCapture": "netsim.network.live_captures",
    "LogLine": "netsim.network.log_lines",
    "Measurement": "netsim.observe.measurement",
    "Network": "netsim.network.network",
    "NetworkPlan": "netsim.topology.plan",
    "NodeView": "netsim.network.node_view",
    "Operation": "netsim.network.faults",
    "Ping": "netsim.network.reachability",
    "PingReport": "netsim.tools.ping_measurement",
    "Reachability": "netsim.network.reachability",
    "Recording": "netsim.network.measuring",
    "Span": "netsim.observe.request_phases",
    "Subscription": "netsim.network.events",
    "Timing": "netsim.network.timing",
    "TimingWatch": "netsim.network.timing",
    "ToolRun": "netsim.site.backend",
    "Top": "netsim.network.link_loads",
    "Trace": "netsim.observe.request_trace",
    "TracedHop": "netsim.observe.request_trace",
    "TracedPacket": "netsim.observe.request_trace",
    "Transfer": "netsim.tools.transfer",
    "UnbalancedLinkError": "netsim.observe.link_account",
    "Zygote": "netsim.realtime.zygote",
    "load_graph": "netsim.topology.load_topology",
    "make_plan": "netsim.topology.make_plan",
    "run": "netsim.virtual.director_loop",
    "trace_svg": "netsim.drawing.trace_svg",
    "trace_text": "netsim.drawing.trace_text",
}
"""Where the names of `__all__` are defined; those that are missing here are errors."""
