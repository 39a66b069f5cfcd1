"""Every type of value is known wherever values are told apart."""

from __future__ import annotations

from collections import deque

from redmodel.engine.engine import Engine
from redmodel.engine.storage.dump import dump
from redmodel.engine.values.encodings import Limits, encoding
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream
from redmodel.engine.values.types import TYPE_NAMES, Value, copied
from tests.engine.memory import Shell

TIMED = ExpiringHash({b"f": b"v", b"g": b"w"})
TIMED.set_deadline(b"f", 4_102_444_800_000)
VALUES: list[Value] = [b"v", deque([b"a", b"b"]), {b"a"}, SortedSet({b"a": 1.0}), {b"f": b"v"}, TIMED, Stream()]


def test_every_type_has_an_example_here() -> None:
    assert {type(value) for value in VALUES} == TYPE_NAMES.keys()


def test_every_type_can_be_copied_named_and_dumped() -> None:
    engine = Engine()
    run = Shell(engine)
    for number, value in enumerate(VALUES):
        twin = copied(value)
        assert type(twin) is type(value)
        assert type(value) is bytes or twin is not value
        assert encoding(value, Limits())
        engine.databases[0].put(b"k%d" % number, value)
        assert run(f"TYPE k{number}") == TYPE_NAMES[type(value)]
    again = Engine()
    session = Shell(again).session
    for _, args in dump(engine.databases):
        again.execute(session, args)
    for key, value in engine.databases[0].values.items():
        twin = again.databases[0].values[key]
        assert type(value) is type(twin)
        assert getattr(value, "scores", value) == getattr(twin, "scores", twin)
        assert getattr(value, "deadlines", None) == getattr(twin, "deadlines", None)
