"""Publishing and subscribing: to channels, to patterns of their names, and to the channels of a shard; and PUBSUB."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from redmodel.engine import texts
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.glob import compile_glob
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Push, Reply, Several

TABLE = Table(
    ("PUBLISH", 3, "pubsub loading stale fast", (0, 0, 0)),
    ("SPUBLISH", 3, "pubsub loading stale fast", (1, 1, 1)),
    ("SUBSCRIBE", -2, "pubsub noscript loading stale", (0, 0, 0)),
    ("UNSUBSCRIBE", -1, "pubsub noscript loading stale", (0, 0, 0)),
    ("PSUBSCRIBE", -2, "pubsub noscript loading stale", (0, 0, 0)),
    ("PUNSUBSCRIBE", -1, "pubsub noscript loading stale", (0, 0, 0)),
    ("SSUBSCRIBE", -2, "pubsub noscript loading stale", (1, -1, 1)),
    ("SUNSUBSCRIBE", -1, "pubsub noscript loading stale", (1, -1, 1)),
    ("PUBSUB", -2, "", (0, 0, 0)),
    ("PUBSUB|CHANNELS", -2, "pubsub loading stale", (0, 0, 0)),
    ("PUBSUB|NUMPAT", 2, "pubsub loading stale", (0, 0, 0)),
    ("PUBSUB|NUMSUB", -2, "pubsub loading stale", (0, 0, 0)),
    ("PUBSUB|SHARDCHANNELS", -2, "pubsub loading stale", (0, 0, 0)),
    ("PUBSUB|SHARDNUMSUB", -2, "pubsub loading stale", (0, 0, 0)),
    ("PUBSUB|HELP", 2, "loading stale", (0, 0, 0)),
)

_HELP = """
CHANNELS [<pattern>]
    Return the currently active channels matching a <pattern> (default: '*').
NUMPAT
    Return number of subscriptions to patterns.
NUMSUB [<channel> ...]
    Return the number of subscribers for the specified channels, excluding
    pattern subscriptions(default: no channels).
SHARDCHANNELS [<pattern>]
    Return the currently active shard level channels matching a <pattern> (default: '*').
SHARDNUMSUB [<shardchannel> ...]
    Return the number of subscribers for the specified shard level channel(s)
"""


@TABLE.handles("PUBLISH")
def publish(context: Context, args: Args) -> Reply:
    context.publish(args)
    return context.engine.pubsub.publish(args[1], args[2])


@TABLE.handles("SPUBLISH")
def spublish(context: Context, args: Args) -> Reply:
    context.publish(args)
    return context.engine.pubsub.publish_shard(args[1], args[2])


@TABLE.handles("SUBSCRIBE")
def subscribe(context: Context, args: Args) -> Reply:
    return _each(context, args[1:], b"subscribe", context.engine.pubsub.subscribe)


@TABLE.handles("PSUBSCRIBE")
def psubscribe(context: Context, args: Args) -> Reply:
    return _each(context, args[1:], b"psubscribe", context.engine.pubsub.subscribe_pattern)


@TABLE.handles("SSUBSCRIBE")
def ssubscribe(context: Context, args: Args) -> Reply:
    return _each(context, args[1:], b"ssubscribe", context.engine.pubsub.subscribe_shard)


@TABLE.handles("UNSUBSCRIBE")
def unsubscribe(context: Context, args: Args) -> Reply:
    names = args[1:] or list(context.session.channels)
    return _each(context, names, b"unsubscribe", context.engine.pubsub.unsubscribe)


@TABLE.handles("PUNSUBSCRIBE")
def punsubscribe(context: Context, args: Args) -> Reply:
    names = args[1:] or list(context.session.patterns)
    return _each(context, names, b"punsubscribe", context.engine.pubsub.unsubscribe_pattern)


@TABLE.handles("SUNSUBSCRIBE")
def sunsubscribe(context: Context, args: Args) -> Reply:
    names = args[1:] or list(context.session.shards)
    return _each(context, names, b"sunsubscribe", context.engine.pubsub.unsubscribe_shard)


def _each(context: Context, names: Iterable[bytes], verb: bytes, act: Callable[..., None]) -> Reply:
    """Act on each name; each has a reply of its own with the number of subscriptions that there are then."""
    session = context.session
    sharded = verb.startswith((b"ss", b"su")) and verb != b"subscribe"
    replies = Several()
    for name in names:
        act(session, name)
        count = len(session.shards) if sharded else len(session.channels) + len(session.patterns)
        replies.append(Push((verb, name, count)))
    if not replies:
        count = len(session.shards) if sharded else len(session.channels) + len(session.patterns)
        replies.append(Push((verb, None, count)))
    session.regate()
    if session.deliver is None or not context.may_wait:
        return replies
    for reply in replies:
        session.deliver(reply)  # at once, so that no message overtakes them
    return Several()


@TABLE.handles("PUBSUB|CHANNELS")
def pubsub_channels(context: Context, args: Args) -> Reply:
    return _matching(args, context.engine.pubsub.channels)


@TABLE.handles("PUBSUB|SHARDCHANNELS")
def pubsub_shardchannels(context: Context, args: Args) -> Reply:
    return _matching(args, context.engine.pubsub.shards)


def _matching(args: Args, channels: Iterable[bytes]) -> Reply:
    if len(args) > 3:
        raise texts.subcommand_syntax(b"pubsub", args[1])
    return list(filter(compile_glob(args[2]), channels)) if len(args) == 3 else list(channels)


@TABLE.handles("PUBSUB|NUMPAT")
def pubsub_numpat(context: Context, args: Args) -> Reply:
    return len(context.engine.pubsub.patterns)


@TABLE.handles("PUBSUB|NUMSUB")
def pubsub_numsub(context: Context, args: Args) -> Reply:
    channels = context.engine.pubsub.channels
    return [part for name in args[2:] for part in (name, len(channels.get(name, ())))]


@TABLE.handles("PUBSUB|SHARDNUMSUB")
def pubsub_shardnumsub(context: Context, args: Args) -> Reply:
    shards = context.engine.pubsub.shards
    return [part for name in args[2:] for part in (name, len(shards.get(name, ())))]


@TABLE.handles("PUBSUB|HELP")
def pubsub_help(context: Context, args: Args) -> Reply:
    return help_lines("PUBSUB", _HELP)
