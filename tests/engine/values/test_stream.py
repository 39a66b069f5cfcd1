"""The stream as a value: against a plain list of entries, and its nodes against what Redis would have."""

from __future__ import annotations

import random

import pytest

from redmodel.engine.values.stream import MAX_ID, Stream, id_text, make_id
from redmodel.engine.values.stream_groups import Group, OrderedIds
from redmodel.engine.values.stream_nodes import MAX_ENTRIES, radix_nodes


def filled(count: int) -> Stream:
    stream = Stream()
    for number in range(1, count + 1):
        stream.add(make_id(number, 0), (b"n", b"%d" % number))
    return stream


def test_an_empty_stream_is_a_value() -> None:
    stream = Stream()
    assert stream and len(stream) == 0 and stream.first_id == 0
    assert stream.range(0, MAX_ID) == stream.reversed_range(0, MAX_ID) == []
    stream.check()


def test_ids() -> None:
    assert id_text(make_id(7, 2)) == b"7-2"
    assert make_id(7, 2**64 - 1) + 1 == make_id(8, 0)
    assert make_id(2**64 - 1, 2**64 - 1) == MAX_ID


@pytest.mark.parametrize("seed", range(5))
def test_it_behaves_as_a_plain_list(seed: int) -> None:
    rng = random.Random(seed)
    stream = Stream()
    plain: list[tuple[int, tuple[bytes, ...]]] = []
    last = 0
    for step in range(1500):
        choice = rng.random()
        if choice < 0.7 or not plain:
            last += rng.randint(1, 3)
            entry = (make_id(last // 5 + 1, last % 5), (b"f", b"v" * rng.randint(0, 90)))
            stream.add(*entry)
            plain.append(entry)
        elif choice < 0.9:
            wanted = rng.choice(plain)[0] + rng.choice((0, 0, 1))
            there = any(entry == wanted for entry, _ in plain)
            assert stream.remove(wanted) == there
            plain = [pair for pair in plain if pair[0] != wanted]
        elif choice < 0.93:
            length = max(len(plain) - rng.randint(0, 150), 0)
            assert stream.trim_to(length) == len(plain) - length
            plain = plain[len(plain) - length :]
        elif choice < 0.96:
            low = rng.choice(plain)[0]
            kept = [pair for pair in plain if pair[0] >= low]
            assert stream.trim_below(low) == len(plain) - len(kept)
            plain = kept
        else:
            stream = stream.copy()
        if step % 10 == 0:
            stream.check()
            assert list(stream) == plain
            low, high = sorted(make_id(rng.randint(0, last // 5 + 2), rng.randint(0, 5)) for _ in range(2))
            count = rng.choice((None, 1, 7, 200))
            inside = [pair for pair in plain if low <= pair[0] <= high]
            assert stream.range(low, high, count) == inside[:count]
            assert stream.reversed_range(low, high, count) == inside[::-1][:count]
            for entry, fields in plain[:5]:
                assert stream.fields(entry) == fields and entry in stream
            assert stream.fields(low) == dict(plain).get(low)


def test_whole_nodes_are_dropped() -> None:
    stream = filled(3 * MAX_ENTRIES + 5)
    assert len(stream.nodes) == 4
    assert stream.trim_to(210, whole_nodes=True) == 0
    assert stream.trim_to(205, whole_nodes=True) == 100
    assert stream.trim_to(0, whole_nodes=True, limit=150) == 100
    assert stream.trim_below(make_id(301, 0), whole_nodes=True) == 100
    assert stream.trim_below(MAX_ID, whole_nodes=True, limit=4) == 0
    stream.check()
    assert len(stream) == 5 and stream.first_id == make_id(301, 0)


def test_a_node_can_be_left_without_entries() -> None:
    stream = filled(3)
    stream.remove(make_id(3, 0))
    assert stream.trim_below(make_id(3, 0)) == 2
    assert len(stream.nodes) == 1 and stream.first_id == 0
    stream.check()
    stream.add(make_id(4, 0), (b"a", b"b"))
    assert stream.first_id == make_id(4, 0)
    assert stream.trim_to(0) == 1 and not stream.nodes
    stream.check()


def test_nodes_of_the_radix_tree() -> None:
    assert radix_nodes([]) == 1
    assert radix_nodes([1 << 64]) == 2
    assert radix_nodes([0, MAX_ID]) == 5
    assert radix_nodes([1, 2, 256, 257]) == 1 + 1 + 2 + 4


def test_pending_entries_belong_to_one_consumer() -> None:
    group = Group(0, 0)
    ada, bob = group.add_consumer(b"ada", 5), group.add_consumer(b"bob", 6)
    for entry in range(10, 20):
        group.give(entry, ada, 100)
    group.give(15, bob, 200, 3)
    group.check()
    assert list(group.pending_since(14)) == [14, 15, 16, 17, 18, 19]
    assert list(group.pending_since(14, ada)) == [14, 16, 17, 18, 19]
    assert group.pending_bounds() == (10, 19)
    assert group.forget(10) and not group.forget(10)
    twin = group.copy()
    assert group.remove_consumer(b"ada") == 8 and group.remove_consumer(b"ada") is None
    group.check()
    assert list(group.pending) == [15]
    twin.check()
    assert len(twin.pending) == 9 and twin.pending[15].consumer.name == b"bob" and twin.pending[15].count == 3
    assert twin.pending[15].consumer is not bob


def test_ordered_ids() -> None:
    rng = random.Random(1)
    ids, plain = OrderedIds(), set[int]()
    for step in range(20_000):
        entry = rng.randrange(3000) if rng.random() < 0.5 else step
        if entry in plain:
            plain.remove(entry)
            ids.remove(entry)
        else:
            plain.add(entry)
            ids.add(entry)
        if step % 1000 == 0:
            ids.check()
            assert list(ids) == sorted(plain)
            assert list(ids.since(700)) == sorted(one for one in plain if one >= 700)
    assert (ids.first(), ids.last()) == (min(plain), max(plain))


def test_equality_looks_at_content() -> None:
    one, other = filled(150), filled(150)
    assert one == other
    one.trim_to(20)
    other.trim_to(80)
    other.trim_to(20)
    assert one == other
    one.groups[b"g"] = Group(0, None)
    assert one != other
    other.groups[b"g"] = Group(0, None)
    assert one == other
    one.groups[b"g"].give(1, one.groups[b"g"].add_consumer(b"c", 1), 5)
    assert one != other
