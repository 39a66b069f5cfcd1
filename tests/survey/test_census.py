"""Rows in, report out."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from redmodel.plan.scan import KeyRow, SchemaRow
from redmodel.survey.census import MOST_NAMES, Census, Report


def row(key: bytes, ttl: int | None = None, memory: int | None = 10, kind: str = "string") -> KeyRow:
    return KeyRow(key, kind, memory, ttl, None, False)


def report(*rows: KeyRow, depth: int = 9, **options: object) -> Report:
    census = Census()
    census.add(rows)
    return census.report(depth=depth, **options)  # type: ignore[arg-type]


def patterns(found: Report) -> list[tuple[bytes, int]]:
    return [(group.pattern, group.keys) for group in found.groups]


def test_prefixes_and_ids() -> None:
    found = report(*(row(b"cache:page:%d" % n) for n in range(3)), row(b"cache:user:7:name"), row(b"lock"))
    assert patterns(found) == [
        (b"cache:*", 4), (b"cache:page:*", 3), (b"cache:user:*", 1), (b"cache:user:*:*", 1), (b"lock", 1),
    ]  # fmt: skip


def test_what_varies_is_one_group() -> None:
    found = report(*(row(b"s:%032x:data" % random.Random(n).getrandbits(128)) for n in range(500)))
    assert patterns(found) == [(b"s:*", 500), (b"s:*:*", 500)]
    found = report(row(b"a::b:c"), row(b"a:%s:c" % (b"x" * 100)))
    assert patterns(found) == [(b"a:*", 2), (b"a:*:*", 2), (b"a:*:b:*", 1)]


def test_records_and_index_keys_stand_apart() -> None:
    rows = [KeyRow(b"app:users:1:2@x", "hash", 5, None, b"app:users", False)]
    rows += [KeyRow(b"app:users@city:a:b", "set", 50, None, b"app:users", True)]
    rows += [KeyRow(b"app:users@city", "zset", 50, None, b"app:users", True)]
    schema = SchemaRow(b"app:users", "User", "1", "f", ())
    found = report(*rows, row(b"big", memory=1000), schemas=[schema])
    assert [(g.pattern, g.model, g.side) for g in found.groups] == [
        (b"big", None, False),
        (b"app:*", None, False),
        (b"app:users:*", "User", False),
        (b"app:users@*", "User", True),
        (b"app:users@city", "User", True),
        (b"app:users@city:*", "User", True),
    ]


def test_times_to_live_and_bytes() -> None:
    (group,) = report(row(b"a:1", 100, 5), row(b"a:2", 300, None), row(b"a:3", None, 7), row(b"a:4", 200, None)).groups
    assert group.ttl_median_ms == 200
    assert group.without_ttl == 0.25
    assert group.memory == 12
    assert report(row(b"a:1", memory=None)).memory is None
    many = report(*(row(b"a:%d" % n, n) for n in range(20_000))).groups[0]
    assert many.ttl_median_ms is not None
    assert 8_000 < many.ttl_median_ms < 12_000
    assert many == report(*(row(b"a:%d" % n, n) for n in range(20_000))).groups[0], "the same keys, the same report"


def test_memory_is_bounded_and_nothing_is_hidden() -> None:
    names = [bytes([97 + n % 26, 97 + n // 26 % 26, 97 + n // 676]) for n in range(1000)]
    found = report(*(row(name + b":x") for name in names), *(row(name) for name in names))
    assert found.keys == 2000
    assert len(found.groups) == 40
    assert found.more == MOST_NAMES - 40
    inner = report(*(row(b"a:" + name + b":x") for name in names), depth=2)
    assert inner.groups[0].keys == 1000
    assert inner.groups[0].more == MOST_NAMES - 40


def test_the_largest_come_first() -> None:
    found = report(row(b"small:1", memory=1), row(b"large:1", memory=9), row(b"large:2", memory=9), depth=1)
    assert patterns(found) == [(b"large:*", 2), (b"small:*", 1)]


def test_an_empty_keyspace() -> None:
    assert report() == Report((), 0, None, 0, True, 0, ())


@given(st.lists(st.binary(min_size=1, max_size=30), unique=True, max_size=60))
def test_any_keys_are_counted_once(keys: list[bytes]) -> None:
    found = report(*map(row, keys), most=1000)
    assert found.keys == len(keys)
    assert sum(group.keys for group in found.groups if group.depth == 1) == len(keys)
