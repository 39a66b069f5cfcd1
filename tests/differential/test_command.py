"""COMMAND against a real server: the list of commands, and all that is said about each of them."""

from __future__ import annotations

from tests.differential.both import Both
from tests.differential.wire import Parsed

# What this server has beyond Redis 7.0.
NEWER = frozenset(
    b"client|setinfo hexpire hexpireat hexpiretime hpersist hpexpire hpexpireat hpexpiretime hpttl httl".split()
)


def unordered(reply: Parsed) -> object:
    """A reply whose sets and maps compare whatever their order; in RESP2 they are arrays like others."""
    kind, content = reply
    if not isinstance(content, list):
        return reply
    return kind, sorted((unordered(item) for item in content), key=repr)


def names(reply: Parsed) -> set[bytes]:
    return {name for _, name in reply[1]}


def test_every_command_is_described_in_the_same_words(both: Both) -> None:
    known = sorted(names(both.ask_engine([b"COMMAND", b"LIST"])) - NEWER)
    for about in (b"INFO", b"DOCS"):
        for name in known:
            args = [b"COMMAND", about, name]
            real, ours = both.real.execute(args), both.ask_engine(args)
            if about == b"INFO":
                real[1][0][1][9] = ours[1][0][1][9] = ("$", b"subcommands, that are compared one by one")
            elif b"|" not in name and name in _containers(both):
                continue  # their subcommands are compared one by one
            assert unordered(real) == unordered(ours), f"{args}\n  redis  {real}\n  engine {ours}"


def test_every_command_of_redis_is_there(both: Both) -> None:
    real, ours = (names(ask([b"COMMAND", b"LIST"])) for ask in (both.real.execute, both.ask_engine))
    assert real <= ours
    assert ours - real == NEWER


def _containers(both: Both) -> set[bytes]:
    return {name for name, command in both.engine.commands.items() if command.subcommands}


def test_command(both: Both) -> None:
    both.check_all(r"""
        COMMAND DOCS nosuch
        COMMAND INFO nosuch
        COMMAND GETKEYS get a
        COMMAND GETKEYS nosuch a
        COMMAND GETKEYS ping
        COMMAND GETKEYS ping x
        COMMAND GETKEYS config get x
        COMMAND GETKEYS set a
        COMMAND GETKEYS mset a b c d
        COMMAND GETKEYS zunionstore x 2 a b
        COMMAND GETKEYS zunionstore x q a b
        COMMAND GETKEYS xread count 1 streams a b 1 2
        COMMAND GETKEYS xreadgroup group streams c streams a 1
        COMMAND GETKEYS lmpop 2 a b left
        COMMAND GETKEYS blmpop 0 2 a b left
        COMMAND GETKEYSANDFLAGS set a b
        COMMAND GETKEYSANDFLAGS set a b GET
        COMMAND GETKEYSANDFLAGS copy a b
        COMMAND GETKEYSANDFLAGS lmove a b left left
        COMMAND LIST FILTERBY ACLCAT nosuch
        COMMAND LIST FILTERBY MODULE x
        COMMAND LIST FILTERBY
        COMMAND LIST FILTERBY FOO x
        COMMAND LIST x
        COMMAND FOO
        COMMAND COUNT x
        COMMAND HELP
    """)
