"""A sorted set does as a sorted list of pairs does, and keeps its invariants."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from redmodel.engine.values.sorted_set import SortedSet

MEMBERS = st.sampled_from([b"", b"a", b"b", b"c", b"dd", b"\xff", b"\0"])
SCORES = st.sampled_from([0.0, -0.0, 1.0, 1.5, -3.0, 1e300, float("inf"), float("-inf")])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), MEMBERS, SCORES),
        st.tuples(st.just("discard"), MEMBERS, SCORES),
        st.tuples(st.just("discard_ranks"), st.integers(0, 7), st.integers(0, 7)),
    ),
    max_size=30,
)


@settings(max_examples=300)
@given(ACTS, SCORES)
def test_random_acts(acts: list[tuple[str, bytes | int, float | int]], score: float) -> None:
    zset, model = SortedSet(), dict[bytes, float]()
    for act, one, two in acts:
        if act == "add":
            assert isinstance(one, bytes)
            zset.add(one, float(two))
            model[one] = float(two)
        elif act == "discard":
            assert isinstance(one, bytes)
            assert zset.discard(one) == (model.pop(one, None) is not None)
        else:
            assert isinstance(one, int)
            start, stop = sorted((one, int(two)))
            gone = zset.discard_ranks(start, stop)
            assert [(s, m) for m, s in gone] == sorted((s, m) for m, s in model.items())[start:stop]
            for member, _ in gone:
                del model[member]
        zset.check()
    order = sorted((s, m) for m, s in model.items())
    assert zset.pairs(0, len(zset)) == [(m, s) for s, m in order]
    assert zset.pairs(0, 99, reverse=True) == [(m, s) for s, m in reversed(order)]
    assert zset.members(0, len(zset)) == [m for _, m in order]
    assert zset.members(0, len(zset), reverse=True) == [m for _, m in reversed(order)]
    assert [zset.rank(m) for _, m in order] == list(range(len(order)))
    assert zset.below(score) == sum(s < score for s, _ in order)
    assert zset.above(score) == sum(s <= score for s, _ in order)
    copy = zset.copy()
    copy.add(b"new", 1.0)
    assert b"new" not in zset
    copy.check()
    zset.check()


@given(st.sets(MEMBERS, min_size=1), MEMBERS)
def test_ranks_by_member(members: set[bytes], bound: bytes) -> None:
    zset = SortedSet(dict.fromkeys(members, 2.5))
    assert zset.before_member(bound) == sum(member < bound for member in members)
    assert zset.after_member(bound) == sum(member <= bound for member in members)
