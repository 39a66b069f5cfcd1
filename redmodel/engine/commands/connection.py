"""Commands about the connection itself: PING, SELECT, HELLO, CLIENT."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import int_number, integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, PONG, Reply, Status, Verbatim
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
    ("CLIENT", -2, "", (0, 0, 0)),
    ("CLIENT|GETNAME", 2, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|ID", 2, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|INFO", 2, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|NO-EVICT", 3, "admin noscript loading stale", (0, 0, 0)),
    ("CLIENT|SETINFO", 4, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|SETNAME", 3, "noscript loading stale", (0, 0, 0)),
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
    session = context.session
    context.engine.release(session)
    session.protocol = 2
    session.name = b""
    context.select(0)
    return Status(b"RESET")


@TABLE.handles("AUTH")
def auth(context: Context, args: Args) -> Reply:
    if len(args) > 3:
        raise texts.syntax()
    if len(args) == 2:
        raise ReplyError(texts.NO_PASSWORD)
    _authenticate(args[1])
    return OK


def _authenticate(user: bytes) -> None:
    # The default user has no password, and there is no other user.
    if user != b"default":
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
    at = 2
    while at < len(args):
        option = args[at].upper()
        if option == b"AUTH" and at + 2 < len(args):
            _authenticate(args[at + 1])
            at += 3
        elif option == b"SETNAME" and at + 1 < len(args):
            name = _checked_name(args[at + 1])
            at += 2
        else:
            raise ReplyError(f"ERR Syntax error in HELLO option '{texts.shown(args[at])}'")
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


def _checked_name(name: bytes) -> bytes:
    if any(not 0x21 <= byte <= 0x7E for byte in name):
        raise ReplyError(texts.CLIENT_NAME)
    return name


@TABLE.handles("CLIENT|SETNAME")
def client_setname(context: Context, args: Args) -> Reply:
    context.session.name = _checked_name(args[2])
    return OK


@TABLE.handles("CLIENT|GETNAME")
def client_getname(context: Context, args: Args) -> Reply:
    return context.session.name or None


@TABLE.handles("CLIENT|ID")
def client_id(context: Context, args: Args) -> Reply:
    return context.session.id


@TABLE.handles("CLIENT|INFO")
def client_info(context: Context, args: Args) -> Reply:
    session = context.session
    queued = -1 if session.queue is None else len(session.queue)
    fields = (
        b"id=%d addr=%b laddr= fd=0 name=%b age=0 idle=0 flags=N db=%d sub=0 psub=0 ssub=0 multi=%d "
        b"cmd=client|info user=default redir=-1 resp=%d lib-name=%b lib-ver=%b\n"
    )
    return Verbatim(
        fields
        % (
            session.id,
            session.address,
            session.name,
            session.db,
            queued,
            session.protocol,
            session.library_name,
            session.library_version,
        )
    )


@TABLE.handles("CLIENT|SETINFO")
def client_setinfo(context: Context, args: Args) -> Reply:
    # A command of 7.2: clients send it unasked, and answering it costs nothing.
    what = args[2].lower()
    if what == b"lib-name":
        context.session.library_name = _checked_name(args[3])
    elif what == b"lib-ver":
        context.session.library_version = _checked_name(args[3])
    else:
        raise ReplyError(f"ERR Unrecognized option '{texts.shown(args[2])}'")
    return OK


@TABLE.handles("CLIENT|NO-EVICT")
def client_no_evict(context: Context, args: Args) -> Reply:
    if args[2].lower() not in (b"on", b"off"):
        raise texts.syntax()
    return OK
