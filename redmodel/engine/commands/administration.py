"""The server as a whole: SHUTDOWN, MODULE, LOLWUT."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import SILENCE, Reply, Verbatim
from redmodel.engine.shutdown import ShutdownRefused
from redmodel.engine.version import REDIS_VERSION
from redmodel.errors import ReplyError

TABLE = Table(
    ("LOLWUT", -1, "readonly fast", (0, 0, 0)),
    ("MODULE", -2, "", (0, 0, 0)),
    ("MODULE|HELP", 2, "loading stale", (0, 0, 0)),
    ("MODULE|LIST", 2, "admin noscript", (0, 0, 0)),
    ("MODULE|LOAD", -3, "admin noscript no_async_loading", (0, 0, 0)),
    ("MODULE|LOADEX", -3, "admin noscript no_async_loading", (0, 0, 0)),
    ("MODULE|UNLOAD", 3, "admin noscript no_async_loading", (0, 0, 0)),
    ("SHUTDOWN", -1, "admin noscript loading stale no_multi allow_busy", (0, 0, 0)),
)

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
    if engine.scripting.busy and b"nosave" not in options:
        raise texts.busy(function=engine.scripting.runs_function)
    if engine.shutdown.end is None:
        raise ReplyError(_NO_SERVER)
    if engine.scripting.busy:
        engine.scripting.abandon()
    save = True if b"save" in options else False if b"nosave" in options else None
    try:
        engine.shutdown.begin(engine, save=save, force=b"force" in options)
    except ShutdownRefused:
        raise ReplyError("ERR Errors trying to SHUTDOWN. Check logs.") from None
    context.session.closing = True
    return SILENCE


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
