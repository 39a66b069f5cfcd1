"""The verbs of the blocking handle that change items of a list, a set or a dict."""

from __future__ import annotations

from typing import Any, overload

from redmodel.database.driver import Executor, run
from redmodel.model import Model
from redmodel.plan import items


class ItemVerbs:
    """Part of `Database`: items of collections, without a read."""

    _writer: Executor

    @overload
    def append(self, record: Model, /, **item: Any) -> None: ...
    @overload
    def append(self, model: type[Model], id: object, /, **item: Any) -> None: ...
    def append(self, record: Model | type[Model], id: Any = None, /, **item: Any) -> None:
        """Put one item at the end of a list, and its index entries in place, without reading it: one round trip.

        ``db.append(User, id, tags="vip")``: only the item is validated, and sent. Concurrent appends all count.

        Raises:
            NotFound, WrongType, QueryError: and nothing was written.
            EncodingError: the item is refused, the list has ``max_length`` items, or there is none.
            ConnectionFailed: the connection broke, and the record doesn't tell whether the item was put there.
        """
        return run(items.append(record, id, item), self._writer)

    @overload
    def extend(self, record: Model, /, **many: Any) -> None: ...
    @overload
    def extend(self, model: type[Model], id: object, /, **many: Any) -> None: ...
    def extend(self, record: Model | type[Model], id: Any = None, /, **many: Any) -> None:
        """Put several items at the end of a list, as `append` does: one round trip."""
        return run(items.extend(record, id, many), self._writer)

    @overload
    def prepend(self, record: Model, /, **item: Any) -> None: ...
    @overload
    def prepend(self, model: type[Model], id: object, /, **item: Any) -> None: ...
    def prepend(self, record: Model | type[Model], id: Any = None, /, **item: Any) -> None:
        """Put one item at the beginning of a list, as `append` does at its end: one round trip."""
        return run(items.prepend(record, id, item), self._writer)

    @overload
    def add(self, record: Model, /, **item: Any) -> bool: ...
    @overload
    def add(self, model: type[Model], id: object, /, **item: Any) -> bool: ...
    def add(self, record: Model | type[Model], id: Any = None, /, **item: Any) -> bool:
        """Put one item into a set, or a list, that has no equal one; True if it had none: one round trip.

        Items must be of a type of which equal values are stored alike: text, whole numbers, booleans, bytes, UUIDs,
        dates, Enums, Literals and references.

        Raises:
            NotFound, WrongType, QueryError: and nothing was written.
            EncodingError: the item is refused, or there would be more than ``max_length``.
        """
        return run(items.add(record, id, item), self._writer)

    @overload
    def discard(self, record: Model, /, **item: Any) -> bool: ...
    @overload
    def discard(self, model: type[Model], id: object, /, **item: Any) -> bool: ...
    def discard(self, record: Model | type[Model], id: Any = None, /, **item: Any) -> bool:
        """Take all equal items out of a set or a list, or a key out of a dict; True if there was one: one round trip.

        An index entry of an item goes with it. Items must be of a type that `add` takes.

        Raises:
            NotFound, WrongType, QueryError: and nothing was written.
            EncodingError: the item is refused, or there would be fewer than ``min_length``.
        """
        return run(items.discard(record, id, item), self._writer)

    @overload
    def put(self, record: Model, /, **members: Any) -> None: ...
    @overload
    def put(self, model: type[Model], id: object, /, **members: Any) -> None: ...
    def put(self, record: Model | type[Model], id: Any = None, /, **members: Any) -> None:
        """Set keys of a dict, ``db.put(User, id, settings={"theme": "dark"})``; its others stay: one round trip.

        Raises:
            NotFound, WrongType, QueryError: and nothing was written.
            EncodingError: a key or value is refused, or there would be more than ``max_length``.
        """
        return run(items.put(record, id, members), self._writer)
