"""Random writes to models that refer to each other, against a plain picture of what must be there."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest

from redmodel import ExpiresAt, Field, Model, NotFound, Ref, Refs, Restricted

IDS = ["1", "2", "3", "~", "a:b"]


class Root(Model, prefix="any-roots"):
    ends: Annotated[datetime | None, ExpiresAt()] = None


class Branch(Model, prefix="any-branches", ttl=3600, sliding=True):
    root: Ref[Root] = Field(on_delete="cascade")
    above: Ref[Branch | None] = Field(default=None, on_delete="set_null")


class Leaf(Model, prefix="any-leaves"):
    branch: Ref[Branch] = Field(on_delete="cascade")
    root: Ref[Root | None] = Field(default=None, on_delete="restrict")
    others: Refs[Leaf] = Field(default_factory=list)


class Picture:
    """What must be there: for each model the records, as plain ids."""

    def __init__(self) -> None:
        self.roots: set[str] = set()
        self.branches: dict[str, tuple[str, str | None]] = {}
        self.leaves: dict[str, tuple[str, str | None, list[str]]] = {}

    def doomed_with(self, root: str) -> tuple[set[str], set[str]]:
        branches = {id for id, (of, _) in self.branches.items() if of == root}
        return branches, {id for id, (of, _, _) in self.leaves.items() if of in branches}

    def barred(self, root: str) -> bool:
        _, leaves = self.doomed_with(root)
        return any(of == root and id not in leaves for id, (_, of, _) in self.leaves.items())

    def drop(self, branches: set[str], leaves: set[str]) -> None:
        for id in leaves:
            self.leaves.pop(id, None)
        for id in branches:
            self.branches.pop(id, None)
        self.branches = {id: (of, None if up in branches else up) for id, (of, up) in self.branches.items()}


def step(db: Any, picture: Picture, rng: random.Random) -> None:
    id, other = rng.choice(IDS), rng.choice([*IDS, None])
    action = rng.choice(["root", "branch", "branch", "leaf", "leaf", "update", "cut", "fell", "end", "pluck", "touch"])
    if action == "root":
        db.save(Root(id=id))
        picture.roots.add(id)
    elif action == "branch":
        db.save(Branch(id=id, root=rng.choice(IDS[:3]) if other is None else other, above=other))
        saved = db.get(Branch, id)
        picture.branches[id] = (saved.root.id, other)
    elif action == "leaf":
        others = rng.sample(IDS, 2)
        db.save(Leaf(id=id, branch=rng.choice(IDS) if other is None else other, root=other, others=others))
        picture.leaves[id] = (db.get(Leaf, id).branch.id, other, others)
    elif action == "update":
        target = rng.choice(IDS)
        try:
            db.update(Branch, id, root=target, above=other)
        except NotFound:
            assert id not in picture.branches
        else:
            picture.branches[id] = (target, other)
    elif action == "cut":
        branches, leaves = picture.doomed_with(id)
        if picture.barred(id):
            with pytest.raises(Restricted):
                db.delete(Root, id)
        else:
            assert db.delete(Root, id) is (id in picture.roots)
            picture.roots.discard(id)
            picture.drop(branches, leaves)
    elif action == "fell":
        leaves = {leaf for leaf, (of, _, _) in picture.leaves.items() if of == id}
        assert db.delete_many(Branch, [id]) == (id in picture.branches)
        picture.drop({id}, leaves)
    elif action == "end":
        if id in picture.roots:
            ends = rng.choice([None, datetime.now(UTC) + timedelta(hours=1), datetime(2001, 1, 1, tzinfo=UTC)])
            db.update(Root, id, ends=ends)
            if ends is not None and ends.year == 2001:
                picture.roots.discard(id)
    elif action == "pluck":
        assert db.delete(Leaf, id) is (picture.leaves.pop(id, None) is not None)
    else:
        assert db.touch(Branch, id) is (id in picture.branches)
        assert db.persist(Leaf, id) is (id in picture.leaves)


def compare(db: Any, picture: Picture, rng: random.Random) -> None:
    assert {root.id for root in db.find(Root)} == picture.roots
    branches = db.find(Branch).prefetch(Branch.root, Branch.above).all()
    assert {b.id: (b.root.id, b.above and b.above.id) for b in branches} == picture.branches
    for branch in branches:
        assert branch.root.missing is (branch.root.id not in picture.roots)
        assert branch.above is None or branch.above.missing is (branch.above.id not in picture.branches)
    found = {
        leaf.id: (leaf.branch.id, leaf.root and leaf.root.id, [o.id for o in leaf.others]) for leaf in db.find(Leaf)
    }
    assert found == picture.leaves
    id = rng.choice(IDS)
    assert db.count(Branch, Branch.root == id) == sum(of == id for of, _ in picture.branches.values())
    assert db.count(Branch, Branch.above == None) == sum(up is None for _, up in picture.branches.values())
    assert db.count(Leaf, Leaf.others.contains(id)) == sum(id in others for _, _, others in picture.leaves.values())
    for model in (Root, Branch, Leaf):
        assert db.check(model).clean


@pytest.mark.parametrize("seed", range(2))
def test_what_is_there_is_what_must_be(db: Any, seed: int) -> None:
    rng, picture = random.Random(seed), Picture()
    for n in range(120):
        step(db, picture, rng)
        if n % 8 == 7:
            compare(db, picture, rng)
