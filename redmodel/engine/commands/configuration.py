"""CONFIG: the parameters of `redmodel.engine.settings`, read, changed and written back to redis.conf."""

from __future__ import annotations

from pathlib import Path

from redmodel.engine import texts
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply
from redmodel.engine.settings.file import rewritten
from redmodel.engine.settings.settings import SettingError, UnknownSetting
from redmodel.errors import ReplyError

TABLE = Table(
    ("CONFIG", -2, "", (0, 0, 0)),
    ("CONFIG|GET", -3, "admin noscript loading stale", (0, 0, 0)),
    ("CONFIG|HELP", 2, "loading stale", (0, 0, 0)),
    ("CONFIG|RESETSTAT", 2, "admin noscript loading stale", (0, 0, 0)),
    ("CONFIG|REWRITE", 2, "admin noscript loading stale", (0, 0, 0)),
    ("CONFIG|SET", -4, "admin noscript loading stale", (0, 0, 0)),
)

_HELP = """
GET <pattern>
    Return parameters matching the glob-like <pattern> and their values.
SET <directive> <value>
    Set the configuration <directive> to <value>.
RESETSTAT
    Reset statistics reported by the INFO command.
REWRITE
    Rewrite the configuration file.
"""


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


@TABLE.handles("CONFIG|GET")
def config_get(context: Context, args: Args) -> Reply:
    settings = context.engine.settings
    found: dict[bytes, bytes] = {}
    for pattern in args[2:]:
        for name in settings.matching(_text(pattern)):
            shown = settings.shown(name.lower())
            found[name.encode("utf-8", "surrogateescape")] = shown.encode("utf-8", "surrogateescape")
    return found


@TABLE.handles("CONFIG|SET")
def config_set(context: Context, args: Args) -> Reply:
    if len(args) % 2:
        raise texts.arity(b"config|set")
    pairs = [(_text(args[at]), _text(args[at + 1])) for at in range(2, len(args), 2)]
    try:
        context.engine.settings.change(pairs, near=context.session.near)
    except UnknownSetting as error:
        raise ReplyError(f"ERR Unknown option or number of arguments for CONFIG SET - '{error.name}'") from None
    except SettingError as error:
        raise ReplyError(
            f"ERR CONFIG SET failed (possibly related to argument '{error.name}') - {error.reason}"
        ) from None
    return OK


@TABLE.handles("CONFIG|RESETSTAT")
def config_resetstat(context: Context, args: Args) -> Reply:
    context.engine.statistics.reset()
    context.engine.clients.received = context.engine.clients.rejected = 0
    return OK


def _users(context: Context) -> list[str]:
    """The ``user`` lines to keep in redis.conf: none where users have a file of their own."""
    access = context.engine.access
    if context.engine.settings.text("aclfile"):
        return []
    return [line.decode("utf-8", "surrogateescape").removeprefix("user ") for line in access.lines()]


@TABLE.handles("CONFIG|REWRITE")
def config_rewrite(context: Context, args: Args) -> Reply:
    return rewrite(context)


def rewrite(context: Context, *, everything: bool = False) -> Reply:
    """Write the parameters back to redis.conf; ``everything``: those with their default, too."""
    settings = context.engine.settings
    if settings.file is None:
        raise ReplyError("ERR The server is running without a config file")
    path = Path(settings.file)
    try:
        before = path.read_text("utf-8", "surrogateescape") if path.exists() else ""
        beside = path.with_name(path.name + ".rewriting")
        beside.write_text(
            rewritten(before, settings, _users(context), everything=everything), "utf-8", "surrogateescape"
        )
        beside.replace(path)
    except OSError as error:
        raise ReplyError(f"ERR Rewriting config file: {error.strerror}") from error
    return OK


@TABLE.handles("CONFIG|HELP")
def config_help(context: Context, args: Args) -> Reply:
    return help_lines("CONFIG", _HELP)
