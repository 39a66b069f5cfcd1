"""The procedures' own scripts, run by the engine's Lua: the same replies and keyspaces as their native twins."""

from __future__ import annotations

import random

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.procedures import ALL, SAVE
from tests.engine.memory import Clock
from tests.procedures.test_twins import READS, Twin, an_operation, keyspace, tidy


class Interpreted(Twin):
    """An engine that knows the scripts, and not their twins."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.session = Session()
        for procedure in ALL:
            source = procedure.source.encode() if isinstance(procedure.source, str) else procedure.source
            assert self.engine.execute(self.session, [b"SCRIPT", b"LOAD", source]) == procedure.sha


@pytest.mark.parametrize("seed", range(3))
def test_the_script_and_the_twin_do_the_same_in_the_engine(seed: int) -> None:
    interpreted, twin = Interpreted(), Twin()
    clock = Clock(1_700_000_000_000)
    for one in (interpreted, twin):
        one.engine._context.clock = clock
    rng = random.Random(100 + seed)
    for step in range(400):
        operation = an_operation(rng)
        clock.now += 3
        if operation == (b"EVICT-STRINGS",):
            continue
        expected, found = interpreted(*operation), twin(*operation)
        if operation[:2] in READS and ("error", "WRONGTYPE") in (expected, found):
            continue
        told = {
            reply[0] for reply in (found, expected) if isinstance(reply, list) and reply and isinstance(reply[0], bytes)
        }
        if operation[1:2] != (SAVE.sha,) or b"wrongtype" not in told or not told <= {b"wrongtype", b"unique"}:
            assert tidy(found, clock.now) == tidy(expected, clock.now), f"seed {seed}, step {step}: {operation}"
        same = keyspace(twin, clock.now) == keyspace(interpreted, clock.now)
        assert same, f"seed {seed}, step {step}: after {operation}"
