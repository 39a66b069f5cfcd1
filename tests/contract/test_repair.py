"""Check and repair: whatever another program has done is found, mended, and not found again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from redmodel import Field, Indexed, Model
from redmodel.errors import LayoutError, QueryError, ReadOnly
from redmodel.model import Condition
from redmodel.plan.check_report import CheckReport
from tests.contract.models import Session, User, user
from tests.contract.test_verbs import keyspace
from tests.reliability.auditor import drift

Raw = Callable[..., Any]
MANY = 60


class Client:
    """What the auditor asks of a redis-py client, over any back end."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw

    def scan_iter(self, pattern: str, count: int) -> Iterator[bytes]:
        return iter(self._raw("KEYS", pattern))

    def hgetall(self, key: bytes) -> dict[bytes, bytes]:
        found = self._raw("HGETALL", key)
        return dict(found) if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))

    def smembers(self, key: Any) -> set[bytes]:
        return set(self._raw("SMEMBERS", key))

    def hkeys(self, key: Any) -> list[bytes]:
        return list(self._raw("HKEYS", key))

    def type(self, key: bytes) -> bytes:
        return bytes(self._raw("TYPE", key))

    def zrange(self, key: bytes, *_: Any, **__: Any) -> list[tuple[bytes, float]]:
        return [(id, float(self._raw("ZSCORE", key, id))) for id in self._raw("ZRANGE", key, 0, -1)]


def audit(raw: Raw) -> list[str]:
    """What is wrong with the users, by the auditor, and with what is known of when they expire."""
    client: Any = Client(raw)
    wrong = drift(client)
    scores = dict(client.zrange(b"users@expires"))
    for key in client.scan_iter("users:*", 10):
        id, left = key.removeprefix(b"users:"), raw("PTTL", key)
        off = abs(scores.pop(id, -1) - time.time() * 1000 - left) if left >= 0 else 0.0
        if off > 2000 or (left < 0 and id in scores):
            wrong.append(f"expires: {id!r} is off by {off}")
    if scores:
        wrong.append(f"expires: {scores}")
    for key in client.scan_iter("users@*", 10):
        if raw("PTTL", key) >= 0:
            wrong.append(f"{key!r} would expire")
    return wrong


def fill(db: Any, count: int = MANY) -> None:
    db.save_many(user(n, id=str(n), tags=["a", "b", "c"][: n % 4], nickname=None) for n in range(count))
    db.save_many((user(n, id=str(n)) for n in range(count, count + 5)), ttl=1000)


def changed_fields(raw: Raw) -> None:
    raw("HSET", "users:1", "age", 77, "name", "Elsewhere")
    raw("HSET", "users:2", "email", "new@example.org", "tags", '["z"]')
    raw("HSET", "users:3", "address", '{"street":"x","city":"Rome"}')
    raw("HSET", "users:4", "nickname", "N")
    raw("HSET", "users:5", "active", 0)


def deleted_records(raw: Raw) -> None:
    raw("DEL", "users:1", "users:2", "users:60")


def records_that_expired_alone(raw: Raw) -> None:
    raw("PEXPIRE", "users:1", 1)
    raw("PEXPIRE", "users:60", 1)
    time.sleep(0.02)


def other_times_to_live(raw: Raw) -> None:
    raw("PEXPIRE", "users:1", 500_000)
    raw("PERSIST", "users:60")
    raw("PEXPIRE", "users:61", 5_000_000)
    raw("ZREM", "users@expires", "62")
    raw("ZADD", "users@expires", 99_999_999_999_999, "63", 5_000_000_000_000, "3", "inf", "nobody")


def deleted_index_keys(raw: Raw) -> None:
    raw("DEL", "users@name:N1", "users@age", "users@email", "users@nickname:~null")


def deleted_bookkeeping(raw: Raw) -> None:
    raw("DEL", "users@ids", "users@expires", "users@schema")


def a_deleted_log(raw: Raw) -> None:
    raw("DEL", "users@log")


def foreign_members(raw: Raw) -> None:
    raw("SADD", "users@name:N1", "ghost", "2", b"\xff\x00")
    raw("SADD", "users@name:Nowhere", "3")
    raw("SADD", "users@age:7", "3")
    raw("ZADD", "users@age", 5, "ghost", 6, "4", "-inf", "5")
    raw("HSET", "users@email", "free@example.org", "ghost", "second@example.org", "6")
    raw("SADD", "users@ids", "ghost", "other ghost")


def spoilt_logs(raw: Raw) -> None:
    raw("HDEL", "users@log", "1", "2")
    raw("HSET", "users@log", "3", "", "4", "garbage", "5", b"12345678u=name\x1fN9\x1e", "ghost", b"12345678c")
    raw("HSET", "users@log", "6", b"12345678u#age\x1f\x1e" * 3, "dead", b"12345678u=name\x1fN1\x1e=old\x1fx\x1e")
    raw("SADD", "users@name:N1", "dead")


def lost_ids(raw: Raw) -> None:
    raw("SREM", "users@ids", "1", "2", "60")


def records_by_another_program(raw: Raw) -> None:
    raw("HSET", "users:new", "id", "new", "email", "n@example.org", "age", 5, "name", "N", "active", 1, "tags", "[]",
        "address", '{"street":"x","city":"Rome"}')  # fmt: skip
    raw("PEXPIRE", "users:new", 100_000)


def entries_of_a_field_that_was_indexed(raw: Raw) -> None:
    for id in "123":
        log = raw("HGET", "users@log", id) or b"12345678u"
        raw("HSET", "users@log", id, log + b"=team\x1fred\x1e#rank\x1f\x1e!badge\x1f" + id.encode() + b"\x1e")
        raw("SADD", "users@team:red", id)
        raw("ZADD", "users@rank", 4, id)
        raw("HSET", "users@badge", id, id)
    raw("SADD", "users@team:red", "4")


def unique_values_of_dead_and_of_others(raw: Raw) -> None:
    raw("DEL", "users:11")
    raw("HSET", "users:12", "email", "u11@example.org")  # what a dead record still has in the index
    raw("HSET", "users@email", "u13@example.org", "14")  # another's
    raw("HSET", "users:15", "email", "u16@example.org")  # two records that changed places
    raw("HSET", "users:16", "email", "u15@example.org")
    raw("HDEL", "users@email", "u17@example.org")


def index_keys_that_expire(raw: Raw) -> None:
    for key in ("users@name:N1", "users@age", "users@email", "users@log", "users@ids"):
        raw("PEXPIRE", key, 1_000_000)


DAMAGE = [
    changed_fields,
    deleted_records,
    records_that_expired_alone,
    other_times_to_live,
    deleted_index_keys,
    deleted_bookkeeping,
    a_deleted_log,
    foreign_members,
    spoilt_logs,
    lost_ids,
    records_by_another_program,
    entries_of_a_field_that_was_indexed,
    unique_values_of_dead_and_of_others,
    index_keys_that_expire,
]


def counts(report: CheckReport) -> list[tuple[Any, ...]]:
    rows = [(row.path, row.ok, row.stale, row.missing, row.misplaced) for row in (*report.indexes, *report.bookkeeping)]
    return [*sorted(rows), (report.records, report.expiring, report.drift)]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_found_and_mended(damage: Callable[[Raw], None], db: Any, raw: Raw) -> None:
    fill(db)
    assert db.check(User).clean and audit(raw) == []
    damage(raw)
    before = keyspace(raw)
    found = db.check(User)
    assert keyspace(raw) == before, "a check writes nothing"
    assert not found.clean and found.drift and not found.needs_a_person, str(found)
    mended = db.repair(User)
    assert mended.whole and mended.complete
    assert counts(mended) == counts(found), f"{found}\n{mended}"
    assert audit(raw) == []
    again = db.check(User)
    assert again.clean and not again.expired, str(again)
    assert not db.repair(User).drift
    assert db.count(User) == db.find(User).count() == again.records


def test_all_damage_at_once(db: Any, raw: Raw) -> None:
    fill(db)
    for damage in DAMAGE:
        damage(raw)
    assert not db.check(User).clean
    db.repair(User)
    assert audit(raw) == []
    again = db.check(User)
    assert again.clean, f"{again}\n{[row.samples for row in (*again.indexes, *again.bookkeeping)]}"


def test_what_is_stale_missing_and_misplaced(db: Any, raw: Raw) -> None:
    fill(db)
    raw("HSET", "users:1", "age", 99, "name", "New")
    raw("DEL", "users:2")
    report = db.check(User)
    age, name = report.index("age"), report.index("name")
    assert (age.stale, age.missing, age.misplaced) == (1, 0, 1)
    assert (name.stale, name.missing, name.misplaced) == (1, 1, 1)
    assert age.ok == name.ok == MANY + 5 - 2
    samples = {sample.fault: sample for sample in name.samples}
    assert samples["missing"].id == "1" and samples["missing"].key == "users@name:New"
    assert samples["misplaced"].key == "users@name:N1" and samples["stale"].id == "2"
    assert next(s for s in age.samples if s.fault == "misplaced").found == "21"
    assert report.records == MANY + 4
    text = str(report)
    assert "User.name" in text and "1 stale" in text and f"of {report.entries:,} entries" in text


def test_what_expired_is_no_fault(db: Any, raw: Raw) -> None:
    db.save_many((Session(id=str(n), token=str(n), user="u") for n in range(20)), ttl=0.6)
    db.save(Session(id="stays", token="s", user="u"))
    time.sleep(0.65)
    report = db.check(Session)
    assert report.clean and report.expired == 20 and report.records == 1
    mended = db.repair(Session)
    assert not mended.drift and mended.expired == 20
    assert db.check(Session).expired == 0
    assert set(raw("SMEMBERS", "sessions@ids")) == {b"stays"}


def test_records_that_can_not_be_read_are_told_of_and_left(db: Any, raw: Raw) -> None:
    fill(db)
    raw("HSET", "users:1", "age", "old")
    raw("HSET", "users:2", "score", "nan")
    raw("HDEL", "users:3", "id")
    raw("HSET", "users:4", "id", "5")
    raw("HSET", "users:6", "tags", '["a"')
    before = keyspace(raw)
    report = db.check(User)
    assert not report.clean and not report.drift
    assert {(one.key, one.field) for one in report.unreadable} == {
        ("users:1", "age"), ("users:2", "score"), ("users:3", "id"), ("users:4", "id"), ("users:6", "tags"),
    }  # fmt: skip
    mended = db.repair(User)
    assert len(mended.unreadable) == 5 and not mended.whole
    assert keyspace(raw) == before


def test_foreign_keys_are_told_of_and_left(db: Any, raw: Raw) -> None:
    fill(db)
    raw("SET", "users:cache", "x")
    raw("HSET", "users:settings", "color", "red")
    raw("HSET", "users:other", "id", "not other", "age", "5")
    raw("SADD", "users@online:now", "1", "2")
    raw("SET", "users@lock", "x")
    before = keyspace(raw)
    report = db.repair(User)
    assert report.clean
    assert {one.key for one in report.foreign} == {
        "users:cache", "users:settings", "users:other", "users@online:now", "users@lock",
    }  # fmt: skip
    assert keyspace(raw) == before


def test_a_value_that_two_records_have_needs_a_person(db: Any, raw: Raw) -> None:
    fill(db)
    raw("HSET", "users:1", "email", "u2@example.org", "age", 99)
    report = db.check(User)
    (conflict,) = report.conflicts
    assert (conflict.key, conflict.field) == ("users:1", "email") and "'2'" in conflict.why
    mended = db.repair(User)
    assert len(mended.conflicts) == 1 and not mended.whole and mended.drift
    again = db.check(User)
    assert not again.drift and len(again.conflicts) == 1 and not again.clean
    assert db.find(User, User.email == "u2@example.org").one().id == "2"
    assert raw("HGET", "users@email", "u1@example.org") is None
    raw("HSET", "users:2", "email", "free@example.org")
    assert db.repair(User).whole
    assert db.check(User).clean and audit(raw) == []
    assert db.find(User, User.email == "u2@example.org").one().id == "1"


def test_a_key_of_another_type_is_told_of_and_the_rest_mended(db: Any, raw: Raw) -> None:
    fill(db)
    raw("DEL", "users@age", "users@name:N1")
    raw("SET", "users@age", "in the way")
    raw("DEL", "users:3")
    report = db.repair(User)
    assert [one.key for one in report.blocked] == ["users@age"] and not report.whole
    assert report.index("name").missing > 0
    assert db.check(User).drift == 0
    raw("DEL", "users@age")
    assert db.repair(User).whole
    assert audit(raw) == [] and db.check(User).clean


@pytest.mark.parametrize("key", ["users@log", "users@ids", "users@expires", "users@schema"])
def test_bookkeeping_of_another_type(key: str, db: Any, raw: Raw) -> None:
    fill(db)
    raw("DEL", key, "users@name:N1")
    raw("SET", key, "in the way")
    report = db.repair(User)
    assert [one.key for one in report.blocked] == [key] and not report.clean and not report.whole
    raw("DEL", key)
    assert db.repair(User).whole
    assert audit(raw) == [] and db.check(User).clean


def test_a_walk_is_stopped_and_goes_on(db: Any, raw: Raw) -> None:
    fill(db)
    for damage in DAMAGE:
        damage(raw)
    cursor, steps, drifts = None, 0, 0
    while True:
        report = db.repair(User, rate=1e9, cursor=cursor, progress=lambda report: False)
        steps += 1
        drifts += report.drift
        cursor = report.cursor
        assert steps < 500
        if cursor is None:
            break
        assert not report.complete and cursor in str(report)
    assert steps > 4 and drifts
    assert audit(raw) == []
    again = db.check(User)
    assert again.clean, f"{again}\n{[row.samples for row in (*again.indexes, *again.bookkeeping)]}"


def test_large_keys_are_walked_in_steps(db: Any, raw: Raw) -> None:
    fill(db, 700)
    raw("SADD", "users@active:1", *[f"ghost{n}" for n in range(600)])
    raw("ZADD", "users@age", *[word for n in range(600) for word in (n, f"ghost{n}")])
    seen: list[str] = []
    report = db.check(User, progress=lambda report: seen.append(report.cursor))
    assert report.index("active").stale == report.index("age").stale == 600
    within = [cursor for cursor in seen if cursor and cursor.count("/") == 4]
    assert within, seen
    assert db.repair(User, cursor=within[0]).whole
    assert db.repair(User).whole and audit(raw) == []


def test_progress_is_told_and_the_rate_kept(db: Any) -> None:
    fill(db)
    told: list[tuple[int, int]] = []
    began = time.monotonic()
    report = db.check(User, rate=3000, progress=lambda report: told.append((report.done, report.total)))
    assert time.monotonic() - began > 0.8 * (report.done - 500) / 3000
    assert told[-1] == (report.done, report.done)
    assert all(done <= total for done, total in told) and [*told] == sorted(told, key=lambda pair: pair[0])


@pytest.mark.parametrize("rate", [0, -1, True, float("nan")])
def test_a_rate_that_can_not_be(rate: float, db: Any) -> None:
    with pytest.raises(QueryError, match="rate"):
        db.check(User, rate=rate)


@pytest.mark.parametrize(
    "cursor", ["", "users/records", "users/nowhere/0", "sessions/records/0", "users/log/x", "a/b/c/d/e"]
)
def test_a_cursor_that_is_none(cursor: str, db: Any) -> None:
    with pytest.raises(QueryError, match="cursor"):
        db.repair(User, cursor=cursor)


def test_another_layout_is_refused(db: Any, raw: Raw) -> None:
    fill(db)
    raw("HSET", "users@schema", "layout", "2")
    for verb in (db.check, db.repair):
        with pytest.raises(LayoutError):
            verb(User)


def test_a_read_only_handle_checks(make_db: Callable[..., Any]) -> None:
    db, reader = make_db(), make_db(read_only=True)
    fill(db)
    assert reader.check(User).clean
    with pytest.raises(ReadOnly):
        reader.repair(User)


def of_version(version: int) -> Any:
    if version == 1:

        class Tree(Model, prefix="repair-trees"):
            id: str
            kind: Indexed[str]
            height: Indexed[int]

        return Tree

    class Tree(Model, prefix="repair-trees"):  # type: ignore[no-redef]
        id: str
        kind: str
        height: Indexed[int]
        site: Indexed[str] = Field(default="park")

    return Tree


def test_a_changed_model(db: Any, raw: Raw) -> None:
    old, new = of_version(1), None
    db.save_many(old(id=str(n), kind="oak" if n % 2 else "elm", height=n) for n in range(20))
    new = of_version(2)
    report = db.check(new)
    dropped = report.index("kind")
    assert dropped.kind == "dropped" and dropped.stale == 20
    assert report.index("site").missing == 20 and report.index("height").ok == 20
    raw("HDEL", "repair-trees@log", "1")  # then only the schema tells that there was such an index
    assert db.repair(new).whole
    assert db.check(new).clean
    assert sorted(raw("KEYS", "repair-trees@*")) == [
        b"repair-trees@height", b"repair-trees@ids", b"repair-trees@log", b"repair-trees@schema",
        b"repair-trees@site:park",
    ]  # fmt: skip
    by_site: Condition = new.site == "park"
    assert db.count(new, by_site) == 20


def test_nothing_at_all(db: Any, raw: Raw) -> None:
    assert db.check(User).clean and db.repair(User).clean
    assert raw("DBSIZE") == 0
    assert str(db.check(User)).endswith("drift: 0 of 0 entries of 0 records")
