"""Every error that redmodel raises: one tree, and nothing else.

::

    RedModelError
    ├── SchemaError                 a model can't work as declared (raised when the class is made)
    ├── EncodingError               a value can't be stored exactly (raised before anything is written)
    │   └── InvalidId               an id that is empty, too long, or not of the id's type
    ├── DecodeError                 what is stored can't be read as the model
    ├── NotFound                    no such record
    ├── NotLoaded                   a reference was read whose record was not loaded
    ├── MultipleFound               one() met more than one record
    ├── Conflict                    the write was refused; nothing was written
    │   ├── UniqueViolation         another record holds the unique value
    │   ├── Restricted              a record that another one refers to was to be deleted
    │   ├── AlreadyExists           only_if="new", and the record is there
    │   ├── StaleWrite              another writer changed the record since it was loaded
    │   └── BulkError               some records of a bulk write were refused
    ├── QueryError                  a query that can't be answered as asked
    │   ├── UnindexedField          a condition or order on a field without an index
    │   ├── InvalidCursor           a cursor of another query, or none at all
    │   └── IndexNotReady           an index that does not hold every record yet
    ├── WrongType                   a key holds another type than the layout says
    ├── LayoutError                 the keyspace was written under another layout
    ├── ReadOnly                    a write through a handle that was opened to read only
    ├── InvalidUrl                  a URL that names no back end
    ├── ConnectionFailed            the server can't be reached, or the connection broke
    │   └── AuthenticationFailed    the server refused the credentials
    ├── StorageError                the embedded store can't read or write its files
    │   ├── StoreLocked             another process has the directory open
    │   └── StoreDamaged            a file is damaged in the middle
    └── ReplyError                  any other error reply, with Redis's own words

Each carries its facts as attributes for programs, and says the next step in its text for people.
"""

from __future__ import annotations

from collections.abc import Sequence


class RedModelError(Exception):
    """The root: ``except RedModelError`` catches all that this library raises on purpose.

    ``operation`` is the position, from 0, of the operation that refused a transaction; None elsewhere.
    """

    operation: int | None = None


class SchemaError(RedModelError):
    """A model can't work as it is declared; raised when its class is made."""


class EncodingError(RedModelError):
    """A value can't be stored so that it would be read back equal; nothing was written.

    ``model`` and ``field`` name the place, ``value`` is the value refused.
    """

    def __init__(self, message: str, *, model: str = "", field: str = "", value: object = None) -> None:
        super().__init__(message)
        self.model = model
        self.field = field
        self.value = value


class InvalidId(EncodingError):
    """An id that can't name a record: empty, too long, or not of the type that the model declares."""


class DecodeError(RedModelError):
    """A stored value can't be read as its field's type.

    ``key`` is the record's key, ``field`` the field, ``raw`` the bytes found, ``model`` the model's name.
    """

    def __init__(self, message: str, *, key: bytes = b"", field: str = "", raw: object = None, model: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.field = field
        self.raw = raw
        self.model = model


class NotFound(RedModelError):
    """No record with that id, or none that meets the conditions; ``model`` and ``id`` say which."""

    def __init__(self, message: str, *, model: str = "", id: object = None) -> None:
        super().__init__(message)
        self.model = model
        self.id = id


class NotLoaded(RedModelError):
    """The record that a reference leads to was not loaded; ``model`` and ``id`` name it."""

    def __init__(self, message: str, *, model: str = "", id: object = None) -> None:
        super().__init__(message)
        self.model = model
        self.id = id


class MultipleFound(RedModelError):
    """``one()`` met more than one record; ``total`` says how many."""

    def __init__(self, message: str, *, model: str = "", total: int = 0) -> None:
        super().__init__(message)
        self.model = model
        self.total = total


class Conflict(RedModelError):
    """A write was refused because of what is already stored; nothing of it was written."""


class UniqueViolation(Conflict):
    """Another record holds the unique value: ``field``, ``value`` and the ``owner``'s id.

    Of fields that are unique together, ``fields`` names each, ``field`` joins them by ``+``, and ``value`` is a tuple.
    """

    def __init__(
        self, message: str, *, model: str = "", field: str = "", value: object = None, owner: str = ""
    ) -> None:
        super().__init__(message)
        self.model = model
        self.field = field
        self.value = value
        self.owner = owner

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.field.split("+"))


class Restricted(Conflict):
    """A record can't be deleted because another refers to it, in a field with ``on_delete="restrict"``.

    ``model`` and ``id`` name the record referred to, ``referrer``, ``referrer_id`` and ``field`` the one that refers.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str = "",
        id: object = None,
        referrer: str = "",
        referrer_id: object = None,
        field: str = "",
    ) -> None:
        super().__init__(message)
        self.model = model
        self.id = id
        self.referrer = referrer
        self.referrer_id = referrer_id
        self.field = field


class AlreadyExists(Conflict):
    """A record with this ``id`` is there already, and the write asked for a new one."""

    def __init__(self, message: str, *, model: str = "", id: object = None) -> None:
        super().__init__(message)
        self.model = model
        self.id = id


class StaleWrite(Conflict):
    """Another writer changed the record since it was loaded; ``fields`` names what changed, ``model`` and ``id`` which.

    Load it again (``refresh``), make the change anew, and save it; ``db.modify`` does that in a loop.
    """

    def __init__(self, message: str, *, model: str = "", id: object = None, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.model = model
        self.id = id
        self.fields = tuple(fields)


class BulkError(Conflict):
    """Some records of a bulk write were refused; the others were written.

    ``failures`` is a list of ``(position, error)``; ``done`` counts what was written.
    """

    def __init__(self, message: str, *, failures: Sequence[tuple[int, RedModelError]], done: int) -> None:
        super().__init__(message)
        self.failures = list(failures)
        self.done = done


class QueryError(RedModelError):
    """A query that can't be answered as it is asked; the text says what to change."""


class InvalidCursor(QueryError):
    """A cursor that was not given by this query: of another model, other conditions or orders, or damaged."""


class UnindexedField(QueryError):
    """A condition or an order on a field without an index; ``field`` names it."""

    def __init__(self, message: str, *, model: str = "", field: str = "") -> None:
        super().__init__(message)
        self.model = model
        self.field = field


class IndexNotReady(QueryError):
    """An index does not hold every record, so it gives no answer: ``db.sync`` builds it.

    ``model`` and ``field`` name the index, ``ids`` records that stand in the way, if any are known.
    """

    def __init__(self, message: str, *, model: str = "", field: str = "", ids: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.model = model
        self.field = field
        self.ids = list(ids)


class WrongType(RedModelError):
    """A ``key`` holds another type than the layout says; nothing was written."""

    def __init__(self, message: str, *, key: bytes = b"", found: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.found = found


class LayoutError(RedModelError):
    """The keyspace of this prefix was written under another layout version."""


class ReadOnly(RedModelError):
    """A write through a handle that was opened with ``read_only=True``; nothing was sent."""


class InvalidUrl(RedModelError, ValueError):
    """A URL that names no back end; passwords in it are never printed."""


class ConnectionFailed(RedModelError, ConnectionError):
    """The server can't be reached, or the connection broke and the work could not be repeated safely."""


class AuthenticationFailed(ConnectionFailed):
    """The server refused the user name or the password."""


class StorageError(RedModelError):
    """The embedded store can't read or write its files; ``path`` names the file."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class StoreLocked(StorageError):
    """Another process has the directory open; ``pid`` and ``host`` say which, where known."""

    def __init__(self, message: str, *, path: str = "", pid: int | None = None, host: str = "") -> None:
        super().__init__(message, path=path)
        self.pid = pid
        self.host = host


class StoreDamaged(StorageError):
    """A file of the store is damaged before its end; ``offset`` is where the first bad byte stands."""

    def __init__(self, message: str, *, path: str = "", offset: int = 0) -> None:
        super().__init__(message, path=path)
        self.offset = offset


class ReplyError(RedModelError):
    """An error reply of Redis or of the engine, in Redis's own words.

    ``text`` is the whole line without the leading ``-``; ``code`` its first word.

    >>> ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value").code
    'WRONGTYPE'
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    @property
    def code(self) -> str:
        return self.text.partition(" ")[0]
