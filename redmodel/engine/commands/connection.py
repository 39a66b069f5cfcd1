"""Commands about the connection itself: PING, SELECT, AUTH, HELLO, RESET, QUIT. CLIENT has a file of its own."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import int_number, integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, PONG, Reply, Status
from redmodel.engine.version import REDIS_VERSION
from redmodel.errors import ReplyError

TABLE = Table(
    ("PING", -1, "fast", (0, 0, 0)),
    ("ECHO", 2, "loading stale fast", (0, 0, 0)),
    ("SELECT", 2, "loading stale fast", (0, 0, 0)),
    ("QUIT", -1, "noscript loading stale fast no_auth allow_busy immediate", (0, 0, 0)),
    ("RESET", 1, "noscript loading stale fast no_auth allow_busy immediate", (0, 0, 0)),
    ("AUTH", -2, "noscript loading stale fast no_auth allow_busy", (0, 0, 0)),
    ("HELLO", -1, "noscript loading stale fast no_auth allow_busy", (0, 0, 0)),
)


@TABLE.handles("PING")
def ping(context: Context, args: Args) -> Reply:
    if len(args) > 2:
        raise texts.arity(b"ping")
    if context.session.subscribed and context.session.protocol == 2:
        return [b"pong", args[1] if len(args) == 2 else b""]
    return args[1] if len(args) == 2 else PONG


@TABLE.handles("ECHO")
def echo(context: Context, args: Args) -> Reply:
    return args[1]


@TABLE.handles("SELECT")
def select(context: Context, args: Args) -> Reply:
    number = int_number(args[1])
    if not 0 <= number < len(context.engine.databases):
        raise ReplyError(texts.DB_RANGE)
    context.select(number)
    return OK


@TABLE.handles("QUIT")
def quit_(context: Context, args: Args) -> Reply:
    context.session.closing = True
    return OK


@TABLE.handles("RESET")
def reset(context: Context, args: Args) -> Reply:
    session, engine = context.session, context.engine
    if session.follows:
        raise ReplyError("ERR can only reset normal client connections")
    engine.release(session)
    session.protocol = 2
    session.name = b""
    session.no_evict = False
    session.muted = 0
    session.regate()
    if session.counted:
        session.user = engine.access.default
        session.authenticated = engine.access.open
    context.select(0)
    return Status(b"RESET")


@TABLE.handles("AUTH")
def auth(context: Context, args: Args) -> Reply:
    if len(args) > 3:
        raise texts.syntax()
    if len(args) == 2:
        if context.engine.access.default.nopass:
            raise ReplyError(texts.NO_PASSWORD)
        _authenticate(context, args[0], b"default", args[1])
    else:
        _authenticate(context, args[0], args[1], args[2])
    return OK


def _authenticate(context: Context, command: bytes, name: bytes, password: bytes) -> None:
    engine, session = context.engine, context.session
    if session.counted:
        if engine.access.authenticate(session, name, password):
            return
        engine.gate.refused(session, "auth", "toplevel" if session.queue is None else "multi", command, name)
        raise ReplyError(texts.WRONG_PASSWORD)
    # The program itself, which may do everything: it is told whether a client would be let in.
    user = engine.access.users.get(name)
    if user is None or not user.enabled or not user.knows(password):
        raise ReplyError(texts.WRONG_PASSWORD)


@TABLE.handles("HELLO")
def hello(context: Context, args: Args) -> Reply:
    session = context.session
    protocol = session.protocol
    if len(args) > 1:
        protocol = integer(args[1], texts.PROTOCOL_NOT_AN_INTEGER)
        if protocol not in (2, 3):
            raise ReplyError(texts.NO_PROTOCOL)
    name: bytes | None = None
    credentials: tuple[bytes, bytes] | None = None
    at = 2
    while at < len(args):
        option = args[at].upper()
        if option == b"AUTH" and at + 2 < len(args):
            credentials = args[at + 1], args[at + 2]
            at += 3
        elif option == b"SETNAME" and at + 1 < len(args):
            name = checked_name(args[at + 1])
            at += 2
        else:
            raise ReplyError(f"ERR Syntax error in HELLO option '{texts.shown(args[at])}'")
    if credentials is not None:
        _authenticate(context, args[0], *credentials)
    if session.counted and not session.authenticated and not context.engine.access.open:
        raise ReplyError(texts.HELLO_NO_AUTH)
    if name is not None:
        session.name = name
    session.protocol = protocol
    session.regate()
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": protocol,
        b"id": session.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def checked_name(name: bytes) -> bytes:
    """The name of a client, where it is one."""
    if any(not 0x21 <= byte <= 0x7E for byte in name):
        raise ReplyError(texts.CLIENT_NAME)
    return name
