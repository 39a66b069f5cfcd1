"""CLIENT: who is connected, what is known of them, and ending, pausing or silencing them."""

from __future__ import annotations

from collections.abc import Callable

from redmodel.engine import texts
from redmodel.engine.arguments import integer, parse_integer
from redmodel.engine.clients import line
from redmodel.engine.commands.connection import checked_name
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, SILENCE, Reply, Verbatim
from redmodel.engine.session import Session
from redmodel.errors import ReplyError

TABLE = Table(
    ("CLIENT", -2, "", (0, 0, 0)),
    ("CLIENT|GETNAME", 2, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|HELP", 2, "loading stale", (0, 0, 0)),
    ("CLIENT|ID", 2, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|INFO", 2, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|KILL", -3, "admin noscript loading stale", (0, 0, 0)),
    ("CLIENT|LIST", -2, "admin noscript loading stale", (0, 0, 0)),
    ("CLIENT|NO-EVICT", 3, "admin noscript loading stale", (0, 0, 0)),
    ("CLIENT|PAUSE", -3, "admin noscript loading stale", (0, 0, 0)),
    ("CLIENT|REPLY", 3, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|SETINFO", 4, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|SETNAME", 3, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|UNPAUSE", 2, "admin noscript loading stale", (0, 0, 0)),
)

_TYPES = frozenset((b"normal", b"master", b"replica", b"slave", b"pubsub"))

_HELP = """
CACHING (YES|NO)
    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.
GETREDIR
    Return the client ID we are redirecting to when tracking is enabled.
GETNAME
    Return the name of the current connection.
ID
    Return the ID of the current connection.
INFO
    Return information about the current client connection.
KILL <ip:port>
    Kill connection made from <ip:port>.
KILL <option> <value> [<option> <value> [...]]
    Kill connections. Options are:
    * ADDR (<ip:port>|<unixsocket>:0)
      Kill connections made from the specified address
    * LADDR (<ip:port>|<unixsocket>:0)
      Kill connections made to specified local address
    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)
      Kill connections by type.
    * USER <username>
      Kill connections authenticated by <username>.
    * SKIPME (YES|NO)
      Skip killing current connection (default: yes).
LIST [options ...]
    Return information about client connections. Options:
    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)
      Return clients of specified type.
UNPAUSE
    Stop the current client pause, resuming traffic.
PAUSE <timeout> [WRITE|ALL]
    Suspend all, or just write, clients for <timeout> milliseconds.
REPLY (ON|OFF|SKIP)
    Control the replies sent to the current connection.
SETNAME <name>
    Assign the name <name> to the current connection.
UNBLOCK <clientid> [TIMEOUT|ERROR]
    Unblock the specified blocked client.
TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]
         [OPTIN] [OPTOUT] [NOLOOP]
    Control server assisted client side caching.
TRACKINGINFO
    Report tracking status for the current connection.
NO-EVICT (ON|OFF)
    Protect current client connection from eviction.
"""


def described(context: Context, session: Session) -> bytes:
    """The line of a client."""
    return line(session, blocked=context.engine.waiters.of(session.id) is not None) + b"\n"


def _type(session: Session) -> bytes:
    return b"replica" if session.follows else b"pubsub" if session.subscribed else b"normal"


def _asked_type(word: bytes) -> bytes:
    lowered = word.lower()
    if lowered not in _TYPES:
        raise ReplyError(f"ERR Unknown client type '{texts.shown(word)}'")
    return b"replica" if lowered == b"slave" else lowered


@TABLE.handles("CLIENT|SETNAME")
def client_setname(context: Context, args: Args) -> Reply:
    context.session.name = checked_name(args[2])
    return OK


@TABLE.handles("CLIENT|GETNAME")
def client_getname(context: Context, args: Args) -> Reply:
    return context.session.name or None


@TABLE.handles("CLIENT|ID")
def client_id(context: Context, args: Args) -> Reply:
    return context.session.id


@TABLE.handles("CLIENT|INFO")
def client_info(context: Context, args: Args) -> Reply:
    return Verbatim(described(context, context.session))


@TABLE.handles("CLIENT|LIST")
def client_list(context: Context, args: Args) -> Reply:
    sessions = list(context.engine.clients.by_id.values())
    if context.session.id not in context.engine.clients.by_id:
        sessions.append(context.session)  # the program's own
    if len(args) == 4 and args[2].upper() == b"TYPE":
        wanted = _asked_type(args[3])
        sessions = [session for session in sessions if _type(session) == wanted]
    elif len(args) > 3 and args[2].upper() == b"ID":
        numbers = [parse_integer(word) for word in args[3:]]
        if None in numbers:
            raise ReplyError("ERR Invalid client ID")
        by_id = {session.id: session for session in sessions}
        sessions = [by_id[number] for number in numbers if number in by_id]
    elif len(args) != 2:
        raise texts.syntax()
    return Verbatim(b"".join(described(context, session) for session in sessions))


@TABLE.handles("CLIENT|KILL")
def client_kill(context: Context, args: Args) -> Reply:
    sessions = list(context.engine.clients.by_id.values())
    if len(args) == 3:
        for session in sessions:
            if session.address == args[2]:
                _end(session)
                return OK
        raise ReplyError("ERR No such client")
    if len(args) % 2:
        raise texts.syntax()
    checks, skip_me = _filters(context, args)
    ended = [
        session
        for session in sessions
        if all(check(session) for check in checks) and not (skip_me and session is context.session)
    ]
    for session in ended:
        _end(session)
    return len(ended)


def _filters(context: Context, args: Args) -> tuple[list[Callable[[Session], bool]], bool]:
    """What CLIENT KILL asks for, and whether it spares the one who asks."""
    checks: list[Callable[[Session], bool]] = []
    skip_me = True
    for at in range(2, len(args), 2):
        option, value = args[at].upper(), args[at + 1]
        if option == b"ID":
            number = parse_integer(value)
            if number is None or number < 1:
                raise ReplyError("ERR client-id should be greater than 0")
            checks.append(lambda session, number=number: session.id == number)  # type: ignore[misc]
        elif option == b"TYPE":
            wanted = _asked_type(value)
            checks.append(lambda session, wanted=wanted: _type(session) == wanted)  # type: ignore[misc]
        elif option == b"ADDR":
            checks.append(lambda session, value=value: session.address == value)  # type: ignore[misc]
        elif option == b"LADDR":
            checks.append(lambda session, value=value: session.local_address == value)  # type: ignore[misc]
        elif option == b"USER":
            user = context.engine.access.users.get(value)
            if user is None:
                raise ReplyError(f"ERR No such user '{texts.shown(value)}'")
            checks.append(lambda session, user=user: session.user is user)  # type: ignore[misc]
        elif option == b"SKIPME" and value.lower() in (b"yes", b"no"):
            skip_me = value.lower() == b"yes"
        else:
            raise texts.syntax()
    return checks, skip_me


def _end(session: Session) -> None:
    if session.peer is not None:
        session.peer.end()


@TABLE.handles("CLIENT|PAUSE")
def client_pause(context: Context, args: Args) -> Reply:
    writes_only = False
    if len(args) == 4:
        if args[3].lower() not in (b"write", b"all"):
            raise ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL")
        writes_only = args[3].lower() == b"write"
    elif len(args) > 4:
        raise texts.syntax()
    milliseconds = integer(args[2], texts.TIMEOUT)
    if milliseconds < 0:
        raise ReplyError(texts.TIMEOUT_NEGATIVE)
    context.engine.gate.pause(milliseconds / 1000, writes_only=writes_only)
    return OK


@TABLE.handles("CLIENT|UNPAUSE")
def client_unpause(context: Context, args: Args) -> Reply:
    context.engine.gate.resume()
    return OK


@TABLE.handles("CLIENT|REPLY")
def client_reply(context: Context, args: Args) -> Reply:
    session = context.session
    mode = args[2].lower()
    if mode == b"on":
        session.muted = 0
        return OK
    if mode == b"off":
        session.muted = 1
    elif mode == b"skip":
        session.muted = session.muted if session.muted == 1 else 2
    else:
        raise texts.syntax()
    return SILENCE


@TABLE.handles("CLIENT|SETINFO")
def client_setinfo(context: Context, args: Args) -> Reply:
    # A command of 7.2: clients send it unasked, and answering it costs nothing.
    what = args[2].lower()
    if what == b"lib-name":
        context.session.library_name = checked_name(args[3])
    elif what == b"lib-ver":
        context.session.library_version = checked_name(args[3])
    else:
        raise ReplyError(f"ERR Unrecognized option '{texts.shown(args[2])}'")
    return OK


@TABLE.handles("CLIENT|NO-EVICT")
def client_no_evict(context: Context, args: Args) -> Reply:
    if args[2].lower() not in (b"on", b"off"):
        raise texts.syntax()
    context.session.no_evict = args[2].lower() == b"on"
    return OK


@TABLE.handles("CLIENT|HELP")
def client_help(context: Context, args: Args) -> Reply:
    return help_lines("CLIENT", _HELP)
