"""Several writes as one: what a transaction gathers, and how it is sent, recognised, refused and remembered."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from os import urandom
from typing import Any, NamedTuple, TypeVar, cast

from redmodel.errors import ConnectionFailed, NotFound, QueryError, RedModelError, ReplyError
from redmodel.model import KEYSPACE, VERSION, Model, Schema, loaded_version, rules_of, schema_of, set_loaded
from redmodel.plan.cascade import delete_command
from redmodel.plan.commands import as_raw, procedure
from redmodel.plan.conflicts import moved_to, new_version, refuse_moved, stale, version_guard
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.get import each_id, find_by_id
from redmodel.plan.hooks import after, before
from redmodel.plan.increment import counted
from redmodel.plan.refusal import refused, wrong_type
from redmodel.plan.registration import Registered, register
from redmodel.plan.save import OnlyIf, check_only_if, prepare, write_command
from redmodel.plan.ttl import Milliseconds, Ttl, lifetime, milliseconds
from redmodel.plan.update import place_of
from redmodel.procedures import TRANSACT

M = TypeVar("M", bound=Model)

LIMIT = 1000
"""Operations that a transaction may hold: the server does nothing else while it runs."""

WORDS = 500_000
"""Keys and arguments that a transaction may have; Redis takes a million in one command."""

_DONE = {b"s": "saved", b"u": "updated", b"i": "incremented", b"t": "touched", b"d": "deleted", b"w": "read"}
_VERBS = {b"s": "save", b"u": "update", b"i": "increment", b"t": "touch", b"d": "delete", b"w": "get"}
_MIXED = (b"u", b"i", b"t")  # kinds of which several may meet in one record


class Operation(NamedTuple):
    """One operation: its kind, the command that its own verb would send, and who reads the reply to that."""

    kind: bytes
    schema: Schema[Any]
    record: Model | type[Model]
    id: object
    command: Command[Reply]
    accept: Callable[[Reply], object]
    named: Mapping[str, Any] = {}
    """The fields that are changed or counted."""
    again: Any = None
    """Makes a save anew from the record as it is now; True: whole, as the record that it was loaded from is gone."""

    @property
    def words(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """Its keys and its arguments."""
        args = self.command.args
        last = 3 + int(args[2])
        return args[3:last], args[last:]

    def __str__(self) -> str:
        return f"{_VERBS[self.kind]} of {self.schema.name} {self.id!r}"


def _saving(record: Model, ttl: Milliseconds, only_if: OnlyIf, *, whole: bool = False) -> Operation:
    def again(gone: bool) -> Operation:
        return _saving(record, ttl, only_if, whole=gone)

    ready = prepare(record, ttl, only_if, whole=whole)
    return Operation(
        b"s",
        ready.schema,
        record,
        ready.schema.id_value(record),
        ready.command,
        ready.accept,
        again=again,
    )


def _watching(record: Model, nonce: bytes) -> Operation:
    schema: Schema[Any] = schema_of(record)
    raw = schema.id_of(record)
    keys = (schema.key(raw), schema.ids_key, schema.log_key, schema.expires_key)
    watch: Command[Reply] = procedure(TRANSACT, keys, (raw, nonce))
    return Operation(b"w", schema, record, schema.id_value(record), watch, _as_it_is)


def _as_it_is(reply: Reply) -> Reply:
    return reply


class Operations:
    """The writes of one transaction: each verb checks what it is given and adds to them; nothing is sent."""

    def __init__(self, keyspace: object) -> None:
        self._keyspace = keyspace
        self._operations: list[Operation] = []
        self._places: dict[bytes, dict[bytes, int]] = {}
        self._words = 0
        self._over = False
        self.deleted = 0
        """Records that were there to be deleted."""

    def save(self, record: Model, *, ttl: Ttl = "model", only_if: OnlyIf = None) -> None:
        """Save a record as it is now, as ``db.save`` does; saving it again in the transaction replaces that."""
        check_only_if(only_if)
        with self._here():
            saving = _saving(record, milliseconds(ttl), only_if)
        self._add(b"s", saving)

    def update(self, record: Model | type[Model], id: Any = None, /, **changes: Any) -> None:
        """Write some fields of a record, at hand or by model and id, as ``db.update`` does."""
        earlier = self._earlier(record, id, b"u")
        changes = {**(earlier.named if earlier else {}), **changes}
        schema, raw, id = place_of(record, id)
        if not changes:
            raise QueryError(f"update() of {schema.name} names no field to change")
        part, stored = schema.part(changes)
        if schema.siblings({position for position, _ in stored}):
            raise QueryError(
                f"{schema.name}: {', '.join(changes)} are unique or indexed together with others: load the record, "
                f"change it, and save it in the transaction"
            )
        version = new_version(schema)
        known = None if isinstance(record, type) else self._loaded(record)
        guards = [version_guard(known)] if schema.versioned and known is not None else []
        command = write_command(
            schema, part, raw, stored, "keep", "exists", whole=False, version=version, guards=guards
        )

        def accept(reply: Reply) -> None:
            if (moved := moved_to(schema, raw, reply)) is not None:
                raise stale(schema, id, ()) if isinstance(record, type) else refuse_moved(schema, record, moved)
            if not isinstance(reply, int):
                raise refused(schema, part, id, cast("list[bytes]", reply))
            if not isinstance(record, type):
                schema.take(record, part.__dict__, dict(stored), (loaded_version(record) or b"", version))

        self._add(b"u", Operation(b"u", schema, record, id, command, accept, named=changes))

    def increment(self, record: Model | type[Model], id: Any = None, /, **amount: float) -> None:
        """Add to one number of a record, as ``db.increment`` does; a record at hand shows the new value afterwards."""
        slot = b"i" + next(iter(amount), "").encode()
        earlier = self._earlier(record, id, slot)
        if earlier is not None:
            amount = {name: more + earlier.named[name] for name, more in amount.items()}
        count = counted(record, id, amount)

        self._add(slot, Operation(b"i", count.schema, record, count.id, count.command, count.accept, named=amount))

    def touch(self, record: Model | type[Model], id: Any = None, /, *, ttl: Ttl = "model") -> None:
        """Give a record a new time to live, as ``db.touch`` does; one that is gone refuses the transaction."""
        schema, raw, id = place_of(record, id)
        keys = (schema.key(raw), schema.ids_key, schema.log_key, schema.expires_key)
        command: Command[Reply] = procedure(TRANSACT, keys, (raw, lifetime(schema, milliseconds(ttl))))
        self._add(b"t", Operation(b"t", schema, record, id, command, _as_it_is))

    def delete(self, record: Model | type[Model], id: Any = None, /) -> None:
        """Delete a record, as ``db.delete`` does; one that is gone already is no error."""
        schema, raw, id = place_of(record, id)

        if rules_of(schema) is not None:
            raise QueryError(
                f"other models refer to {schema.name} with on_delete, which db.delete() looks after: "
                f"delete {id!r} outside of the transaction"
            )
        version = None if isinstance(record, type) else self._loaded(record)

        def accept(reply: Reply) -> None:
            if (moved := moved_to(schema, raw, reply)) is not None:
                raise stale(schema, id, ()) if isinstance(record, type) else refuse_moved(schema, record, moved)
            if isinstance(reply, list):
                raise wrong_type(*cast("list[bytes]", reply)[1:])
            if not isinstance(record, type):
                set_loaded(record, None)

        self._add(b"d", Operation(b"d", schema, record, id, delete_command(schema, raw, version), accept))

    def _loaded(self, record: Model) -> bytes | None:
        """The version of a record of a versioned model that was loaded from where this is sent to."""
        with self._here():
            return loaded_version(record)

    @contextmanager
    def _here(self) -> Generator[None, None, None]:
        token = KEYSPACE.set(self._keyspace)
        try:
            yield
        finally:
            KEYSPACE.reset(token)

    def _end(self) -> None:
        """Take no more operations: nobody would send them."""
        self._over = True

    def __len__(self) -> int:
        return len(self._operations)

    def _earlier(self, record: Model | type[Model], id: object, slot: bytes) -> Operation | None:
        schema, raw, _ = place_of(record, id)
        found = self._places.get(schema.key(raw), {}).get(slot)
        return None if found is None else self._operations[found]

    def _add(self, slot: bytes, operation: Operation) -> None:
        if self._over:
            raise QueryError(f"this transaction is over: the {operation} would never be sent")
        slots = self._places.setdefault(operation.command.args[3], {})
        for other in slots:
            _check_pair(operation, self._operations[slots[other]], same=other == slot)
        at = slots.setdefault(slot, len(self._operations))
        if at == len(self._operations):
            self._operations.append(operation)
        else:
            self._words -= len(self._operations[at].command.args)
            self._operations[at] = operation
        self._words += len(operation.command.args)
        if len(self._operations) > LIMIT or self._words > WORDS:
            raise QueryError(
                f"a transaction holds at most {LIMIT:,} operations and {WORDS:,} values, as the server does nothing "
                f"else meanwhile: part it, or use save_many() or delete_many(), where each record is atomic by itself"
            )

    def _read(self, model: type[M], id: object) -> Plan[M]:
        """Load a record that nobody else may have changed when the transaction is sent: one round trip, at once."""
        schema: Schema[M] = schema_of(model)
        log: Command[Reply] = Command((b"HGET", schema.log_key, schema.id_bytes(id)), as_raw)
        finding = find_by_id(model, id)
        batch = next(finding)
        # The log first: a write in between is seen as a change.
        entry, *replies = yield Batch((log, *batch.commands))
        record: M | None = None
        try:
            finding.send(replies)
        except StopIteration as stop:
            record = stop.value
        if record is None:
            raise NotFound(f"there is no {schema.name} {id!r}", model=schema.name, id=id)
        self._add(b"w", _watching(record, entry[:8] if isinstance(entry, bytes) else b""))
        return record

    def _commit(self, registered: Registered) -> Plan[None]:
        """Send all: one round trip; one or two more where a record that was loaded is gone, or a hook loads records."""
        hooked = yield from self._run_hooks()
        for schema in dict.fromkeys(each.schema for each in self._operations if each.kind in b"su"):
            if schema not in registered:
                yield from register(schema, registered)
        if self._operations:
            for each, reply in zip(self._operations, (yield from self._write()), strict=True):
                self.deleted += each.kind == b"d" and reply == 1
                if not isinstance(reply, list) or reply[1] is not None:  # None: counted, and deleted by another since
                    each.accept(reply)
        for names, record in hooked:
            yield from after(names, (record,))

    def _run_hooks(self) -> Plan[list[tuple[Iterable[str], Model]]]:
        """Run the hooks before saves and deletes; gives those to run afterwards, each with its record."""
        found: list[tuple[Iterable[str], Model]] = []
        for at, each in enumerate(self._operations):
            hooks = each.schema.hooks
            if hooks is None or each.kind not in b"sd":
                continue
            record = each.record
            if isinstance(record, type):
                if not hooks.of_deletes:
                    continue
                loaded = yield from find_by_id(record, each.id)
                if loaded is None:
                    continue
                record = loaded
            saving = each.again
            yield from before(record, hooks, hooks.before_save if saving else hooks.before_delete, (record,))
            if saving:
                self._operations[at] = saving(False)
            found.append((hooks.after_save if saving else hooks.after_delete, record))
        return found

    def _write(self) -> Plan[list[Reply]]:
        tries = 3
        while True:
            tries -= 1
            reply = yield from self._send()
            number, told, *rest = cast("list[Any]", reply)
            if not number:
                return cast("list[Reply]", told)
            gone = [n - 1 for n in rest[0] if self._is_partial(n - 1)]
            if not tries or told[0] != b"missing" or number - 1 not in gone:
                raise self._refusal(number - 1, told)
            for at in gone:
                again = cast("Any", self._operations[at]).again
                self._operations[at] = again(True)

    def _is_partial(self, at: int) -> bool:
        each = self._operations[at]
        return each.again is not None and each.words[1][0][8:] == b"p-"

    def _send(self) -> Plan[Reply]:
        nonce = urandom(5)  # the other bytes of each are its schema's
        keys: list[bytes] = []
        argv: list[bytes] = []
        for each in self._operations:
            own, args = each.words
            kind = b"s" if each.kind == b"u" else each.kind
            if kind in b"si":
                args = (nonce + args[0][5:], *args[1:])
            argv.append(b"%b %d %d" % (kind, len(own), len(args)))
            argv += args
            keys += own
        counts = any(each.kind == b"i" for each in self._operations)
        try:
            (reply,) = yield Batch((procedure(TRANSACT, keys, argv),), resend=not counts)
        except ConnectionFailed:
            if not counts:
                raise
            return (yield from self._recall(nonce))
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def _recall(self, nonce: bytes) -> Plan[Reply]:
        """After a broken connection: the replies as far as they matter, if a record shows that all was written."""
        logs: list[Command[Reply]] = []
        fields: list[Command[Reply]] = []
        for each in self._operations:
            (record, ids, log, *_), args = each.words
            logs.append(Command((b"HGET", log, record[len(ids) - 3 :]), as_raw))
            fields.append(Command((b"HMGET", record, args[1] if each.kind == b"i" else b"", VERSION), as_raw))
        replies = yield Batch((*logs, *fields))
        if any(isinstance(log, bytes) and log[:5] == nonce for log in replies[: len(logs)]):
            rows = cast("Sequence[list[bytes | None]]", replies[len(logs) :])
            return [
                0,
                [
                    [b"done", row[0], (row[1] or b"")[16:]] if each.kind == b"i" else 0
                    for each, row in zip(self._operations, rows, strict=True)
                ],
            ]
        raise ConnectionFailed(
            "the connection broke while a transaction was sent, and its records don't tell whether it was written: "
            "load them, and try again if need be"
        )

    def _refusal(self, at: int, told: list[bytes]) -> Exception:
        """The error of the verb itself, which says in its text and in ``operation`` which operation it was."""
        each = self._operations[at]
        error: Exception
        if told[0] == b"changed":
            error = stale(each.schema, each.id, ())
        elif each.kind in b"tw":
            if told[0] == b"missing":
                error = NotFound(f"there is no {each.schema.name} {each.id!r}", model=each.schema.name, id=each.id)
            else:
                error = wrong_type(told[1], told[2])
        else:
            error = _raised(each, told)
        if isinstance(error, RedModelError):
            error.operation = at
        text = f"operation {at + 1} of {len(self._operations)}, the {each}, was refused, so nothing was written: "
        error.args = (text + str(error), *error.args[1:])
        return error


def _raised(operation: Operation, told: list[bytes]) -> Exception:
    try:
        operation.accept(cast("Reply", told))
    except RedModelError as error:
        return error
    raise AssertionError(told)


def _check_pair(new: Operation, old: Operation, *, same: bool) -> None:
    """Refuse two operations on one record whose outcome nobody could tell from reading the block."""
    if b"w" in (new.kind, old.kind):
        return
    if same:
        if new.kind != b"s" or new.record is old.record:
            return
        why = "another object of it is saved already"
    elif new.kind in _MIXED and old.kind in _MIXED and not new.schema.versioned:
        both = sorted({*new.named} & {*old.named})
        if not both:
            return
        why = f"its {both[0]} is {_DONE[old.kind]} already"
    else:
        why = f"it is {_DONE[old.kind]} already"
    raise QueryError(
        f"{new.schema.name} {new.id!r} can't be {_DONE[new.kind]} in this transaction: {why}. "
        f"Change the object first and save it once, or use two transactions"
    )


def save_together(
    records: Iterable[Model], keyspace: object, registered: Registered, ttl: Ttl, only_if: OnlyIf
) -> Plan[int]:
    """Save all these records or none, as one transaction; how many."""
    operations = Operations(keyspace)
    for record in records:
        operations.save(record, ttl=ttl, only_if=only_if)
    yield from operations._commit(registered)  # pyright: ignore[reportPrivateUsage]
    return len(operations)


def delete_together(model: type[Model], ids: Iterable[object], keyspace: object, registered: Registered) -> Plan[int]:
    """Delete all these records, or those with these ids, as one transaction; how many were there."""
    operations = Operations(keyspace)
    for id in each_id(model, ids):
        operations.delete(model, id)
    yield from operations._commit(registered)  # pyright: ignore[reportPrivateUsage]
    return operations.deleted
