"""Each procedure's script and its native twin, driven by the same random operations: replies and keyspaces agree."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.errors import ReplyError
from redmodel.model.tokens import ordered_token
from redmodel.procedures import (
    AGGREGATE,
    AGGREGATE_RICH,
    ALL,
    DEFINE,
    DELETE,
    FIND,
    FIND_RICH,
    INCREMENT,
    ITEMS,
    PURGE,
    REINDEX,
    SAVE,
    TOUCH,
    WALK,
    Procedure,
)
from redmodel.procedures.entries import VALUED, entry_key
from tests.servers import RealServer

IDS = [b"1", b"2", b"a:b", b"{x}", "é*?".encode(), b"\x00[\n", b"7"]
CITIES = [b"Oslo", b"Rome", b"", b"\x00", b"~null", b"~0123"]
Run = Callable[[tuple[bytes, ...]], Any]


class Server:
    """A real server, asked in raw bytes."""

    def __init__(self, server: RealServer) -> None:
        self.client = redis.Redis(unix_socket_path=server.socket_path, protocol=2, db=9)
        self.client.flushdb()
        for procedure in ALL:
            self.client.script_load(procedure.source)

    def __call__(self, *args: bytes) -> Any:
        try:
            connection = self.client.connection_pool.get_connection()
            try:
                connection.send_command(*args)
                return connection.read_response()
            finally:
                self.client.connection_pool.release(connection)
        except redis.ResponseError as error:
            # Redis 6.2 wraps a script's error in a sentence of its own.
            return ("error", "WRONGTYPE" if "WRONGTYPE" in str(error) else str(error).split(" ")[0])


class Twin:
    """The engine, asked the same."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.session = Session()
        for procedure in ALL:
            self.engine.register_procedure(procedure.sha, procedure.native)

    def __call__(self, *args: bytes) -> Any:
        try:
            return self.engine.execute(self.session, list(args))
        except ReplyError as error:
            return ("error", error.code)


def keyspace(ask: Callable[..., Any], now: int) -> dict[bytes, Any]:
    """Everything that stands in the database; moments near now are rounded away, as the two clocks differ a little."""

    def moment(text: bytes) -> Any:
        return "soon" if abs(float(text) - now) < 60_000 else float(text)

    found: dict[bytes, Any] = {}
    for key in ask(b"KEYS", b"*"):
        kind = bytes(ask(b"TYPE", key))
        if kind == b"hash":
            flat = ask(b"HGETALL", key)
            pairs = dict(zip(flat[::2], flat[1::2], strict=True)) if isinstance(flat, list) else dict(flat)
            value: Any = {f: moment(v) if f.endswith(b"@expires") else v for f, v in pairs.items()}
        elif kind == b"set":
            value = set(ask(b"SMEMBERS", key))
        elif kind == b"zset":
            flat = ask(b"ZRANGE", key, b"0", b"-1", b"WITHSCORES")
            pairs = {}
            items = flat if flat and isinstance(flat[0], tuple) else list(zip(flat[::2], flat[1::2], strict=True))
            for member, score in items:
                pairs[member] = moment(score) if key.endswith(b"@expires") else float(score)
            value = pairs
        else:
            value = ask(b"GET", key)
        found[key] = (kind, value, ask(b"PTTL", key) > 0)
    return found


def words(*args: Any) -> list[bytes]:
    return [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]


def run(procedure: Procedure, keys: list[bytes], argv: list[Any]) -> tuple[bytes, ...]:
    return (b"EVALSHA", procedure.sha, b"%d" % len(keys), *keys, *words(*argv))


def counted(items: list[Any]) -> list[Any]:
    return [len(items), *items]


def entries(city: bytes, age: int | None, email: bytes | None, tags: list[bytes]) -> list[tuple[bytes, ...]]:
    found = [(b"=", b"city", city, b""), (b"<", b"city", ordered_token(city), b"")]
    found += [(b"#", b"age", b"", b"%d" % age)] if age is not None else [(b"=", b"age", b"~null", b"")]
    found += [(b"!", b"email", email, b"")] if email is not None else [(b"=", b"email", b"~null", b"")]
    found += [(b"=", b"tags", tag, b"") for tag in tags]
    return found + words_of([b"a", b"b", b"c"][: (age or 0) % 4] + tags)


def words_of(found: list[bytes]) -> list[tuple[bytes, ...]]:
    """The entries of a text of these words."""
    text = b"%d %b" % (len(found), b" ".join(found))
    return [(b"t", b"body", b"", text), *((b"w", b"body", word, b"%d" % -len(found)) for word in dict.fromkeys(found))]


def a_version(rng: random.Random) -> bytes:
    """The new version of a versioned model, of few, so that some meet again; or none."""
    return rng.choice([b"", b"%016d" % rng.randrange(4)])


def a_guard(rng: random.Random) -> list[bytes]:
    """What a column must hold."""
    city = b"city", rng.choice([b"=Oslo", b"=Rome", b"-", b"?"])
    return [*rng.choice([city, (b"@version", rng.choice([b"-", b"=" + a_version(rng)]))])]


def a_nonce(rng: random.Random) -> bytes:
    """Of one of three versions of the model, of which one may not be registered yet."""
    return rng.randbytes(5) + rng.choice([b"\x01\xab\x00"] * 4 + [b"\x02\xab\x00", b"\x03\xab\x00"])


def a_definition(rng: random.Random) -> tuple[bytes, ...]:
    if rng.random() < 0.03:
        return (b"DEL", b"t@schema")
    fields: list[Any] = [b"writer:01ab00", b"", b"writer:02ab00", rng.choice([b"", b"\x1fcity", b"\x1fage\x1ftags"])]
    for path in (b"city", b"age", b"tags", b"email"):
        fields += [b"index:" + path, rng.choice([b"+", b"+", b"~", b"-", b"x"]) + b"m"]
    revision = rng.choice([b"", b"1", b"2"])
    return run(
        DEFINE,
        [b"t@schema"],
        [
            revision,
            *counted(rng.sample([b"writer:01ab00", b"no", b"none", b"never", b"n"], 1)),
            *fields,
            b"revision",
            b"2",
        ],
    )


def a_reindex(rng: random.Random) -> tuple[bytes, ...]:
    id = rng.choice(IDS)
    city, age = rng.choice(CITIES), rng.randrange(5)
    paths = rng.sample([b"city", b"age", b"email", b"tags", b"body"], rng.randrange(3))
    joins = [entry for entry in entries(city, age, b"e%d" % rng.randrange(6), [b"x"]) if entry[1] in paths]
    keys = [b"t:" + id, b"t@ids", b"t@log", b"t@expires"]
    keys += [entry_key(b"t@", *entry[:3]) for entry in joins]
    seen = rng.choice([[], [b"city", b"+" + city], [b"nothing", b"-"]])
    sets, clears = rng.choice([[], [b"note", b"new"]]), rng.choice([[], [b"email"]])
    head = f"{len(seen) // 2} {len(paths)} {len(sets)} {len(clears)}"
    argv: list[Any] = [a_nonce(rng), head, *seen, *paths, *sets, *clears]
    for kind, path, token, score in joins:
        argv.append(kind + path + b"\x1f" + token + b"\x1e")
        if kind in VALUED:
            argv.append(score)
    return run(REINDEX, keys, argv)


def a_save(rng: random.Random) -> tuple[bytes, ...]:
    id = rng.choice(IDS)
    city, age = rng.choice(CITIES), rng.choice([None, rng.randrange(5)])
    email, tags = rng.choice([None, b"e%d" % rng.randrange(6)]), rng.sample([b"x", b"y", b"z"], rng.randrange(3))
    whole = rng.random() < 0.6
    paths = [b"city", b"age", b"email", b"tags", b"body"]
    chosen = paths if whole else rng.sample(paths, rng.randrange(len(paths)))
    joins = [entry for entry in entries(city, age, email, tags) if entry[1] in chosen]
    fields = {b"id": id, b"city": city, b"age": b"%d" % age if age is not None else None, b"email": email}
    pairs = [part for f, v in fields.items() if v is not None and (whole or f in chosen) for part in (f, v)]
    clear = [f for f, v in fields.items() if v is None and (whole or f in chosen)]
    expiring = [b"otp@expires", 20_000] if rng.random() < 0.2 else []
    ttl = rng.choice(["k", "-", "-", "30000", "30000", "1", "@5", "@7000000000000"])
    ttl = "-" if whole and ttl == "k" else ttl
    keys = [b"t:" + id, b"t@ids", b"t@log", b"t@expires"]
    keys += [entry_key(b"t@", *entry[:3]) for entry in joins]
    mode = (rng.choice([b"w", b"w", b"r"]) if whole else b"p") + rng.choice([b"-", b"-", b"-", b"n", b"x"])
    paths = [] if whole else chosen
    version, guards = a_version(rng), [] if rng.random() < 0.7 else a_guard(rng)
    head = f"{ttl} {len(pairs)} {len(clear)} {len(expiring)} {len(paths)} {len(guards)}"
    argv: list[Any] = [a_nonce(rng) + mode + version, head, *pairs, *clear, *expiring, *paths, *guards]
    for kind, path, token, score in joins:
        argv.append(kind + path + b"\x1f" + token + b"\x1e")
        if kind in VALUED:
            argv.append(score)
    return run(SAVE, keys, argv)


TAGS = [b'"x"', b'"y"', b'"z"', b'"a,]\\""', b'"\\\\"', b"12345678901234567890.10", b'{"a":[1,"}"]}', b"null"]


def an_item_change(rng: random.Random, keys: list[bytes]) -> tuple[bytes, ...]:
    operation = rng.choice([b"a", b"p", b"+", b"+", b"-", b"-", b"k", b"d"])
    field = (
        rng.choice([b"tags", b"tags", b"list", b"dict"]) if operation not in b"kd" else rng.choice([b"dict", b"list"])
    )
    texts = rng.sample(TAGS, rng.randrange(3))
    named = []
    if operation in b"kd":
        texts = [text for text in texts if text[:1] == b'"']
        texts = [part for key in texts for part in (key, rng.choice(TAGS))] if operation == b"k" else texts
    elif field == b"tags":
        texts = [text for text in texts if text in TAGS[:3]]
        named = [text[1:2] for text in texts]
    base = rng.choice([b"", b"{}" if operation in b"kd" else b"[]"])
    bounds = rng.choice(["- -", "- -", "1 -", "- 3", "0 4"])
    ttl = rng.choice(["-", "-", "20000", "1"])
    version = a_version(rng)
    head = [a_nonce(rng) + operation, field, base, f"{bounds} {ttl} {len(texts)}", version, rng.choice(["t", ""])]
    entries = [b"=tags\x1f" + token + b"\x1e" for token in named]
    return run(ITEMS, keys + [b"t@tags:" + token for token in named], [*head, *texts, *entries])


def a_stored_text(rng: random.Random, id: bytes) -> tuple[bytes, ...]:
    """What other programs, or older versions, may have put into a field."""
    texts = [
        b"[]",
        b"{}",
        b"[ 1 , [2, 3] ]",
        b'{ "x" : [1,2], "y":"}" }',
        b"[1,",
        b"[,]",
        b'["x]',
        b"\0",
        b"[1]]",
        b"{1:2}",
    ]
    return b"HSET", b"t:" + id, rng.choice([b"list", b"dict"]), rng.choice(texts)


RICH = {b"<", b"L", b"b", b"p", b"bm25"}
"""Kinds of nodes and orders that are only in the rich scripts."""


def a_node(rng: random.Random, keys: list[bytes], depth: int = 0) -> list[Any]:
    def place(key: bytes) -> int:
        if key not in keys:
            keys.append(key)
        return keys.index(key) + 1

    kind = rng.choice("=#!u*<Lbp" if depth > 2 else "=##!u*&&||~<Lbp")
    if kind == "b":
        return [b"b", place(b"t@body:~words"), rng.choice([b"a", b"", b"x", b"none"])]
    if kind == "p":
        return [b"p", place(b"t@body"), *rng.choice([[b"0", b" a b "], [b"0", b" b "], [b"1", b" a [^ |]+ c "]])]
    if kind in "<L":
        low, high = rng.choice([b"-", b"[", b"[O", b"[Oslo\x01"]), rng.choice([b"+", b"(P", b"(Rome", b"(\x02"])
        fits = counted(rng.choice([[b"O", b"o"], [b"", b"\x00"], [b"\x00\x00m", b""], [b"", b"s", b""], [b"Rome"]]))
        return [kind.encode(), place(b"t@city"), b"city", low, high, *(fits if kind == "L" else [])]
    if kind == "=":
        return [b"=", place(rng.choice([b"t@city:Oslo", b"t@city:Rome", b"t@tags:x", b"t@age:~null"]))]
    if kind == "#":
        low, high = sorted([rng.randrange(-1, 6), rng.randrange(-1, 6)])
        texts = [rng.choice([f"{low}", f"({low}", "-inf"]), rng.choice([f"{high}", f"({high}", "+inf"])]
        return [b"#", place(b"t@age"), *texts]
    if kind == "!":
        return [b"!", place(b"t@email"), b"e%d" % rng.randrange(6)]
    if kind == "u":
        return [b"u", 2, place(b"t@city:Oslo"), place(b"t@tags:y")]
    if kind == "~":
        return [b"~", *a_node(rng, keys, depth + 1)]
    if kind == "*":
        return [b"*"]
    children = [a_node(rng, keys, depth + 1) for _ in range(rng.randrange(0, 4) or 1)]
    return [kind.encode(), len(children), *[word for child in children for word in child]]


def a_find(rng: random.Random) -> tuple[bytes, ...]:
    keys = [b"t@ids", b"t@expires"]
    node = a_node(rng, keys)
    keys += [key for key in (b"t@age", b"t@city") if key not in keys]
    age, text = keys.index(b"t@age") + 1, b"%d city" % (keys.index(b"t@city") + 1)
    keys += [key for key in (b"t@body", b"t@body:a", b"t@body:~words") if key not in keys]
    texts, word, words = (keys.index(key) + 1 for key in (b"t@body", b"t@body:a", b"t@body:~words"))
    ranked = b"w %d %d 2.5 b %d x 0.5" % (texts, word, words)
    orders: list[Any] = []
    for _ in range(rng.choice([1, 1, 2])):
        down = rng.choice([b"a", b"d", b"A", b"D"])
        sources = [(b"?", age), (b"bm25", ranked), (b"#", age), (b"$", b"city"), (b"@", b""), (b"%", b""), (b"<", text)]
        orders += [*rng.choice(sources), down]
    most = rng.choice([0, 2, 1000])
    flags = rng.choice([b"w", b"wt", b"", b"wc", b"c", b"wn", b"n"])
    flags += rng.choice(
        [b"", b"", b"\x1f01ab00\x1fcity\x1em", b"\x1f01ab00\x1fage\x1em\x1fcity\x1em", b"\x1f01ab00\x1fcity\x1en"]
    )
    bounds = [rng.choice([0, 0, 1, 3]), rng.choice([-1, 2, 10])]
    position: list[Any] = []
    if rng.random() < 0.4:
        flags, bounds = b"k" + flags.replace(b"c", b""), [rng.choice([0, 0, 2]), rng.choice([1, 2, 10])]
        position = counted([rng.choice([b"a", b"b"]), *rng.choice([[], a_position(rng, orders)])])
    argv = [flags, *bounds, most, *counted([b"id", b"city", b"age"])]
    rich = not RICH.isdisjoint([*node, *orders])
    return run(FIND_RICH if rich else FIND, keys, [*argv, len(orders) // 3, *orders, *position, *node])


def a_walk(rng: random.Random) -> tuple[bytes, ...]:
    """The first step through few records: that of many depends on how a set is kept."""
    keys = [b"t@ids", b"t@expires"]
    node = a_node(rng, keys)
    return run(WALK, keys, [rng.choice([b"w", b"wt", b""]), 0, 0, 1000, 1000, *counted([b"id", b"city"]), *node])


def a_position(rng: random.Random, orders: list[Any]) -> list[bytes]:
    """A place in an order, where a record may stand or not."""
    values = {b"$": rng.choice(CITIES), b"<": rng.choice(CITIES), b"@": rng.choice(IDS), b"%": b"%d" % rng.randrange(9)}
    words = [b"=" + values.get(kind, b"%d" % rng.randrange(5)) for kind in orders[::3]]
    if rng.random() < 0.2:
        words[0] = b"-" if orders[0] != b"@" else words[0]
    return [*words, rng.choice(IDS)]


def an_aggregate(rng: random.Random) -> tuple[bytes, ...]:
    keys = [b"t@ids", b"t@expires", b"t@age"]
    grouped = rng.choice([[b"-", b""], [b"=", b"city"], [b"=", b"tags"], [b"=", b"email"], [b"#", b"3"], [b"~", b"3"]])
    step = rng.choice([[b"0", b"2"], [b"-1.5", b"0.5"]]) if grouped[0] == b"~" else [b"0", b""]
    flags = rng.choice([b"w", b"wi", b"i", b"wv", b""])
    most = rng.choice([3, 1000])
    head = [flags, *grouped, *step, rng.choice([b"", b"3"]), most, *counted([b"id", b"city"])]
    node = a_node(rng, keys)
    rich = not RICH.isdisjoint(node)
    return run(AGGREGATE_RICH if rich else AGGREGATE, keys, [*head, *node])


def an_operation(rng: random.Random) -> tuple[bytes, ...]:
    id = rng.choice(IDS)
    keys = [b"t:" + id, b"t@ids", b"t@log", b"t@expires"]
    chance = rng.random()
    if chance < 0.05:
        return a_definition(rng)
    if chance < 0.12:
        return a_reindex(rng)
    if chance < 0.5:
        return a_save(rng)
    if chance < 0.6:
        return run(DELETE, keys, [id] if rng.random() < 0.7 else [id, b"%016d" % rng.randrange(4)])
    if chance < 0.66:
        records = [b"t:" + id for id in rng.sample(IDS, rng.randrange(1, 4))]
        return run(TOUCH, [b"t@ids", b"t@expires", *records], [rng.choice([b"-", 1, 40_000]), rng.choice([b"s", b"t"])])
    if chance < 0.70:
        return run(PURGE, [b"t@ids", b"t@expires"], [rng.choice([1, 100])])
    if chance < 0.72:
        count, kind = rng.choice([(b"1", b"i"), (b"-2", b"i"), (b"0.25", b"f"), (b"9007199254740992", b"i")])
        bounds = rng.choice([[b"", b""], [b"0", b""], [b"-1", b"4"]])
        indexed = rng.random() < 0.7
        field = b"age" if indexed else rng.choice([b"count", b"age"])
        return run(INCREMENT, keys + [b"t@age"] * indexed, [a_nonce(rng), field, count, kind, *bounds, a_version(rng)])
    if chance < 0.82:
        return an_item_change(rng, keys)
    if chance < 0.85:
        return (b"DEL", b"t:" + id)  # another program
    if chance < 0.87:
        return a_stored_text(rng, id)
    if chance < 0.88:
        return rng.choice([(b"PERSIST", b"t:" + id), (b"HSET", b"t:" + id, b"city", b"elsewhere")])
    if chance < 0.90:
        key = rng.choice(
            [
                b"t:" + id,
                b"t@body",
                b"t@body:a",
                b"t@body:~words",
                b"t@city:Oslo",
                b"t@email",
                b"t@age",
                b"t@expires",
                b"t@ids",
                b"t@city",
            ]
        )
        return (b"SETNX", key, b"in the way")
    if chance < 0.92:
        return (b"EVICT-STRINGS",)
    return an_aggregate(rng) if chance < 0.95 else rng.choice([a_find, a_find, a_walk])(rng)


def tidy(reply: Any, now: int) -> Any:
    """Replies differ by nothing but the clock's moment, the order of groups, and which record stands for each."""
    if isinstance(reply, list) and reply and isinstance(reply[0], list) and len(reply[0]) > 6:
        return sorted([*group[:7], len(group)] for group in reply)
    if isinstance(reply, list) and len(reply) in (4, 7) and isinstance(reply[2], list):
        total, _, rows, rest, *beside = reply
        return [total, rows, rest, *beside]
    if isinstance(reply, list) and len(reply) == 6 and isinstance(reply[2], list):
        return [reply[0], sorted(reply[2], key=repr), *reply[3:]]
    if isinstance(reply, list) and reply[:1] == [b"moved"]:
        held = dict(zip(reply[2][::2], reply[2][1::2], strict=True))
        return {name: b"soon" if name.endswith(b"@expires") else value for name, value in held.items()}
    return reply


READS = [(b"EVALSHA", read.sha) for read in (FIND, FIND_RICH, AGGREGATE, AGGREGATE_RICH, WALK)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("version", ["redis7", "redis6"])
def test_the_script_and_the_twin_do_the_same(version: str, seed: int, request: pytest.FixtureRequest) -> None:
    real, twin = Server(request.getfixturevalue(version)), Twin()
    rng = random.Random(seed)
    for step in range(400):
        operation = an_operation(rng)
        if operation == (b"EVICT-STRINGS",):
            for key in twin(b"KEYS", b"*"):
                if twin(b"TYPE", key) == b"string":
                    real(b"DEL", key), twin(b"DEL", key)
            continue
        now = int(time.time() * 1000)
        expected, found = real(*operation), twin(*operation)
        if operation[:2] in READS and ("error", "WRONGTYPE") in (expected, found):
            continue  # which of several keys is looked at first is free; what matters is that neither invents an answer
        told = {
            reply[0] for reply in (found, expected) if isinstance(reply, list) and reply and operation[1] == SAVE.sha
        }
        if b"wrongtype" not in told or not told <= {b"wrongtype", b"unique"}:  # of several reasons, any may be told
            assert tidy(found, now) == tidy(expected, now), f"seed {seed}, step {step}: {operation}"
        if operation[0] == b"EVALSHA":
            argv = list(operation[3 + int(operation[2]) :])
            if b"1" in argv[:2] or any(arg.startswith(b"1 ") or b" 1 " in arg for arg in argv[1:4]):
                time.sleep(0.004)  # what was given a millisecond is over on both sides
        assert keyspace(twin, now) == keyspace(real, now), f"seed {seed}, step {step}: after {operation}"
