"""Plans with hand-written replies: what they send, and what they make of the answers, without any server."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from redmodel.database.driver import run
from redmodel.errors import BulkError, ConnectionFailed, LayoutError, NotFound, ReplyError, UniqueViolation, WrongType
from redmodel.model import And, Order, schema_of, set_loaded
from redmodel.plan.bulk import Tally
from redmodel.plan.core import Batch, Reply
from redmodel.plan.delete import delete
from redmodel.plan.find import Selection, find_count, find_page
from redmodel.plan.get import get
from redmodel.plan.increment import increment
from redmodel.plan.program import Program
from redmodel.plan.registration import Registered
from redmodel.plan.save import save, save_many
from redmodel.plan.ttl import touch
from redmodel.procedures import DEFINE, FIND, SAVE
from tests.contract.models import Session, User, user
from tests.database.test_driver import Replies

SCHEMA = schema_of(User)
KNOWN: Registered = {SCHEMA, schema_of(Session)}


def test_the_first_save_looks_at_the_layout_and_says_what_the_keys_mean() -> None:
    executor = Replies([[], 0, 0], [1], [1])
    registered: Registered = set()
    run(save(user(1, id="1"), registered), executor)
    assert [args[:2] for args in executor.asked] == [
        (b"HGETALL", b"users@schema"),
        (b"EXISTS", b"users@ids"),
        (b"EXISTS", b"users@log"),
        (b"EVALSHA", DEFINE.sha),
        (b"EVALSHA", SAVE.sha),
    ]
    assert registered == {SCHEMA}
    again = Replies([1])
    run(save(user(2, id="2"), registered), again)
    assert len(again.asked) == 1


def test_another_layout_is_refused_before_anything_is_written() -> None:
    executor = Replies([[b"layout", b"99"], 1, 1])
    with pytest.raises(LayoutError, match="layout 99"):
        run(save(user(1), set()), executor)
    assert len(executor.asked) == 3


def test_a_loaded_record_sends_what_changed_and_nothing_else() -> None:
    record = user(1, id="1")
    set_loaded(record, SCHEMA.encode(record))
    record.name = "Grace"
    record.bio = "text"
    executor = Replies([0])
    run(save(record, KNOWN), executor)
    (args,) = executor.asked
    keys = args[3 : 3 + int(args[2])]
    assert keys == (b"users:1", b"users@ids", b"users@log", b"users@expires", b"users@name:Grace")
    argv = args[3 + len(keys) :]
    assert argv[0][8:] == b"p-"
    assert argv[1:] == (b"k 4 0 0 1 0", b"name", b"Grace", b"bio", b"text", b"name", b"=name\x1fGrace\x1e")
    executor = Replies([0])
    run(save(record, KNOWN), executor)
    assert executor.asked[0][-1] == b"k 0 0 0 0 0"  # saved: nothing differs any more


def test_a_record_that_went_is_written_whole() -> None:
    record = user(1, id="1")
    set_loaded(record, SCHEMA.encode(record))
    record.age = 50
    executor = Replies([[b"missing"]], [1])
    assert run(save(record, KNOWN), executor) is True
    assert [args[3 + int(args[2])][8:] for args in executor.asked] == [b"p-", b"w-"]


def test_refusals_are_typed_and_leave_the_record_unsaved() -> None:
    record = user(1, id="1")
    with pytest.raises(UniqueViolation) as caught:
        run(save(record, KNOWN), Replies([[b"unique", b"email", b"u1@example.org", b"7"]]))
    assert (caught.value.field, caught.value.owner) == ("email", "7")
    with pytest.raises(WrongType):
        run(save(record, KNOWN), Replies([[b"wrongtype", b"users@ids", b"string"]]))
    with pytest.raises(ReplyError, match="OOM"):
        run(save(record, KNOWN), Replies([ReplyError("OOM command not allowed")]))
    executor = Replies([1])
    run(save(record, KNOWN), executor)
    assert executor.asked[0][3 + int(executor.asked[0][2])][8:] == b"w-"


def test_bulk_gathers_refusals_by_position() -> None:
    records = [user(n, id=str(n)) for n in range(3)]
    replies: list[Reply] = [1, [b"unique", b"email", b"x", b"9"], 1]
    tally = Tally(records)
    run(save_many(records, KNOWN, tally=tally), Replies(replies))
    with pytest.raises(BulkError) as caught:
        tally.result()
    assert caught.value.done == 2
    assert [place for place, _ in caught.value.failures] == [1]


def test_bulk_sends_a_thousand_at_a_time() -> None:
    batches: list[int] = []

    class Counting(Replies):
        def execute(self, batch: Batch) -> Sequence[Reply]:
            batches.append(len(batch.commands))
            return [1] * len(batch.commands)

    tally = Tally()
    run(save_many((user(n) for n in range(2500)), KNOWN, tally=tally), Counting())
    assert tally.result() == 2500
    assert batches == [1000, 1000, 500]


def test_bulk_sends_long_records_before_a_batch_is_full() -> None:
    sizes: list[int] = []

    class Weighing(Replies):
        def execute(self, batch: Batch) -> Sequence[Reply]:
            sizes.append(sum(len(arg) for command in batch.commands for arg in command.args))
            return [1] * len(batch.commands)

    tally = Tally()
    run(save_many((user(n, bio="x" * 3_000_000) for n in range(7)), KNOWN, tally=tally), Weighing())
    assert tally.result() == 7
    assert len(sizes) == 3 and max(sizes) < 10_000_000


def test_get_reads_a_row_or_raises() -> None:
    row: list[Reply] = list(SCHEMA.encode(user(1, id="1")))
    executor = Replies([row])
    assert run(get(User, "1"), executor) == user(1, id="1")
    assert executor.asked == [(b"HMGET", b"users:1", *SCHEMA.columns)]
    with pytest.raises(NotFound):
        run(get(User, "1"), Replies([[None] * len(row)]))
    with pytest.raises(WrongType):
        run(get(User, "1"), Replies([ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")]))


def test_delete_and_touch_say_whether_there_was_a_record() -> None:
    assert run(delete(User, "1"), Replies([1])) is True
    assert run(delete(User, "1"), Replies([0])) is False
    assert run(touch(Session, "1", "model"), Replies([1])) is True
    executor = Replies([1])
    run(touch(Session, "1", None), executor)
    assert executor.asked[0][-2:] == (b"-", b"t")


def test_a_page_is_one_call_of_one_procedure() -> None:
    row: list[Reply] = list(SCHEMA.encode(user(1, id="1")))
    executor = Replies([[41, b"1000", [row], []]])
    page = run(find_page(Selection(User).where(User.age >= 21), 3, 20), executor)
    assert (page.items, page.total, page.pages, page.has_next) == ([user(1, id="1")], 41, 3, False)
    (args,) = executor.asked
    assert args[1] == FIND.sha
    assert args[3:6] == (b"users@ids", b"users@expires", b"users@age")
    assert args[6] == b"w\x1f" + SCHEMA.writer + b"\x1fage\x1erange int"
    assert args[7:10] == (b"40", b"20", b"20")
    assert args[-4:] == (b"#", b"3", b"21", b"+inf")


def test_a_count_reads_no_row() -> None:
    executor = Replies([[7, b"1000", [], []]])
    assert run(find_count(Selection(User, writes=False)), executor) == 7
    assert executor.asked[0][5:] == (b"c", b"0", b"-1", b"0", b"0", b"0", b"*")


def test_conditions_become_a_small_program() -> None:
    def program(*conditions: object) -> list[bytes]:
        return Program(SCHEMA).conditions(conditions)  # type: ignore[arg-type]

    assert program() == [b"*"]
    assert program(User.name == "x") == [b"=", b"3"]
    assert program(~~(User.name == "x")) == [b"=", b"3"]
    assert program(User.name != "x") == [b"~", b"=", b"3"]
    assert program(User.nickname == None) == [b"=", b"3"]
    assert program(User.email == "a@b") == [b"!", b"3", b"a@b"]
    assert program(User.name.in_(["x"])) == [b"=", b"3"]
    assert program(User.name.in_(["x", "y", "x"])) == [b"u", b"2", b"3", b"4"]
    assert program(User.name.in_([])) == [b"|", b"0"]
    assert program(User.age.between(3, 5)) == [b"#", b"3", b"3", b"5"]
    assert program(User.age >= 3, User.age > 3, User.age < 9) == [b"#", b"3", b"(3", b"(9"]
    assert program(User.age == 3, User.age <= 2) == [b"#", b"3", b"3", b"2"]
    nested = And((User.age > 1, And((User.name == "x", User.name == "y"))))
    assert program(nested) == [b"&", b"3", b"#", b"3", b"(1", b"+inf", b"=", b"4", b"=", b"5"]


def test_orders_name_where_they_read() -> None:
    program = Program(SCHEMA)
    assert program.orders((), by_id=True) == [b"@", b"", b"a"]
    assert program.orders((Order("age"), Order("score", True))) == [b"#", b"3", b"a", b"?", b"4", b"d"]
    assert program.orders((Order("name", True),)) == [b"$", b"name", b"d"]


def test_a_lost_increment_is_recalled_or_told_and_never_sent_twice() -> None:
    lost = ConnectionFailed("gone")
    asked: list[tuple[bytes, ...]] = []

    class Losing(Replies):
        """Loses the reply; then shows the log that the amount was added under."""

        def execute(self, batch: Batch) -> Sequence[Reply]:
            asked.extend(command.args for command in batch.commands)
            if batch.commands[0].args[0] == b"EVALSHA":
                assert not batch.resend
                raise lost
            nonce = asked[0][3 + int(asked[0][2])]
            return [(nonce if self.replies else b"another!") + b"u", [b"42", None]]

    assert run(increment(User, "1", {"age": 1}), Losing([])) == 42
    with pytest.raises(ConnectionFailed, match="doesn't tell"):
        run(increment(User, "1", {"age": 1}), Losing())
    assert [args[0] for args in asked] == [b"EVALSHA", b"HGET", b"HMGET"] * 2
