"""One command to a real server and to the engine, and what may differ between their replies."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.errors import ReplyError
from redmodel.resp.writer import ReplyWriter
from redmodel.server.connection import SHAPES
from tests.differential.wire import Connection, Parsed, parse

# Replies whose order Redis leaves open.
ORDERLESS = frozenset(b"SMEMBERS SINTER SUNION SDIFF KEYS HKEYS HVALS".split())
ORDERLESS_PAIRS = frozenset(b"HGETALL CONFIG".split())
SCANS = frozenset(b"SCAN SSCAN".split())
PAIR_SCANS = frozenset(b"HSCAN ZSCAN".split())
# Replies with times inside: of pending entries, and of consumers.
TIMED = frozenset(b"XPENDING XINFO".split())
TIMED_NAMES = (("$", b"idle"), ("$", b"seen-time"))
# Replies that are times, and how far the two clocks may be apart in their unit.
TIMES = {b"TTL": 3, b"PTTL": 3000, b"EXPIRETIME": 3, b"PEXPIRETIME": 3000}


def words(line: str) -> list[bytes]:
    r"""Split a command line as a shell would; ``\xNN`` in it stands for a byte."""
    return [word.encode("latin-1").decode("unicode_escape").encode("latin-1") for word in shlex.split(line)]


def _pairs(items: list[Parsed]) -> list[tuple[Parsed, ...]]:
    return sorted(zip(items[::2], items[1::2], strict=True))


def comparable(args: list[bytes], reply: Parsed) -> object:
    """A reply without what may differ."""
    name = args[0].upper()
    kind, content = reply
    if not isinstance(content, list):
        return reply
    if name in TIMED:
        return without_times(reply, [])
    if name in ORDERLESS:
        return kind, sorted(content)
    if name in ORDERLESS_PAIRS and not len(content) % 2:  # and not the lines of CONFIG HELP
        return kind, _pairs(content)
    if name in SCANS:
        return kind, content[0], sorted(content[1][1])
    if name in PAIR_SCANS:
        return kind, content[0], _pairs(content[1][1])
    return reply


def without_times(reply: Parsed, times: list[int]) -> Parsed:
    """A reply of a command on streams without its times, which are added to the list."""
    kind, content = reply
    if not isinstance(content, list):
        return reply
    pending = len(content) in (3, 4) and content[0][0] == "$" and b"-" in content[0][1]
    kept: list[Parsed] = []
    for at, item in enumerate(content):
        if item[0] == ":" and ((at and content[at - 1] in TIMED_NAMES) or (pending and at == len(content) - 2)):
            times.append(int(item[1]))
            kept.append(("time", None))
        else:
            kept.append(without_times(item, times))
    return kind, kept


class Both:
    """A real server and an engine side by side.

    Args:
        path: the unix socket of the server, which is flushed.
        protocol: 2 or 3.
    """

    def __init__(self, path: str, protocol: int = 2, clock: Callable[[], int] | None = None) -> None:
        self.engine = Engine(clock=clock or (lambda: time.time_ns() // 1_000_000))
        self.session = Session()
        self.writer = ReplyWriter(protocol, SHAPES)
        self.real = Connection(path)
        if protocol == 3:
            self.real.execute([b"HELLO", b"3"])
            self.session.protocol = 3
        self.real.execute([b"FLUSHALL"])

    def ask_engine(self, args: list[bytes]) -> Parsed:
        try:
            reply: object = self.engine.execute(self.session, args)
        except ReplyError as error:
            reply = error
        command = self.engine.commands.get(args[0].upper())
        nil_array = command is not None and command.nil_is_array(args)
        return parse(self.writer.write(reply, nil_array=nil_array))[0]

    def same(self, args: list[bytes], real: Parsed, ours: Parsed) -> bool:
        spread = TIMES.get(args[0].upper())
        if spread and real[0] == ours[0] == ":":
            one, other = int(real[1]), int(ours[1])
            return one == other or (min(one, other) >= 0 and abs(one - other) <= spread)
        if args[0].upper() in TIMED:
            one_times: list[int] = []
            other_times: list[int] = []
            if without_times(real, one_times) != without_times(ours, other_times):
                return False
            return all(abs(one - other) <= 3000 for one, other in zip(one_times, other_times, strict=True))
        return comparable(args, real) == comparable(args, ours)

    def check(self, line: str | list[bytes]) -> None:
        """Send one command to both, and assert that the replies are the same."""
        args = words(line) if isinstance(line, str) else line
        real, ours = self.real.execute(args), self.ask_engine(args)
        assert self.same(args, real, ours), f"{line}\n  redis  {real}\n  engine {ours}"

    def check_all(self, script: str) -> None:
        """Check each line of a script; blank lines and lines that begin with # are left out. All differences show."""
        differences: list[str] = []
        for line in script.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                try:
                    self.check(line.strip())
                except AssertionError as error:
                    differences.append(str(error))
        assert not differences, "\n" + "\n".join(differences)

    def keyspace_of(self, ask: Callable[[list[bytes]], Parsed], databases: int) -> dict[tuple[int, bytes], object]:
        """Every key's type, content and whether it has a deadline."""
        found: dict[tuple[int, bytes], object] = {}
        for number in range(databases):
            ask([b"SELECT", b"%d" % number])
            for _, key in ask([b"KEYS", b"*"])[1]:
                kind = ask([b"TYPE", key])[1]
                read = {
                    b"string": [b"GET", key],
                    b"hash": [b"HGETALL", key],
                    b"list": [b"LRANGE", key, b"0", b"-1"],
                    b"set": [b"SMEMBERS", key],
                    b"stream": [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"],
                    b"zset": [b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
                }[kind]
                deadline = int(ask([b"PEXPIRETIME", key])[1])
                found[number, key] = (kind, comparable(read, ask(read)), deadline if deadline < 0 else 1)
        ask([b"SELECT", b"0"])
        return found

    def check_keyspace(self, databases: int = 16) -> None:
        """Assert that both hold the same keys, and that the engine's own invariants hold."""
        real = self.keyspace_of(self.real.execute, databases)
        ours = self.keyspace_of(self.ask_engine, databases)
        for key in real.keys() | ours.keys():
            assert real.get(key) == ours.get(key), f"{key}\n  redis  {real.get(key)}\n  engine {ours.get(key)}"
        for database in self.engine.databases:
            database.check()

    def close(self) -> None:
        self.real.close()
