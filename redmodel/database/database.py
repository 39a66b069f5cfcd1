"""The blocking handle. Each verb is one line that runs a plan; what the verbs decide stands in ``redmodel.plan``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from redmodel.database.backend import Backend, open_backend
from redmodel.database.bulk import run_bulk
from redmodel.database.driver import Executor, Refusing, run
from redmodel.database.editing import Edit
from redmodel.database.item_verbs import ItemVerbs
from redmodel.database.pacing import run_paced
from redmodel.database.query import Query
from redmodel.database.scan import Scan
from redmodel.database.settling import Settling
from redmodel.database.sweeping import Sweeper
from redmodel.database.transaction import Transaction
from redmodel.errors import QueryError
from redmodel.model import Condition, Link, Model
from redmodel.model.refs import Reference
from redmodel.plan import delete as deletes
from redmodel.plan import edit as edits
from redmodel.plan import get as gets
from redmodel.plan import increment as increments
from redmodel.plan import prefetch as links
from redmodel.plan import save as saves
from redmodel.plan import status as statuses
from redmodel.plan import transaction as together
from redmodel.plan import ttl as ttls
from redmodel.plan import update as updates
from redmodel.plan import upsert as upserts
from redmodel.plan.bulk import Told
from redmodel.plan.check import Progress, Walk
from redmodel.plan.check_report import CheckReport
from redmodel.plan.find import Selection, find_count
from redmodel.plan.registration import Registered
from redmodel.plan.save import OnlyIf
from redmodel.plan.scanning import Scanning
from redmodel.plan.status import StatusReport, SyncReport
from redmodel.plan.sync import Progress as SyncProgress
from redmodel.plan.sync import Sync
from redmodel.plan.ttl import Ttl, milliseconds

if TYPE_CHECKING:
    import redis

M = TypeVar("M", bound=Model)


class Database(ItemVerbs):
    """A handle on one keyspace, blocking: on Redis, or on the embedded engine when no server is named.

    Args:
        source: a URL (``redis:// rediss:// unix:// embedded:// memory://``), or a ``redis.Redis`` or fakeredis client.
            Without one: the environment's ``REDMODEL_URL``, else an embedded store in ``./redmodel-data``.
        retry_seconds: how long a broken connection is tried again before ConnectionFailed; 10 by default.
        timeout: seconds to wait for a reply; 10 by default.
        read_only: never write, not even to clear what expired, and refuse the verbs that do with ReadOnly: for
            replicas and read-only users.

    A handle may be shared by threads. It connects when it is first used.

    >>> from redmodel import Database, Model
    >>> class Note(Model, prefix="database-notes"):
    ...     text: str
    >>> with Database("memory://") as db:
    ...     note = Note(text="hello")
    ...     created = db.save(note)
    ...     db.get(Note, note.id).text
    'hello'
    """

    def __init__(
        self,
        source: str | redis.Redis | None = None,
        *,
        retry_seconds: float | None = None,
        timeout: float | None = None,
        read_only: bool = False,
    ) -> None:
        self._backend: Backend = open_backend(source, retry_seconds=retry_seconds, timeout=timeout)
        self._read_only = read_only or self._backend.read_only
        self._registered: Registered = set()
        self._executor = Settling(self._backend.executor, self._registered, writes=not self._read_only)
        self._writer: Executor = Refusing() if self._read_only else self._executor
        self._slides = not self._read_only

    @property
    def client(self) -> redis.Redis:
        """A redis-py client on the same keyspace, on every back end: for locks, pub/sub and other libraries."""
        return self._backend.client()

    def save(self, record: Model, *, ttl: Ttl = "model", only_if: OnlyIf = None) -> bool:
        """Save a record and its index entries as one atomic step: one round trip.

        Args:
            record: a new record, written whole; or one that was loaded or saved before, of which the changed fields are
                sent, so that concurrent changes of its other fields survive.
            ttl: time to live as a timedelta or in seconds; None for none. By default the model's ``ttl``, counted
                anew; a record of a model without one keeps what it has.
            only_if: ``"new"`` or ``"exists"``.

        Returns:
            True if the record was created, False if it was there.

        Raises:
            EncodingError, UniqueViolation, AlreadyExists, NotFound, WrongType: and nothing was written.
        """
        return run(saves.save(record, self._registered, milliseconds(ttl), only_if), self._writer)

    def save_many(
        self,
        records: Iterable[Model],
        *,
        ttl: Ttl = "model",
        only_if: OnlyIf = None,
        atomic: bool = False,
        progress: Told | None = None,
    ) -> int:
        """Save records of any number, each atomic by itself: a round trip for each thousand; returns how many.

        Args:
            records: from any iterable, which is read a batch at a time; with an `AsyncDatabase` also an async one.
            ttl: as `save` takes it.
            only_if: ``"new"`` or ``"exists"``.
            atomic: all or none, as one `transaction`, so at most 1,000 records.
            progress: called after each batch with how many are done, and of how many, None if the iterable has no
                length; if it returns False, the work stops.

        Raises:
            BulkError: when some were refused, after the others were written; ``failures`` has position and error.
            QueryError: too many for one transaction; and what a transaction raises.
        """
        if atomic:
            here = getattr(self._executor, "keyspace", None)
            return run(together.save_together(records, here, self._registered, ttl, only_if), self._writer)
        life = milliseconds(ttl)
        return run_bulk(
            lambda part, tally: saves.save_many(part, self._registered, life, only_if, tally),
            records,
            progress,
            self._writer,
        )

    def get(self, model: type[M], id: object, *, prefetch: Sequence[Reference] = (), trusted: bool = False) -> M:
        """Load the record with this id: one round trip; raises NotFound. ``prefetch`` as in :meth:`prefetch`.

        ``trusted`` reads what was validated before it was stored without the model's validators: see `Query.trusted`.
        """
        return run(links.get_following(model, id, prefetch, self._slides, trusted), self._executor)

    def get_many(
        self, model: type[M], ids: Iterable[object], *, prefetch: Sequence[Reference] = (), trusted: bool = False
    ) -> list[M | None]:
        """Load the records with these ids, in their order, None where there is none: a round trip for each thousand."""
        return run(links.get_many_following(model, ids, prefetch, self._slides, trusted), self._executor)

    def refresh(self, record: M) -> M:
        """Load a record again, in place: one round trip; raises NotFound."""
        return run(gets.refresh(record, self._slides), self._executor)

    def prefetch(self, records: Iterable[M], *fields: Reference) -> list[M]:
        """Load what these references of the records lead to: a round trip a level and thousand, each target once.

        Args:
            records: of one model or several.
            *fields: the references to follow, ``Order.user``; after it ``User.team`` follows from those users on.

        Returns:
            the records, whose links are loaded, or ``missing`` where there is no record.
        """
        return run(links.prefetched(records, fields), self._executor)

    def load(self, link: Link[M]) -> M:
        """Load the one record that a link leads to: one round trip, none if it is loaded; raises NotFound."""
        return run(links.load(link), self._executor)

    @overload
    def update(self, record: Model, /, **changes: Any) -> None: ...
    @overload
    def update(self, model: type[Model], id: object, /, **changes: Any) -> None: ...
    def update(self, record: Model | type[Model], id: Any = None, /, **changes: Any) -> None:
        """Write some fields of a record, and its index entries, without reading it: one round trip.

        A record at hand shows the new values afterwards; what else was changed in it stays to be saved.

        Raises:
            NotFound, EncodingError, UniqueViolation, WrongType, QueryError: and nothing was written.
        """
        return run(updates.update(record, id, changes, self._registered), self._writer)

    def upsert(self, record: Model, *, ttl: Ttl = "model") -> bool:
        """Create a record, or write the fields that were given to it into the one with its id: one trip, or two.

        Of a new object those are the fields named when it was made or assigned since; what else is stored stays as it
        is, and the object doesn't show it: `refresh` does. A record that was loaded is saved as `save` does.

        Returns:
            True if the record was created, False if it was there.

        Raises:
            EncodingError, UniqueViolation, StaleWrite, WrongType, QueryError: and nothing was written.
        """
        return run(upserts.upsert(record, self._registered, milliseconds(ttl)), self._writer)

    def replace(self, record: Model, *, ttl: Ttl = "model") -> None:
        """Write a record in place of the one with its id, of which nothing stays: one round trip.

        What `save` leaves alone goes too: fields that this model doesn't know, and a time to live.

        Raises:
            NotFound, EncodingError, UniqueViolation, StaleWrite, WrongType: and nothing was written.
        """
        return run(upserts.replace(record, self._registered, milliseconds(ttl)), self._writer)

    def edit(self, model: type[M], id: object) -> Edit[M]:
        """Load a record for a ``with`` block, and save what the block changed: two round trips.

        ``with db.edit(User, id) as user: user.age += 1``; with asyncio ``async with``. Other writers' changes of other
        fields are taken over; nothing is saved when the block raises or changes nothing. `modify` tries again instead.

        Raises:
            NotFound: there is no such record, or it has gone meanwhile.
            StaleWrite: another writer changed one of the same fields meanwhile; nothing was written.
        """
        return Edit(model, id, self._executor, self._writer, self._registered)

    def modify(self, model: type[M], id: object, change: Callable[[M], Any]) -> M:
        """Load a record, let a function change it, and save it; again if another writer came between: two trips.

        ``db.modify(User, id, promote)``: the function is called anew with the record as it is by then, so it must do
        nothing but change that. Whatever it looks at has not changed when its changes are saved. It may be async where
        the handle is.

        Raises:
            NotFound, EncodingError, UniqueViolation, WrongType: and nothing was written.
            StaleWrite: after a thousand tries, each of one trip.
        """
        return run(edits.modify(model, id, change, self._registered), self._writer)

    @overload
    def increment(self, record: Model, /, **amount: float) -> int | float: ...
    @overload
    def increment(self, model: type[Model], id: object, /, **amount: float) -> int | float: ...
    def increment(self, record: Model | type[Model], id: Any = None, /, **amount: float) -> int | float:
        """Add to one number of a record, and keep its index right: one round trip; returns the new value.

        Concurrent increments all count. Bounds that the field declares (``ge``, ``le``, ``gt``, ``lt``) are kept.

        Raises:
            NotFound, EncodingError, QueryError, WrongType: and nothing was written.
            ConnectionFailed: the connection broke, and the record doesn't tell whether the amount was added.
        """
        return run(increments.increment(record, id, amount), self._writer)

    def get_or_create(
        self, model: type[M], defaults: Mapping[str, object] | None = None, /, **wanted: object
    ) -> tuple[M, bool]:
        """Load the record with these values, or create it: one round trip, or two; True if it was created.

        Args:
            model: the model.
            defaults: further values of a new record.
            **wanted: the id, or indexed fields; name a unique one, so that of several callers one creates it.
        """
        return run(updates.get_or_create(model, wanted, defaults, self._registered), self._writer)

    @overload
    def delete(self, record: Model, /) -> bool: ...
    @overload
    def delete(self, model: type[Model], id: object, /) -> bool: ...
    def delete(self, record: Model | type[Model], id: Any = None, /) -> bool:
        """Delete a record, or a model's record by its id, with its index entries: one trip; True if it was there."""
        return run(deletes.delete_any(record, id), self._writer)

    def transaction(self) -> Transaction:
        """Gather saves, updates, increments, touches and deletes, of any models, and write all of them or none.

        One round trip where the block ends; nothing is sent before, nor after an exception in it. All is checked
        first: types, existence, and unique values as they will be, so that two records may swap theirs. At most 1,000
        operations; a full server refuses it whole. Reads inside the block see what was there before it.

        Raises:
            UniqueViolation, AlreadyExists, NotFound, EncodingError, WrongType, Conflict: with nothing written; the text
                and the error's ``operation``, a position from 0, tell which was refused.
            QueryError: more than it may hold, or two operations on one record that don't go together.
        """
        return Transaction(self._executor, self._writer, self._registered)

    def delete_many(
        self,
        model: type[Model],
        ids: Iterable[object],
        *,
        atomic: bool = False,
        progress: Told | None = None,
    ) -> int:
        """Delete these records, or those with these ids: a round trip for each thousand; says how many were there.

        Args:
            model: whose records.
            ids: ids or records from any iterable, as `save_many` takes them.
            atomic: all or none, as one `transaction`, so at most 1,000.
            progress: as `save_many` takes it.
        """
        if atomic:
            here = getattr(self._executor, "keyspace", None)
            return run(together.delete_together(model, ids, here, self._registered), self._writer)
        return run_bulk(lambda part, tally: deletes.delete_many(model, part, tally), ids, progress, self._writer)

    @overload
    def exists(self, record: Model, /) -> bool: ...
    @overload
    def exists(self, model: type[Model], id: object, /) -> bool: ...
    def exists(self, record: Model | type[Model], id: Any = None, /) -> bool:
        """Tell whether a record is there: one round trip."""
        return run(gets.exists(record, id), self._executor)

    @overload
    def touch(self, record: Model, /, *, ttl: Ttl = ...) -> bool: ...
    @overload
    def touch(self, model: type[Model], id: object, /, *, ttl: Ttl = ...) -> bool: ...
    def touch(self, record: Model | type[Model], id: Any = None, /, *, ttl: Ttl = "model") -> bool:
        """Give a record a new time to live (None: none), nothing else: one round trip; False if it is gone."""
        return run(ttls.touch(record, id, milliseconds(ttl)), self._writer)

    @overload
    def persist(self, record: Model, /) -> bool: ...
    @overload
    def persist(self, model: type[Model], id: object, /) -> bool: ...
    def persist(self, record: Model | type[Model], id: Any = None, /) -> bool:
        """Let a record live until it is deleted: one round trip; False if it is gone."""
        return run(ttls.touch(record, id, None), self._writer)

    @overload
    def ttl(self, record: Model, /) -> timedelta | None: ...
    @overload
    def ttl(self, model: type[Model], id: object, /) -> timedelta | None: ...
    def ttl(self, record: Model | type[Model], id: Any = None, /) -> timedelta | None:
        """Tell how long a record has to live, None for no end: one round trip; raises NotFound."""
        return run(ttls.time_left(record, id), self._executor)

    def purge(self, model: type[Model]) -> None:
        """Drop what expired records left in the indexes now; saves and finds do it little by little anyway."""
        return run(ttls.purge(model), self._writer)

    def sweeper(self, *models: type[Model], every: timedelta | float = 60) -> Sweeper:
        """Purge models again and again in the background, inside a ``with``: for models that nobody writes or queries.

        Args:
            *models: what to purge; each turn drops at most 100,000 records of each.
            every: the pause between two turns, a timedelta or seconds.
        """
        return Sweeper(self._writer, models, every)

    def status(self, model: type[Model]) -> StatusReport:
        """Tell what differs between a model and what Redis holds for it, and what `sync` would do: two round trips."""
        return run(statuses.status(model), self._executor)

    def sync(
        self, model: type[Model], *, rate: float | None = None, progress: SyncProgress | None = None
    ) -> SyncReport:
        """Bring what Redis holds to what a model declares: build new indexes, clear old ones, migrate fields.

        It runs beside writers, of older versions of the model too, in steps of 500 records; one that was stopped goes
        on there on a real server. An index answers when it holds every record, and raises IndexNotReady before.

        Args:
            model: in its newest version: what it does not declare is cleared away.
            rate: records a second at most; by default as fast as it goes.
            progress: called with the report so far after each step; if it returns False, the sync stops.

        Returns:
            The report: ``ready`` if every index can answer, else ``obstacles`` says which records stand in the way.
        """
        return run_paced(Sync(model, rate=rate, progress=progress), self._writer)

    def check(
        self,
        model: type[Model],
        *,
        rate: float | None = None,
        cursor: str | None = None,
        progress: Progress | None = None,
    ) -> CheckReport:
        """Compare every index entry of a model with the records, also beside writers; nothing is written.

        Args:
            model: whose indexes.
            rate: records and entries a second at most; by default as fast as it goes, in steps of 500.
            cursor: the ``cursor`` of the report of a check that was stopped: goes on there.
            progress: called with the report so far after each step; if it returns False, the check stops.

        Returns:
            The report: ``clean``, counts and samples for each index; ``print`` it.
        """
        return run_paced(Walk(model, write=False, rate=rate, cursor=cursor, progress=progress), self._executor)

    def repair(
        self,
        model: type[Model],
        *,
        rate: float | None = None,
        cursor: str | None = None,
        progress: Progress | None = None,
    ) -> CheckReport:
        """Make every index entry of a model what the records say, whatever went wrong; safe beside writers.

        Args:
            model: whose indexes. Entries of fields that this class does not index are removed: use its newest version.
            rate: records and entries a second at most; by default as fast as it goes, in steps of 500.
            cursor: the ``cursor`` of the report of a repair that was stopped: goes on there.
            progress: called with the report so far after each step; if it returns False, the repair stops.

        Returns:
            The report of what was wrong; ``whole`` if all of that is mended, and no record needs a person.
        """
        return run_paced(Walk(model, write=True, rate=rate, cursor=cursor, progress=progress), self._writer)

    @overload
    def find(self, model: type[M], *conditions: Condition) -> Query[M]: ...
    @overload
    def find(
        self,
        model: type[M],
        *conditions: Condition | Callable[[M], object],
        scan: Literal[True],
        progress: Told | None = None,
    ) -> Scan[M]: ...
    def find(self, model: type[M], *conditions: Any, scan: bool = False, progress: Told | None = None) -> Any:
        """Query the records that meet all conditions; nothing is asked until a terminal is called.

        Args:
            model: whose records.
            *conditions: comparisons of indexed fields, joined with ``& | ~``; with ``scan=True`` also functions of a
                record, and comparisons of fields without an index.
            scan: look at every record that the indexed conditions leave, a thousand each round trip, so that the cost
                grows with their number.
            progress: of a scan: called after each step with how many were looked at, and of how many; False stops it.

        Raises:
            UnindexedField: a field without an index is compared, and ``scan`` is not given.
        """
        if scan:
            return Scan(self._executor, Scanning(model, conditions, progress, not self._read_only))
        if progress is not None:
            raise QueryError("progress is told of a scan only: find(..., scan=True)")
        return Query(self._executor, Selection(model, conditions, writes=not self._read_only))

    def count(self, model: type[Model], *conditions: Condition) -> int:
        """Count the records that meet all conditions, exactly, also right after some expired: one round trip."""
        selection: Selection[Any] = Selection(model, conditions, writes=not self._read_only)
        return run(find_count(selection), self._executor)

    def backup(self, directory: str | PathLike[str]) -> int:
        """Copy an embedded store as it is at one moment, while it is used; a directory that a redis-server 7 opens too.

        Args:
            directory: where to; it must not exist, or be empty.

        Returns:
            how many bytes were copied.

        Raises:
            StorageError: something stands there, a step failed, or the handle is not on an embedded store.
        """
        from redmodel.database.over_backup import backup_plan

        return run(backup_plan(self._backend.store, directory), self._executor)

    def recover(self) -> None:
        """Let an embedded store take writes again, after its disk was full, read-only or gone, and is mended: one trip.

        All data is written anew from memory, also what was refused while the disk failed; readers wait meanwhile. In
        whichever process this is called, the store's owner does it. Does nothing where nothing has failed.

        Raises:
            StorageError: the disk still fails, or the handle is not on an embedded store. Readers go on.
            ReadOnly: this handle may not write.
        """
        from redmodel.database.over_recovery import recovery_plan

        return run(recovery_plan(self._backend.store), self._writer)

    def close(self) -> None:
        """Close the connections, or the embedded store after its last write is on disk."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Database {self._backend.name}>"
