"""How references are declared: ``Ref`` to one record, ``Refs`` to a list of them. What they hold is a ``Link``.

To a type checker both are descriptors, as ``Indexed`` is: on the class they give what a query asks, on an instance the
link. At run time each is ``Annotated``: a link with an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeAlias, TypeVar, overload
from uuid import UUID

from redmodel.errors import QueryError
from redmodel.model.expressions import Condition, FieldRef
from redmodel.model.fields import IndexMark
from redmodel.model.links import Link
from redmodel.model.ordered import OrderedRef

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
W = TypeVar("W")

Id: TypeAlias = str | int | UUID
"""An id as it may stand in a reference's place; other types of ids are given as a link or a record."""


if TYPE_CHECKING:

    class ReachedField(OrderedRef[Any]):
        """A field that is named through a reference: ``Session.user.name``."""

        def __getattr__(self, name: str) -> ReachedField: ...

    class RefField(FieldRef[Any], Generic[V]):
        """A reference as it is named in a query: ``Session.user``, compared with a record, a link or an id.

        ``Session.user.name`` is a field of what it leads to; ``via(Session.user).name`` is the same with its type.
        """

        def __eq__(self, value: V | Link[V] | Id) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __ne__(self, value: V | Link[V] | Id) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def in_(self, values: Iterable[V | Link[V] | Id]) -> Condition: ...
        def not_in(self, values: Iterable[V | Link[V] | Id]) -> Condition: ...
        def __getattr__(self, name: str) -> ReachedField: ...

    class RefsField(FieldRef[Any], Generic[V]):
        """A list of references as it is named in a query: ``Post.authors.contains(ada)``."""

        def contains(self, item: V | Link[V] | Id) -> Condition: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def any_of(self, values: Iterable[V | Link[V] | Id]) -> Condition: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def all_of(self, values: Iterable[V | Link[V] | Id]) -> Condition: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def __getattr__(self, name: str) -> ReachedField: ...

    class Listed(Protocol[V_co]):
        """A list, of this or of anything more special; a text, which is a sequence of texts, is none."""

        def __iter__(self) -> Iterator[V_co]: ...
        def reverse(self) -> None: ...

    Reference: TypeAlias = RefField[Any] | RefsField[Any]

    class Ref(Generic[V]):
        """Refers to a record of another model: ``user: Ref[User]``, or ``Ref[User | None]``.

        The field takes a record, its id or a link, and holds a :class:`Link`. It is always indexed, which is the way
        back: ``db.find(Session, Session.user == ada)``. ``Field(on_delete=…)`` says what a delete of the record does.
        """

        @overload
        def __get__(self, instance: None, owner: type[object]) -> RefField[V]: ...
        @overload
        def __get__(self: Ref[W | None], instance: object, owner: type[object]) -> Link[W] | None: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> Link[V]: ...
        def __get__(self, instance: object | None, owner: type[object]) -> Any: ...
        def __set__(self, instance: object, value: V | Link[V] | Id) -> None: ...

    class Refs(Generic[V]):
        """Refers to any number of records of another model, in order: ``authors: Refs[User]``, a list of links."""

        @overload
        def __get__(self, instance: None, owner: type[object]) -> RefsField[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> list[Link[V]]: ...
        def __get__(self, instance: object | None, owner: type[object]) -> Any: ...
        def __set__(self, instance: object, value: Listed[V | Link[V] | Id]) -> None: ...

else:
    Reference = RefField = RefsField = FieldRef

    class Ref:
        """Refers to a record of another model: ``user: Ref[User]``, or ``Ref[User | None]``."""

        def __class_getitem__(cls, target: Any) -> Any:
            return Annotated[Link[target], IndexMark(unique=False)]

    class Refs:
        """Refers to any number of records of another model, in order: ``authors: Refs[User]``, a list of links."""

        def __class_getitem__(cls, target: Any) -> Any:
            return Annotated[list[Link[target]], IndexMark(unique=False)]


@overload
def via(reference: RefField[W | None]) -> type[W]: ...
@overload
def via(reference: RefField[W]) -> type[W]: ...
@overload
def via(reference: RefsField[W]) -> type[W]: ...
def via(reference: Any) -> Any:
    """The model that a reference leads to, as seen through it: its fields can be asked of the records that refer.

    ``via(Order.user).city`` is what ``Order.user.city`` is too, but type checkers know its type.
    Raises QueryError for what is no reference.

    >>> from redmodel import Database, Indexed, Model, Ref
    >>> class Buyer(Model, prefix="via-buyers"):
    ...     city: Indexed[str]
    >>> class Sale(Model, prefix="via-sales"):
    ...     buyer: Ref[Buyer]
    >>> with Database("memory://") as db:
    ...     _ = db.save_many([ada := Buyer(city="London"), Sale(buyer=ada)])
    ...     db.count(Sale, via(Sale.buyer).city == "London")
    1
    """
    if not isinstance(reference, FieldRef):
        raise QueryError(f"via() takes a reference, as in via(Order.user).city, not {type(reference).__name__}")
    return reference  # pyright: ignore[reportUnknownVariableType]
