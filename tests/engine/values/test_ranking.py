"""The buckets of a ranking split, empty and merge right, also where thousands of scores are equal."""

from __future__ import annotations

import random

import pytest

from redmodel.engine.values.ranking import Ranking


@pytest.mark.parametrize("scores", [1, 3, 50, 100_000])
def test_many_members(scores: int) -> None:
    chance = random.Random(scores)
    ranking, model = Ranking(), dict[bytes, float]()
    for turn in range(12_000):
        member = b"%d" % chance.randrange(6000)
        if member in model:
            ranking.remove(member, model.pop(member))
        if chance.random() < 0.8 - 0.6 * (turn > 9000):
            model[member] = float(chance.randrange(scores))
            ranking.add(member, model[member])
        if turn % 1500 == 0:
            ranking.check()
            order = sorted((score, name) for name, score in model.items())
            for _ in range(30):
                start, stop = sorted(chance.randrange(len(order) + 1) for _ in range(2))
                assert ranking.members(start, stop) == [name for _, name in order[start:stop]]
                assert ranking.pairs(start, stop) == [(name, score) for score, name in order[start:stop]]
                bound = float(chance.randrange(scores + 1))
                assert ranking.below(bound) == sum(score < bound for score, _ in order)
                assert ranking.above(bound) == sum(score <= bound for score, _ in order)
            for rank in range(0, len(order), 97):
                assert ranking.rank(order[rank][1], order[rank][0]) == rank
            start, stop = sorted(chance.randrange(len(order) // 2 + 1) for _ in range(2))
            ranking.remove_range(start, stop)
            for _, name in order[start:stop]:
                del model[name]
            ranking.check()
    for member, score in model.items():
        ranking.remove(member, score)
    ranking.check()
    assert list(ranking) == []
    assert ranking.members(0, 0) == []
    assert ranking.below(1.0) == ranking.above(1.0) == 0


def test_members_of_one_score_in_many_buckets() -> None:
    names = [b"%05d" % n for n in range(0, 20_000, 2)]
    ranking = Ranking((name, 0.0) for name in names)
    shuffled = names[:]
    random.Random(1).shuffle(shuffled)
    grown = Ranking()
    for name in shuffled:
        grown.add(name, 0.0)
    for one in (ranking, grown):
        one.check()
        assert one.members(0, len(names)) == names
        assert one.before_member(b"00100") == 50
        assert one.after_member(b"00100") == 51
        assert one.before_member(b"00101") == one.after_member(b"00101") == 51
        assert one.before_member(b"99999") == one.after_member(b"99999") == len(names)
        assert one.before_member(b"") == one.after_member(b"") == 0
