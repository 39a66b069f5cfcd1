"""ACL: users and their rules, what was refused, and the file that users are kept in."""

from __future__ import annotations

import secrets
import time

from redmodel.engine import texts
from redmodel.engine.access.control import RuleError
from redmodel.engine.access.selector import Selector
from redmodel.engine.access.users import User
from redmodel.engine.arguments import integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.facts import categories
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, SetReply
from redmodel.errors import ReplyError

TABLE = Table(
    ("ACL", -2, "", (0, 0, 0)),
    ("ACL|CAT", -2, "noscript loading stale", (0, 0, 0)),
    ("ACL|DELUSER", -3, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|DRYRUN", -4, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|GENPASS", -2, "noscript loading stale", (0, 0, 0)),
    ("ACL|GETUSER", 3, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|HELP", 2, "loading stale", (0, 0, 0)),
    ("ACL|LIST", 2, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|LOAD", 2, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|LOG", -2, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|SAVE", 2, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|SETUSER", -3, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|USERS", 2, "admin noscript loading stale", (0, 0, 0)),
    ("ACL|WHOAMI", 2, "noscript loading stale", (0, 0, 0)),
)

_NO_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration."
)
_GENPASS = "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"
_LOG_LENGTH = 10

_HELP = """
CAT [<category>]
    List all commands that belong to <category>, or all command categories
    when no category is specified.
DELUSER <username> [<username> ...]
    Delete a list of users.
DRYRUN <username> <command> [<arg> ...]
    Returns whether the user can execute the given command without executing the command.
GETUSER <username>
    Get the user's details.
GENPASS [<bits>]
    Generate a secure 256-bit user password. The optional `bits` argument can
    be used to specify a different size.
LIST
    Show users details in config file format.
LOAD
    Reload users from the ACL file.
LOG [<count> | RESET]
    Show the ACL log entries.
SAVE
    Save the current config to the ACL file.
SETUSER <username> <attribute> [<attribute> ...]
    Create or modify a user with the specified attributes.
USERS
    List all the registered usernames.
WHOAMI
    Return the current connection username.
"""


@TABLE.handles("ACL|CAT")
def acl_cat(context: Context, args: Args) -> Reply:
    if len(args) == 2:
        return [name.encode() for name in categories()]
    if len(args) > 3:
        raise texts.subcommand_syntax(b"acl", args[1])
    members = categories().get(args[2].decode("utf-8", "replace").lower())
    if members is None:
        raise ReplyError(f"ERR Unknown category '{texts.shown(args[2])}'")
    return [name.encode() for name in sorted(members)]


@TABLE.handles("ACL|SETUSER")
def acl_setuser(context: Context, args: Args) -> Reply:
    if b" " in args[2] or b"\0" in args[2]:
        raise ReplyError("ERR Usernames can't contain spaces or null characters")
    access = context.engine.access
    known = access.users.get(args[2])
    before = None if known is None else known.copy()
    try:
        access.set_user(args[2], args[3:])
    except RuleError as error:
        if error.rule is None:
            raise ReplyError(f"ERR {error.reason}") from None
        raise ReplyError(f"ERR Error in ACL SETUSER modifier '{texts.shown(error.rule)}': {error.reason}") from None
    user = access.loses_channels(args[2], before)
    if user is not None:
        _end_subscribers_of(context, user)
    return OK


def _end_subscribers_of(context: Context, user: User) -> None:
    """Disconnect who hears what this user may not hear any more."""
    for session in list(context.engine.clients.by_id.values()):
        if session.user is user and session.peer is not None:
            names = [*session.channels, *session.shards]
            if not user.may_hear(names, list(session.patterns)):
                session.peer.end()


@TABLE.handles("ACL|GETUSER")
def acl_getuser(context: Context, args: Args) -> Reply:
    user = context.engine.access.users.get(args[2])
    if user is None:
        return None
    root, *others = user.selectors
    return {
        b"flags": SetReply(user.flags()),
        b"passwords": list(user.passwords),
        **_rules(root),
        b"selectors": [_rules(selector) for selector in others],
    }


def _rules(selector: Selector) -> dict[bytes, bytes]:
    return {
        b"commands": selector.command_rules(),
        b"keys": selector.key_rules(),
        b"channels": selector.channel_rules(),
    }


@TABLE.handles("ACL|DELUSER")
def acl_deluser(context: Context, args: Args) -> Reply:
    access = context.engine.access
    gone: list[User] = []
    for name in args[2:]:
        if name == b"default":
            raise ReplyError("ERR The 'default' user cannot be removed")
        user = access.users.get(name)
        if user is not None and access.delete(name):
            gone.append(user)
    _end_sessions_of(context, gone)
    return len(gone)


def _end_sessions_of(context: Context, users: list[User]) -> None:
    for session in list(context.engine.clients.by_id.values()):
        if session.user in users and session.peer is not None:
            session.user = context.engine.access.default
            session.authenticated = False
            session.peer.end()


@TABLE.handles("ACL|LIST")
def acl_list(context: Context, args: Args) -> Reply:
    return list(context.engine.access.lines())


@TABLE.handles("ACL|USERS")
def acl_users(context: Context, args: Args) -> Reply:
    return sorted(context.engine.access.users)


@TABLE.handles("ACL|WHOAMI")
def acl_whoami(context: Context, args: Args) -> Reply:
    user = context.session.user
    return b"default" if user is None else user.name


@TABLE.handles("ACL|GENPASS")
def acl_genpass(context: Context, args: Args) -> Reply:
    if len(args) > 3:
        raise texts.subcommand_syntax(b"acl", args[1])
    bits = integer(args[2]) if len(args) == 3 else 256
    if not 0 < bits <= 4096:
        raise ReplyError(_GENPASS)
    letters = (bits + 3) // 4
    return secrets.token_hex((letters + 1) // 2)[:letters].encode()


@TABLE.handles("ACL|DRYRUN")
def acl_dryrun(context: Context, args: Args) -> Reply:
    user = context.engine.access.users.get(args[2])
    if user is None:
        raise ReplyError(f"ERR User '{texts.shown(args[2])}' not found")
    asked = args[3:]
    command = context.engine.commands.get(asked[0].upper())
    if command is not None and command.subcommands and len(asked) > 1:
        command = command.subcommands.get(asked[1].lower())
    if command is None:
        raise ReplyError(f"ERR Command '{texts.shown(asked[0])}' not found")
    if not command.minimum <= len(asked) <= command.maximum:
        raise texts.arity(command.name)
    denied = user.denies(command.name.decode(), asked)
    if denied is None:
        return OK
    if denied.reason == "command":
        return b"This user has no permissions to run the '%b' command" % command.name
    return b"This user has no permissions to access the '%b' %b" % (asked[denied.at], denied.reason.encode())


@TABLE.handles("ACL|LOG")
def acl_log(context: Context, args: Args) -> Reply:
    access = context.engine.access
    count = _LOG_LENGTH
    if len(args) > 3:
        raise texts.subcommand_syntax(b"acl", args[1])
    if len(args) == 3:
        if args[2].lower() == b"reset":
            access.log.clear()
            return OK
        count = max(integer(args[2]), 0)
    now = time.monotonic()
    return [
        {
            b"count": entry.count,
            b"reason": entry.reason.encode(),
            b"context": entry.context.encode(),
            b"object": entry.what,
            b"username": entry.user,
            b"age-seconds": round(now - entry.at, 3),
            b"client-info": entry.client,
        }
        for entry in list(access.log)[:count]
    ]


@TABLE.handles("ACL|LOAD")
def acl_load(context: Context, args: Args) -> Reply:
    if not context.engine.settings.text("aclfile"):
        raise ReplyError(_NO_FILE)
    try:
        gone = context.engine.access.load()
    except RuleError as error:
        raise ReplyError(f"ERR {error.reason}") from None
    except OSError as error:
        raise ReplyError(f"ERR Error loading ACLs, opening file: {error.strerror}") from error
    _end_sessions_of(context, gone)
    return OK


@TABLE.handles("ACL|SAVE")
def acl_save(context: Context, args: Args) -> Reply:
    if not context.engine.settings.text("aclfile"):
        raise ReplyError(_NO_FILE)
    try:
        context.engine.access.save()
    except OSError as error:
        raise ReplyError("ERR There was an error trying to save the ACLs. Please check the server logs") from error
    return OK


@TABLE.handles("ACL|HELP")
def acl_help(context: Context, args: Args) -> Reply:
    return help_lines("ACL", _HELP)
