"""SLOWLOG and LATENCY: which commands took long, and how long commands take."""

from __future__ import annotations

from typing import Any

from redmodel.engine import texts
from redmodel.engine.arguments import parse_integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, Verbatim
from redmodel.errors import ReplyError

TABLE = Table(
    ("LATENCY", -2, "", (0, 0, 0)),
    ("LATENCY|DOCTOR", 2, "admin noscript loading stale", (0, 0, 0)),
    ("LATENCY|GRAPH", 3, "admin noscript loading stale", (0, 0, 0)),
    ("LATENCY|HELP", 2, "loading stale", (0, 0, 0)),
    ("LATENCY|HISTOGRAM", -2, "admin noscript loading stale", (0, 0, 0)),
    ("LATENCY|HISTORY", 3, "admin noscript loading stale", (0, 0, 0)),
    ("LATENCY|LATEST", 2, "admin noscript loading stale", (0, 0, 0)),
    ("LATENCY|RESET", -2, "admin noscript loading stale", (0, 0, 0)),
    ("SLOWLOG", -2, "", (0, 0, 0)),
    ("SLOWLOG|GET", -2, "admin loading stale", (0, 0, 0)),
    ("SLOWLOG|HELP", 2, "loading stale", (0, 0, 0)),
    ("SLOWLOG|LEN", 2, "admin loading stale", (0, 0, 0)),
    ("SLOWLOG|RESET", 2, "admin loading stale", (0, 0, 0)),
)

_DOCTOR_OFF = (
    b"I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG "
    b"SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd "
    b"suggest to take a look at https://redis.io/topics/latency-monitor.\n"
)
_DOCTOR_CALM = (
    b"Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I "
    b"honestly think you ought to sit down calmly, take a stress pill, and think things over.\n"
)

_LATENCY_HELP = """
DOCTOR
    Return a human readable latency analysis report.
GRAPH <event>
    Return an ASCII latency graph for the <event> class.
HISTORY <event>
    Return time-latency samples for the <event> class.
LATEST
    Return the latest latency samples for all events.
RESET [<event> ...]
    Reset latency data of one or more <event> classes.
    (default: reset all data for all event classes)
HISTOGRAM [COMMAND ...]
    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.
    If no commands are specified then all histograms are replied.
"""

_SLOWLOG_HELP = """
GET [<count>]
    Return top <count> entries from the slowlog (default: 10, -1 mean all).
    Entries are made of:
    id, timestamp, time in microseconds, arguments array, client IP and port,
    client name
LEN
    Return the length of the slowlog.
RESET
    Reset the slowlog.
"""


@TABLE.handles("SLOWLOG|GET")
def slowlog_get(context: Context, args: Args) -> Reply:
    if len(args) > 3:
        raise texts.subcommand_syntax(b"slowlog", args[1])
    count = parse_integer(args[2]) if len(args) == 3 else 10
    if count is None or count < -1:
        raise ReplyError("ERR count should be greater than or equal to -1")
    entries = list(context.engine.gate.slow)
    shown = entries if count == -1 else entries[:count]
    return [[slow.number, slow.at, slow.microseconds, slow.args, slow.client, slow.name] for slow in shown]


@TABLE.handles("SLOWLOG|LEN")
def slowlog_len(context: Context, args: Args) -> Reply:
    return len(context.engine.gate.slow)


@TABLE.handles("SLOWLOG|RESET")
def slowlog_reset(context: Context, args: Args) -> Reply:
    context.engine.gate.slow.clear()
    return OK


@TABLE.handles("SLOWLOG|HELP")
def slowlog_help(context: Context, args: Args) -> Reply:
    return help_lines("SLOWLOG", _SLOWLOG_HELP)


@TABLE.handles("LATENCY|LATEST")
def latency_latest(context: Context, args: Args) -> Reply:
    latency = context.engine.latency
    return [[name.encode(), *kept[-1], latency.longest[name]] for name, kept in latency.events.items()]


@TABLE.handles("LATENCY|HISTORY")
def latency_history(context: Context, args: Args) -> Reply:
    kept = context.engine.latency.events.get(args[2].decode("utf-8", "replace"), ())
    return [list(sample) for sample in kept]


@TABLE.handles("LATENCY|RESET")
def latency_reset(context: Context, args: Args) -> Reply:
    return context.engine.latency.forget(*(name.decode("utf-8", "replace") for name in args[2:]))


@TABLE.handles("LATENCY|GRAPH")
def latency_graph(context: Context, args: Args) -> Reply:
    name = args[2].decode("utf-8", "replace")
    kept = context.engine.latency.events.get(name)
    if kept is None:
        raise ReplyError(f"ERR No samples available for event '{texts.shown(args[2])}'")
    high = max(milliseconds for _, milliseconds in kept)
    low = min(milliseconds for _, milliseconds in kept)
    lines = [
        f"{name} - high {high} ms, low {low} ms (all time high {context.engine.latency.longest[name]} ms)",
        "-" * 80,
    ]
    lines += [
        f"{moment} {'#' * max(milliseconds * 60 // max(high, 1), 1)} {milliseconds}" for moment, milliseconds in kept
    ]
    return Verbatim("\n".join(lines).encode() + b"\n")


@TABLE.handles("LATENCY|DOCTOR")
def latency_doctor(context: Context, args: Args) -> Reply:
    if not context.engine.settings.number("latency-monitor-threshold"):
        return Verbatim(_DOCTOR_OFF)
    latency = context.engine.latency
    if not latency.events:
        return Verbatim(_DOCTOR_CALM)
    lines = ["Dave, I have observed latency spikes in this Redis instance.", ""]
    for number, (name, kept) in enumerate(latency.events.items(), 1):
        average = sum(milliseconds for _, milliseconds in kept) / len(kept)
        lines.append(
            f"{number}. {name}: {len(kept)} latency spikes (average {average:.0f}ms). "
            f"Worst all time event {latency.longest[name]}ms."
        )
    return Verbatim("\n".join(lines).encode() + b"\n")


@TABLE.handles("LATENCY|HISTOGRAM")
def latency_histogram(context: Context, args: Args) -> Reply:
    counted = context.engine.statistics.commands
    wanted: list[bytes] = []
    for name in (word.lower() for word in args[2:]):
        wanted += [known for known in counted if known == name or known.startswith(name + b"|")]
    shown: dict[bytes, Any] = {}
    for name in wanted if len(args) > 2 else list(counted):
        if counted[name].latencies:
            shown[name] = {b"calls": counted[name].calls, b"histogram_usec": counted[name].histogram()}
    return shown


@TABLE.handles("LATENCY|HELP")
def latency_help(context: Context, args: Args) -> Reply:
    return help_lines("LATENCY", _LATENCY_HELP)
