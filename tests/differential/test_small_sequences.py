"""Short sequences of commands on few keys, chosen and, where the two sides differ, shortened by Hypothesis.

``REDMODEL_LONG=1`` tries more and longer ones.
"""

from __future__ import annotations

import os
import random
import time
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.differential.both import Both
from tests.differential.random_commands import KEYS, Args, Generator, Judge

EXAMPLES, STEPS = (3000, 60) if os.environ.get("REDMODEL_LONG") else (60, 30)
CHOICES = st.randoms(use_true_random=False)
FEW = KEYS[:2]


class Sequences(RuleBasedStateMachine):
    """A real server and an engine that get the same commands; every reply is compared, and the keys at the end."""

    both: ClassVar[Both]

    @initialize()
    def begin(self) -> None:
        self.judge = Judge(self.both)
        self.generator = Generator(random.Random(0), FEW)
        for line in ("DISCARD", "UNWATCH", "SELECT 0", "FLUSHALL"):
            self.send(line.encode().split())

    def send(self, args: Args) -> None:
        real, ours = self.both.real.execute(args), self.both.ask_engine(args)
        assert self.judge.same(args, real, ours), f"{args}\n  redis  {real}\n  engine {ours}"

    def chosen(self, choices: random.Random, family: str) -> None:
        self.generator.random, self.generator.pick = choices, choices.choice
        self.send(getattr(self.generator, family)())

    @rule(choices=CHOICES)
    def strings(self, choices: random.Random) -> None:
        self.chosen(choices, "string")

    @rule(choices=CHOICES)
    def hashes(self, choices: random.Random) -> None:
        self.chosen(choices, "hash")

    @rule(choices=CHOICES)
    def lists(self, choices: random.Random) -> None:
        self.chosen(choices, "list")

    @rule(choices=CHOICES)
    def sets(self, choices: random.Random) -> None:
        self.chosen(choices, "set")

    @rule(choices=CHOICES, family=st.sampled_from(["sorted_set", "sorted_set_range", "algebra"]))
    def sorted_sets(self, choices: random.Random, family: str) -> None:
        self.chosen(choices, family)

    @rule(choices=CHOICES, family=st.sampled_from(["stream", "group"]))
    def streams(self, choices: random.Random, family: str) -> None:
        self.chosen(choices, family)

    @rule(choices=CHOICES, family=st.sampled_from(["generic", "expiry", "looks", "transaction"]))
    def keys(self, choices: random.Random, family: str) -> None:
        self.chosen(choices, family)

    @rule(key=st.sampled_from(FEW))
    def a_deadline_passes(self, key: bytes) -> None:
        self.send([b"PEXPIRE", key, b"1"])
        time.sleep(0.003)
        self.send([b"EXISTS", key])  # until somebody asks, Redis may count it

    @rule(key=st.sampled_from(FEW))
    def dump_and_restore(self, key: bytes) -> None:
        """What the engine dumps, the server restores as what it has itself."""
        if self.both.session.queue is not None:
            return  # the bytes of both are not the same
        dumped = self.both.ask_engine([b"DUMP", key])
        if dumped[0] == "$" and dumped[1] is not None:
            self.send([b"RESTORE", key, b"0", dumped[1], b"REPLACE"])

    def teardown(self) -> None:
        if hasattr(self, "judge"):
            self.send([b"DISCARD"])
            self.send([b"UNWATCH"])
            self.both.check_keyspace(databases=3)


def test_small_sequences(both: Both) -> None:
    class Machine(Sequences):
        pass

    Machine.both = both
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=not os.environ.get("REDMODEL_LONG"),
            suppress_health_check=list(HealthCheck),
        ),
    )
