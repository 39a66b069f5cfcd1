"""What tells one client about others: MONITOR, and CLIENT TRACKING with its kin."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, SetReply, Several
from redmodel.engine.tracking import Tracked
from redmodel.errors import ReplyError

TABLE = Table(
    ("MONITOR", 1, "admin noscript loading stale", (0, 0, 0)),
    ("CLIENT|CACHING", 3, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|GETREDIR", 2, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|TRACKING", -3, "noscript loading stale", (0, 0, 0)),
    ("CLIENT|TRACKINGINFO", 2, "noscript loading stale", (0, 0, 0)),
)

_NO_CACHING = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
)
_SWITCHED = "before disabling tracking for this client, and then re-enabling it with a different mode."


@TABLE.handles("MONITOR")
def monitor(context: Context, args: Args) -> Reply:
    session = context.session
    if not context.may_wait:
        raise ReplyError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    if session.monitoring:
        return Several()  # as in Redis: no word
    session.monitoring = True
    context.engine.observers.monitors[session] = None
    context.engine.observe()
    if session.deliver is None:
        return OK
    session.deliver(OK)
    return Several()


@TABLE.handles("CLIENT|TRACKING")
def client_tracking(context: Context, args: Args) -> Reply:
    wanted = _options(context, args)
    switch = args[2].lower()
    session, tracking = context.session, context.engine.tracking
    if switch == b"off":
        tracking.leave(session)
    elif switch == b"on":
        _check(session.tracked, wanted)
        before = session.tracked
        if wanted.broadcast:
            _check_prefixes(before.prefixes if before is not None else [], wanted.prefixes)
            wanted.prefixes = wanted.prefixes or [b""]
        if before is not None:
            tracking.leave(session)
            wanted.prefixes = [*before.prefixes, *(one for one in wanted.prefixes if one not in before.prefixes)]
            wanted.caching = before.caching
        tracking.join(session, wanted)
    else:
        raise texts.syntax()
    context.engine.observe()
    return OK


def _options(context: Context, args: Args) -> Tracked:
    wanted = Tracked()
    at = 3
    while at < len(args):
        option = args[at].lower()
        more = at + 1 < len(args)
        if option == b"redirect" and more:
            at += 1
            if wanted.redirect:
                raise ReplyError("ERR A client can only redirect to a single other client")
            wanted.redirect = integer(args[at])
            if wanted.redirect not in context.engine.clients.by_id:
                raise ReplyError("ERR The client ID you want redirect to does not exist")
        elif option == b"bcast":
            wanted.broadcast = True
        elif option == b"optin":
            wanted.optin = True
        elif option == b"optout":
            wanted.optout = True
        elif option == b"noloop":
            wanted.noloop = True
        elif option == b"prefix" and more:
            at += 1
            wanted.prefixes.append(args[at])
        else:
            raise texts.syntax()
        at += 1
    return wanted


def _check(before: Tracked | None, wanted: Tracked) -> None:
    if wanted.prefixes and not wanted.broadcast:
        raise ReplyError("ERR PREFIX option requires BCAST mode to be enabled")
    if before is not None and before.broadcast != wanted.broadcast:
        raise ReplyError(f"ERR You can't switch BCAST mode on/off {_SWITCHED}")
    if wanted.broadcast and (wanted.optin or wanted.optout):
        raise ReplyError("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if wanted.optin and wanted.optout:
        raise ReplyError("ERR You can't specify both OPTIN mode and OPTOUT mode")
    if before is not None and ((wanted.optin and before.optout) or (wanted.optout and before.optin)):
        raise ReplyError(f"ERR You can't switch OPTIN/OPTOUT mode {_SWITCHED}")


def _check_prefixes(before: list[bytes], wanted: list[bytes]) -> None:
    for at, prefix in enumerate(wanted):
        for others, which in ((before, "an existing"), (wanted[at + 1 :], "another provided")):
            for other in others:
                if prefix.startswith(other) or other.startswith(prefix):
                    raise ReplyError(
                        f"ERR Prefix '{texts.shown(prefix)}' overlaps with {which} prefix '{texts.shown(other)}'. "
                        "Prefixes for a single client must not overlap."
                    )


@TABLE.handles("CLIENT|CACHING")
def client_caching(context: Context, args: Args) -> Reply:
    tracked = context.session.tracked
    if tracked is None:
        raise ReplyError(_NO_CACHING)
    answer = args[2].lower()
    if answer == b"yes":
        if not tracked.optin:
            raise ReplyError("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
    elif answer == b"no":
        if not tracked.optout:
            raise ReplyError("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
    else:
        raise texts.syntax()
    tracked.caching = True
    return OK


@TABLE.handles("CLIENT|GETREDIR")
def client_getredir(context: Context, args: Args) -> Reply:
    tracked = context.session.tracked
    return -1 if tracked is None else tracked.redirect


@TABLE.handles("CLIENT|TRACKINGINFO")
def client_trackinginfo(context: Context, args: Args) -> Reply:
    tracked = context.session.tracked
    if tracked is None:
        return {b"flags": SetReply([b"off"]), b"redirect": -1, b"prefixes": []}
    flags = SetReply([b"on"])
    for name, holds in (
        (b"bcast", tracked.broadcast),
        (b"optin", tracked.optin),
        (b"caching-yes", tracked.optin and tracked.caching),
        (b"optout", tracked.optout),
        (b"caching-no", tracked.optout and tracked.caching),
        (b"noloop", tracked.noloop),
        (b"broken_redirect", tracked.broken),
    ):
        if holds:
            flags.append(name)
    return {b"flags": flags, b"redirect": tracked.redirect, b"prefixes": sorted(tracked.prefixes)}
