"""Saving, loading, deleting: the same on every back end, in both colours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from redmodel.errors import (
    AlreadyExists,
    BulkError,
    InvalidId,
    NotFound,
    QueryError,
    SchemaError,
    UniqueViolation,
    WrongType,
)
from tests.contract.models import Address, Code, Session, User, user


def keyspace(raw: Callable[..., Any]) -> dict[bytes, Any]:
    """Everything that stands in the database but the schema's own key."""
    found: dict[bytes, Any] = {}
    for key in raw("KEYS", "*"):
        kind = bytes(raw("TYPE", key))
        if kind == b"hash":
            pairs = raw("HGETALL", key)
            found[key] = dict(pairs) if isinstance(pairs, dict) else dict(zip(pairs[::2], pairs[1::2], strict=True))
        elif kind == b"set":
            found[key] = set(raw("SMEMBERS", key))
        elif kind == b"zset":
            found[key] = list(raw("ZRANGE", key, 0, -1))
        else:
            found[key] = raw("GET", key)
    return {key: value for key, value in found.items() if not key.endswith(b"@schema")}


def test_a_record_comes_back_equal(db: Any) -> None:
    ada = user(1, tags=["a", "b"], address=Address(street="x", city="Oslo"), bio="")
    assert db.save(ada) is True
    loaded = db.get(User, ada.id)
    assert loaded == ada and loaded is not ada
    assert db.exists(ada) and db.exists(User, ada.id)
    assert db.save(loaded) is False


def test_a_missing_record(db: Any) -> None:
    with pytest.raises(NotFound) as caught:
        db.get(User, "nobody")
    assert caught.value.id == "nobody" and caught.value.model == "User"
    assert db.get_many(User, ["nobody", "none"]) == [None, None]
    assert not db.exists(User, "nobody")
    assert db.delete(User, "nobody") is False
    assert db.touch(User, "nobody", ttl=10) is False


def test_the_layout_that_other_programs_read(db: Any, raw: Callable[..., Any]) -> None:
    ada = user(1, id="1", nickname="", tags=["vip"], score=0.5)
    db.save(ada)
    found = keyspace(raw)
    log = found.pop(b"users@log")
    assert set(log) == {b"1"}
    record = found.pop(b"users:1")
    assert record[b"age"] == b"21" and record[b"active"] == b"1" and record[b"tags"] == b'["vip"]'
    assert record[b"address"] == b'{"street":"1 A St","city":"London"}' and b"bio" not in record
    assert found == {
        b"users@ids": {b"1"},
        b"users@age": [b"1"],
        b"users@score": [b"1"],
        b"users@email": {b"u1@example.org": b"1"},
        b"users@name:N1": {b"1"},
        b"users@active:1": {b"1"},
        b"users@joined:~null": {b"1"},
        b"users@nickname:": {b"1"},
        b"users@tags:vip": {b"1"},
        b"users@address.city:London": {b"1"},
    }


def test_delete_leaves_nothing_behind(db: Any, raw: Callable[..., Any]) -> None:
    records = [user(n, tags=["a"]) for n in range(5)]
    db.save_many(records)
    assert db.delete(records[0]) is True
    assert db.delete(User, records[1].id) is True
    assert db.delete_many(User, [r.id for r in records]) == 3
    assert keyspace(raw) == {}


def test_changing_an_indexed_value_moves_the_record(db: Any) -> None:
    ada = user(1, age=30, tags=["a", "b"])
    db.save(ada)
    ada.age = 40
    ada.tags = ["b", "c"]
    ada.address = Address(street="y", city="Rome")
    db.save(ada)
    assert db.find(User, User.age == 30).count() == 0
    assert db.find(User, User.age == 40).one() == ada
    assert db.find(User, User.tags.contains("a")).all() == []
    assert db.find(User, User.tags.contains("c")).all() == [ada]
    assert db.find(User, User.address.city == "London").first() is None
    assert db.find(User, User.address.city == "Rome").first() == ada


def test_concurrent_edits_of_different_fields_both_survive(db: Any) -> None:
    db.save(user(1, id="1"))
    mine, yours = db.get(User, "1"), db.get(User, "1")
    mine.age = 77
    yours.nickname = "countess"
    db.save(mine)
    db.save(yours)
    both = db.get(User, "1")
    assert (both.age, both.nickname) == (77, "countess")
    assert db.count(User, User.age == 77, User.nickname == "countess") == 1


def test_cleared_fields_are_cleared(db: Any, raw: Callable[..., Any]) -> None:
    ada = user(1, id="1", bio="text", nickname="x", score=1.0)
    db.save(ada)
    ada.bio = ada.nickname = ada.score = None
    db.save(ada)
    assert db.get(User, "1") == ada
    assert raw("HEXISTS", "users:1", "bio") == 0
    assert db.count(User, User.score == None) == 1


def test_a_blind_save_over_an_existing_record_replaces_it(db: Any, raw: Callable[..., Any]) -> None:
    db.save(user(1, id="1", tags=["old"], nickname="old", bio="old"))
    db.save(user(1, id="1", age=60))
    assert db.get(User, "1") == user(1, id="1", age=60)
    assert raw("EXISTS", "users@tags:old", "users@nickname:old") == 0
    assert db.count(User) == 1


def test_a_loaded_record_that_went_is_written_whole(db: Any) -> None:
    db.save(user(1, id="1", bio="kept"))
    loaded = db.get(User, "1")
    db.delete(User, "1")
    loaded.age = 99
    assert db.save(loaded) is True
    assert db.get(User, "1") == loaded


def test_unique_values(db: Any) -> None:
    db.save(user(1, id="1", email="a@x"))
    with pytest.raises(UniqueViolation) as caught:
        db.save(user(2, id="2", email="a@x"))
    error = caught.value
    assert (error.model, error.field, error.value, error.owner) == ("User", "email", "a@x", "1")
    assert not db.exists(User, "2") and db.count(User) == 1
    first = db.get(User, "1")
    first.email = "b@x"
    db.save(first)
    db.save(user(2, id="2", email="a@x"))
    assert db.find(User, User.email == "a@x").one().id == "2"


def test_a_unique_value_is_free_when_its_owner_is_gone(db: Any, raw: Callable[..., Any]) -> None:
    db.save(user(1, id="1", email="a@x", tags=["t"]))
    raw("DEL", "users:1")  # another program
    db.save(user(2, id="2", email="a@x"))
    assert db.find(User, User.email == "a@x").one().id == "2"
    assert db.count(User) == 1 and db.count(User, User.tags.contains("t")) == 0


def test_only_if(db: Any) -> None:
    db.save(user(1, id="1"), only_if="new")
    with pytest.raises(AlreadyExists):
        db.save(user(1, id="1"), only_if="new")
    with pytest.raises(NotFound):
        db.save(user(2, id="2"), only_if="exists")
    assert db.save(user(1, id="1", age=50), only_if="exists") is False
    assert db.get(User, "1").age == 50


def test_many(db: Any) -> None:
    records = [user(n, id=str(n)) for n in range(2345)]
    assert db.save_many(iter(records)) == 2345
    assert db.get_many(User, [r.id for r in records]) == records
    assert db.count(User) == 2345
    assert db.delete_many(User, (str(n) for n in range(0, 2345, 2))) == 1173
    assert db.count(User) == 1172


def test_many_with_refusals_writes_the_others(db: Any) -> None:
    records = [user(n, id=str(n)) for n in range(5)]
    records[3].email = records[1].email
    records.append(user(7, id=""))
    with pytest.raises(BulkError) as caught:
        db.save_many(records)
    assert [place for place, _ in caught.value.failures] == [3, 5] and caught.value.done == 4
    assert isinstance(caught.value.failures[0][1], UniqueViolation)
    assert db.count(User) == 4


def test_refresh(db: Any) -> None:
    ada = user(1, id="1")
    db.save(ada)
    other = db.get(User, "1")
    other.age = 50
    db.save(other)
    assert db.refresh(ada) is ada and ada.age == 50
    db.delete(ada)
    with pytest.raises(NotFound):
        db.refresh(ada)
    assert ada.age == 50


def test_a_key_of_another_type_is_refused_and_nothing_written(db: Any, raw: Callable[..., Any]) -> None:
    db.save(user(0, id="0"))
    for key in ("users:1", "users@name:N1", "users@age", "users@email", "users@log", "users@ids"):
        before = raw("TYPE", key)
        raw("RENAME", key, "aside") if before != b"none" else None
        raw("SET", key, "in the way")
        with pytest.raises(WrongType) as caught:
            db.save(user(1, id="1"))
        assert caught.value.key == key.encode()
        raw("DEL", key)
        raw("RENAME", "aside", key) if before != b"none" else None
        assert db.count(User) == 1, key
        assert raw("HEXISTS", "users@email", "u1@example.org") == 0
        raw("SET", "sessions@expires", "in the way")
    with pytest.raises(WrongType):
        db.save(Session(id="1", token="t", user="u"))
    assert raw("KEYS", "sessions*") == [b"sessions@schema", b"sessions@expires"] or not raw("EXISTS", "sessions:1")
    raw("SET", "users:1", "x")
    with pytest.raises(WrongType):
        db.get(User, "1")
    with pytest.raises(WrongType):
        db.delete(User, "1")
    assert raw("GET", "users:1") == b"x"


@pytest.mark.parametrize(
    "id", ["a:b", "{x}", "*", "?", "[a]", "\\", "\x00", "é\u4e00🎈", " ", "\r\n", "../x", "ids", "x" * 512]
)
def test_ids_of_any_characters(db: Any, id: str) -> None:
    db.save(user(1, id=id))
    db.save(user(2, id="other"))
    assert db.get(User, id).email == "u1@example.org"
    assert db.find(User, User.email == "u1@example.org").one().id == id
    assert db.delete(User, id) is True and db.count(User) == 1


def test_values_of_a_megabyte(db: Any) -> None:
    ada = user(1, bio="é" * 500_000, nickname="n" * 1_000_000)
    db.save(ada)
    assert db.get(User, ada.id) == ada
    assert db.find(User, User.nickname == "n" * 1_000_000).one() == ada


def test_the_client_sees_the_same_keys(db: Any) -> None:
    ada = user(1, id="1")
    db.save(ada)
    client = db.client
    if hasattr(db, "_loop"):
        value = db._loop.run_until_complete(client.hget("users:1", "age"))
        db._loop.run_until_complete(client.aclose())
    else:
        value = client.hget("users:1", "age")
    assert value in (b"21", "21")


def test_fields_that_expire(db: Any) -> None:
    import time

    db.save(Code(id="1", number="5", otp="1234", hint="h"))
    assert db.get(Code, "1").otp == "1234"
    time.sleep(0.08)
    code = db.get(Code, "1")
    assert (code.otp, code.hint, code.number) == (None, "h", "5")
    assert db.find(Code).one().otp is None
    code.otp = "5678"
    db.save(code)
    assert db.get(Code, "1").otp == "5678"


def test_ttl_by_seconds_and_timedelta(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Session(id="1", token="t", user="u"))
    assert 3_590_000 < raw("PTTL", "sessions:1") <= 3_600_000
    db.touch(Session, "1", ttl=10)
    assert 9_000 < raw("PTTL", "sessions:1") <= 10_000
    db.touch(Session, "1")
    assert raw("PTTL", "sessions:1") > 3_590_000
    db.touch(Session, "1", ttl=None)
    assert raw("PTTL", "sessions:1") == -1
    db.save(Session(id="2", token="u", user="u"), ttl=timedelta(minutes=1))
    assert 59_000 < raw("PTTL", "sessions:2") <= 60_000


def test_mistakes_in_calls_are_typed(db: Any) -> None:
    with pytest.raises(QueryError, match="only_if"):
        db.save(user(1), only_if="bogus")
    with pytest.raises(QueryError, match="only_if"):
        db.save_many([user(1)], only_if="bogus")
    with pytest.raises(InvalidId):
        db.get_many(User, "abc")
    with pytest.raises(InvalidId):
        db.delete_many(User, "abc")
    with pytest.raises(SchemaError, match="save_many"):
        db.save([user(1)])
    assert db.count(User) == 0


def test_records_can_be_deleted_by_themselves(db: Any) -> None:
    records = [user(n) for n in range(3)]
    db.save_many(records)
    assert db.delete_many(User, [records[0], records[1].id]) == 2
