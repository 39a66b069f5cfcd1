"""Saving records: what is sent for one record, how refusals are told, and saving many in bounded batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar, cast

from redmodel.errors import QueryError, RedModelError, ReplyError
from redmodel.model import Entry, Model, Schema, loaded_values, loaded_version, schema_of, set_loaded
from redmodel.plan.bulk import Tally
from redmodel.plan.commands import procedure
from redmodel.plan.conflicts import (
    TRIES,
    Moved,
    catch_up,
    field_guards,
    moved_to,
    new_version,
    refuse_moved,
    version_guard,
)
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.hooks import after, before
from redmodel.plan.refusal import refused
from redmodel.plan.registration import Registered, register
from redmodel.procedures import SAVE
from redmodel.procedures.entries import VALUED, entry_key

M = TypeVar("M", bound=Model)
R = TypeVar("R")
OnlyIf: TypeAlias = Literal["new", "exists"] | None
Guarding: TypeAlias = Literal["none", "changed", "all"]

BATCH = 1000
"""Records that travel in one batch of a bulk verb."""

BATCH_BYTES = 8_000_000
"""Bytes of values after which a batch is sent before it is full, so that long records take no more memory."""

_ONLY = {None: b"-", "new": b"n", "exists": b"x"}


def write_command(
    schema: Schema[M],
    source: M,
    id: bytes,
    changes: Sequence[tuple[int, bytes | None]],
    ttl: int | None | Literal["keep"],
    only_if: OnlyIf,
    *,
    whole: bool,
    replacing: bool = False,
    version: bytes = b"",
    guards: Sequence[tuple[bytes, bytes]] = (),
) -> Command[Reply]:
    """The one command that writes some fields of a record, or all; ``source`` holds their values for the indexes.

    ``guards`` are columns and what they must hold, or the reply says that the record has moved.
    """
    names = schema.stored_names
    pairs: list[bytes] = []
    cleared: list[bytes] = []
    for position, value in changes:
        if position in schema.former:
            cleared += schema.former[position]
        if value is None:
            cleared.append(names[position])
        else:
            pairs += (names[position], value)
    paths: list[bytes] = []
    entries: list[Entry] = []
    if whole:
        entries = schema.entries(source)
    else:
        changed = {position for position, _ in changes}
        for index in schema.indexes:
            if not changed.isdisjoint(index.positions):
                paths.append(index.path_bytes)
                entries += index.entries(source)
    expiring: list[bytes] = []
    if schema.field_ttls:
        written = dict(changes)
        for position, ttl_ms in schema.field_ttls:
            column = names[position] + b"@expires"
            if position not in written:
                continue
            if written[position] is None:
                cleared.append(column)
            else:
                expiring += (column, b"%d" % ttl_ms)
    keys = [schema.key(id), schema.ids_key, schema.log_key, schema.expires_key]
    life = schema.life(source, None if whole else {position for position, _ in changes}, ttl)
    counts = b"%b %d %d %d %d %d" % (life, len(pairs), len(cleared), len(expiring), len(paths), 2 * len(guards))
    mode = (b"r" if replacing else b"w" if whole else b"p") + _ONLY[only_if]
    demands = [word for guard in guards for word in guard]
    argv: list[bytes] = [schema.nonce() + mode + version, counts, *pairs, *cleared, *expiring, *paths, *demands]
    side = schema.side
    for kind, path, token, score in entries:
        argv.append(kind + path + b"\x1f" + token + b"\x1e")
        keys.append(entry_key(side, kind, path, token))
        if kind in VALUED:
            argv.append(score)
    return procedure(SAVE, keys, argv)


def time_to_live(
    schema: Schema[Any], known: object, ttl: int | None | Literal["model"]
) -> int | None | Literal["keep"]:
    """The time to live that a record is saved with; ``known`` is not None if it is there."""
    if ttl != "model":
        if schema.expires_at is not None:
            name = schema.fields[schema.expires_at].name
            raise QueryError(f"{schema.name}.{name} is when its records expire: set it, and save without ttl")
        return ttl
    if schema.ttl_ms is not None:
        return schema.ttl_ms
    return None if known is None else "keep"


class Prepared(NamedTuple):
    """One record ready to be saved: what its fields will hold, and the command; ``partial`` if only changes travel.

    ``version`` is what it will have, empty if it keeps the one that it has.
    """

    schema: Schema[Any]
    obj: Model
    values: list[bytes | None]
    command: Command[Reply]
    partial: bool
    version: bytes

    def accept(self, reply: Reply) -> bool:
        """Read the reply: True if the record was created; raises what the reply refuses."""
        if isinstance(reply, ReplyError):
            raise reply
        if isinstance(reply, int):
            set_loaded(self.obj, self.values, self.version or loaded_version(self.obj))
            return reply == 1
        if (moved := self.moved(reply)) is not None:
            raise refuse_moved(self.schema, self.obj, moved)
        raise refused(self.schema, self.obj, self.schema.id_value(self.obj), cast("list[bytes]", reply))

    def moved(self, reply: Reply) -> Moved | None:
        """What the record is now, if the reply says that the command was built on something else."""
        return moved_to(self.schema, self.schema.id_of(self.obj), reply)


def prepare(
    obj: Model,
    ttl: int | None | Literal["model"] = "model",
    only_if: OnlyIf = None,
    *,
    whole: bool = False,
    replacing: bool = False,
    guarding: Guarding = "none",
    raw: Sequence[bytes | None] | None = None,
) -> Prepared:
    """Make a record ready to be saved: the changes of one that was loaded, else the whole record.

    Of a versioned model, one that was loaded must have its version still, and another one must be new.

    Args:
        guarding: of a model without versions: demand that the ``"changed"`` fields, or ``"all"``, hold what was loaded.
        raw: the fields as they are in the hash, where that is known better than from loading.
    """
    schema: Schema[Any] = schema_of(obj)
    still = schema.still(obj)
    id = schema.id_of(still)
    values = schema.encode(still)
    known = loaded_values(obj)
    if known is not None and (only_if == "new" or known[0] != values[0]):
        known = None  # another id makes it another record
    version, guards = new_version(schema), list[tuple[bytes, bytes]]()
    if schema.versioned and known is not None:
        guards = [version_guard(loaded_version(obj))]
    elif schema.versioned and only_if is None and not whole:
        only_if = "new"
    if whole:
        known = None
    if known is None:
        changes = list(enumerate(values))
    else:
        changes = changes_of(schema, known, values)
        if not changes:
            version, guards = b"", []
        elif not schema.versioned:
            changed = {position for position, _ in changes if position < len(schema.fields)}
            demanded = schema.siblings(changed)
            if guarding != "none":
                demanded |= changed if guarding == "changed" else set(range(1, len(schema.fields)))
            guards = field_guards(schema, demanded, known if raw is None else raw) if demanded else []
    life = time_to_live(schema, known, ttl)
    command = write_command(
        schema,
        still,
        id,
        changes,
        life,
        only_if,
        whole=known is None,
        replacing=replacing,
        version=version,
        guards=guards,
    )
    return Prepared(schema, obj, values, command, known is not None, version)


def changes_of(
    schema: Schema[Any], known: Sequence[bytes | None], values: Sequence[bytes | None]
) -> list[tuple[int, bytes | None]]:
    """What differs from what is known to be stored, with the computed fields that follow from it and no others."""
    pairs = enumerate(zip(known, values[: len(schema.fields)], strict=False))
    changes = [(position, value) for position, (before, value) in pairs if value != before]
    if changes and schema.computed:
        changed = {position for position, _ in changes}
        changes += [(position, values[position]) for position in schema.follows(changed)]
    return changes


def is_gone(ready: Prepared, only_if: OnlyIf, reply: Reply) -> bool:
    """Whether a record that was loaded has gone since: it is written whole then, so that no half record ever stands."""
    return (
        ready.partial
        and only_if is None
        and not ready.schema.versioned
        and isinstance(reply, list)
        and reply[0] == b"missing"
    )


def check_only_if(only_if: OnlyIf) -> None:
    """Refuse another word than the two that there are."""
    if only_if not in _ONLY:
        raise QueryError(f"only_if is 'new', 'exists' or None, not {only_if!r}")


def save(
    obj: Model,
    registered: Registered,
    ttl: int | None | Literal["model"] = "model",
    only_if: OnlyIf = None,
) -> Plan[bool]:
    """Save one record: one round trip (one more for a handle's first save of a model)."""
    check_only_if(only_if)
    saving = save_unhooked(obj, registered, ttl, only_if)
    return (yield from (saving if schema_of(obj).hooks is None else hooked(obj, saving)))


def hooked(obj: Model, saving: Plan[R]) -> Plan[R]:
    """Save a record by this plan, between the hooks of its model."""
    hooks = schema_of(obj).hooks
    if hooks is not None:
        yield from before(obj, hooks, hooks.before_save, (obj,))
    result = yield from saving
    if hooks is not None:
        yield from after(hooks.after_save, (obj,))
    return result


def save_unhooked(
    obj: Model, registered: Registered, ttl: int | None | Literal["model"], only_if: OnlyIf
) -> Plan[bool]:
    """Save one record, whatever its model's hooks: one round trip."""
    ready = prepare(obj, ttl, only_if)
    if ready.schema not in registered:
        yield from register(ready.schema, registered)
    (reply,) = yield Batch((ready.command,))
    for _ in range(TRIES):
        moved = None if ready.schema.versioned else ready.moved(reply)
        if moved is not None:
            ready = caught_up(ready, moved, ttl, only_if)
        elif is_gone(ready, only_if, reply):
            ready = prepare(obj, ttl, whole=True)
        else:
            break
        (reply,) = yield Batch((ready.command,))
    return ready.accept(reply)


def caught_up(
    ready: Prepared,
    moved: Moved,
    ttl: int | None | Literal["model"],
    only_if: OnlyIf,
    *,
    guarding: Guarding = "none",
) -> Prepared:
    """A save made anew after others changed fields that it builds on; the object shows those then."""
    known = loaded_values(ready.obj)
    assert known is not None
    mine = {position for position, _ in changes_of(ready.schema, known, ready.values)}
    catch_up(ready.schema, ready.obj, moved, mine)
    return prepare(ready.obj, ttl, only_if, guarding=guarding, raw=moved.raw)


def save_many(
    objects: Iterable[M],
    registered: Registered,
    ttl: int | None | Literal["model"] = "model",
    only_if: OnlyIf = None,
    tally: Tally | None = None,
) -> Plan[None]:
    """Save records of any number: a round trip for each thousand, or for each 8 MB of long ones.

    Each record is atomic by itself. What is refused stands in the tally; the others are written.
    """
    check_only_if(only_if)
    tally = tally or Tally()
    source = iter(objects)
    while not tally.over and (chunk := list(islice(source, BATCH))):
        prepared: list[tuple[int, Prepared]] = []
        size = 0
        for at, obj in enumerate(chunk, 1):
            schema: Schema[M] = schema_of(obj)
            if schema not in registered:
                yield from register(schema, registered)
            if schema.hooks is not None:
                yield from before(obj, schema.hooks, schema.hooks.before_save, (obj,))
            try:
                ready = prepare(obj, ttl, only_if)
            except RedModelError as error:
                tally.refuse(tally.seen, error)
            else:
                prepared.append((tally.seen, ready))
                size += sum(map(len, filter(None, ready.values)))
            tally.seen += 1
            if size > BATCH_BYTES or at == len(chunk):
                yield from _send(prepared, registered, ttl, only_if, tally)
                prepared, size = [], 0
        tally.tell()


def _send(
    prepared: list[tuple[int, Prepared]],
    registered: Registered,
    ttl: int | None | Literal["model"],
    only_if: OnlyIf,
    tally: Tally,
) -> Plan[None]:
    """Send some records as one batch, and read what came of each."""
    if not prepared:
        return
    replies = yield Batch(tuple([ready.command for _, ready in prepared]))
    saved: list[Model] = []
    for (place, ready), reply in zip(prepared, replies, strict=True):
        try:
            gone = is_gone(ready, only_if, reply)
            if gone or (not ready.schema.versioned and ready.moved(reply) is not None):
                if gone:
                    set_loaded(ready.obj, None)
                yield from save_unhooked(ready.obj, registered, ttl, only_if)
            else:
                ready.accept(reply)
            tally.done += 1
        except RedModelError as error:
            tally.refuse(place, error)
        else:
            saved.append(ready.obj)
    for each in saved:
        if (hooks := schema_of(each).hooks) is not None:
            yield from after(hooks.after_save, (each,))
