"""The server as a whole: SHUTDOWN, ROLE and the words of replication, MODULE, LOLWUT. There is never a replica."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import integer, parse_integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, SILENCE, Reply, Verbatim
from redmodel.engine.shutdown import ShutdownRefused
from redmodel.engine.version import REDIS_VERSION
from redmodel.errors import ReplyError

TABLE = Table(
    ("FAILOVER", -1, "admin noscript stale", (0, 0, 0)),
    ("LOLWUT", -1, "readonly fast", (0, 0, 0)),
    ("MODULE", -2, "", (0, 0, 0)),
    ("MODULE|HELP", 2, "loading stale", (0, 0, 0)),
    ("MODULE|LIST", 2, "admin noscript", (0, 0, 0)),
    ("MODULE|LOAD", -3, "admin noscript no_async_loading", (0, 0, 0)),
    ("MODULE|LOADEX", -3, "admin noscript no_async_loading", (0, 0, 0)),
    ("MODULE|UNLOAD", 3, "admin noscript no_async_loading", (0, 0, 0)),
    ("PSYNC", -3, "admin noscript no_async_loading no_multi", (0, 0, 0)),
    ("REPLCONF", -1, "admin noscript loading stale allow_busy", (0, 0, 0)),
    ("REPLICAOF", 3, "admin noscript stale no_async_loading", (0, 0, 0)),
    ("ROLE", 1, "noscript loading stale fast", (0, 0, 0)),
    ("SHUTDOWN", -1, "admin noscript loading stale no_multi allow_busy", (0, 0, 0)),
    ("SLAVEOF", 3, "admin noscript stale no_async_loading", (0, 0, 0)),
    ("SYNC", 1, "admin noscript no_async_loading no_multi", (0, 0, 0)),
)

_NO_REPLICATION = "ERR this server can neither be a replica nor have one"
_NO_MODULES = (
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
_NO_SERVER = "ERR there is no server to shut down: the engine belongs to a program, which ends it"

_MODULE_HELP = """
LIST
    Return a list of loaded modules.
LOAD <path> [<arg> ...]
    Load a module library from <path>, passing to it any optional arguments.
LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]
    Load a module library from <path>, while passing it module configurations and optional arguments.
UNLOAD <name>
    Unload a module.
"""


@TABLE.handles("SHUTDOWN")
def shutdown(context: Context, args: Args) -> Reply:
    options = [word.lower() for word in args[1:]]
    known = {b"nosave", b"save", b"now", b"force", b"abort"}
    if set(options) - known or {b"save", b"nosave"} <= set(options) or (b"abort" in options and len(options) > 1):
        raise texts.syntax()
    if b"abort" in options:
        raise ReplyError("ERR No shutdown in progress.")
    engine = context.engine
    if engine.shutdown.end is None:
        raise ReplyError(_NO_SERVER)
    save = True if b"save" in options else False if b"nosave" in options else None
    try:
        engine.shutdown.begin(engine, save=save, force=b"force" in options)
    except ShutdownRefused:
        raise ReplyError("ERR Errors trying to SHUTDOWN. Check logs.") from None
    context.session.closing = True
    return SILENCE


@TABLE.handles("ROLE")
def role(context: Context, args: Args) -> Reply:
    return [b"master", 0, []]


@TABLE.handles("REPLICAOF", "SLAVEOF")
def replicaof(context: Context, args: Args) -> Reply:
    if args[1].lower() == b"no" and args[2].lower() == b"one":
        return OK
    port = parse_integer(args[2])
    if port is None or not 0 <= port <= 65535:
        raise ReplyError("ERR Invalid master port")
    raise ReplyError(_NO_REPLICATION)


@TABLE.handles("REPLCONF")
def replconf(context: Context, args: Args) -> Reply:
    if not len(args) % 2:
        raise texts.syntax()
    return OK


@TABLE.handles("PSYNC", "SYNC")
def psync(context: Context, args: Args) -> Reply:
    if len(args) > 2:
        integer(args[2])
    raise ReplyError(_NO_REPLICATION)


@TABLE.handles("FAILOVER")
def failover(context: Context, args: Args) -> Reply:
    if len(args) == 2 and args[1].lower() == b"abort":
        raise ReplyError("ERR No failover in progress.")
    raise ReplyError("ERR FAILOVER requires connected replicas.")


@TABLE.handles("MODULE|LIST")
def module_list(context: Context, args: Args) -> Reply:
    return []


@TABLE.handles("MODULE|LOAD", "MODULE|LOADEX", "MODULE|UNLOAD")
def module_load(context: Context, args: Args) -> Reply:
    if context.engine.settings.text("enable-module-command") == "no":
        raise ReplyError(_NO_MODULES)
    if args[1].lower() == b"unload":
        raise ReplyError("ERR Error unloading module: no such module with that name")
    raise ReplyError("ERR Error loading the extension. Please check the server logs.")


@TABLE.handles("MODULE|HELP")
def module_help(context: Context, args: Args) -> Reply:
    return help_lines("MODULE", _MODULE_HELP)


@TABLE.handles("LOLWUT")
def lolwut(context: Context, args: Args) -> Reply:
    words = args[1:]
    if len(words) > 1 and words[0].lower() == b"version":
        integer(words[1])
        for word in words[2:]:
            integer(word)
    return Verbatim(b"Redis ver. %b\n" % REDIS_VERSION.encode())
