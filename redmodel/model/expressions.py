"""What a query says: conditions, orders, and the field references that make them. Pure data; nothing is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NoReturn, TypeAlias, TypeVar, overload

from redmodel.errors import QueryError

V = TypeVar("V")
W = TypeVar("W")

Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">=", "in"]


class Condition:
    """A question that a record meets or not; made by comparing fields, joined with ``&``, ``|`` and ``~``."""

    __slots__ = ()

    def __and__(self, other: Condition) -> Condition:
        return And(_flat(And, self) + _flat(And, other)) if _is_condition(other) else NotImplemented

    def __or__(self, other: Condition) -> Condition:
        return Or(_flat(Or, self) + _flat(Or, other)) if _is_condition(other) else NotImplemented

    def __invert__(self) -> Condition:
        return self.condition if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        raise QueryError(
            "A condition has no truth value. Join conditions with & | ~ (each in parentheses) instead of and, or, not; "
            "write User.age.between(18, 30) instead of 18 <= User.age <= 30, and User.age.in_([...]) instead of `in`."
        )


def _is_condition(value: object) -> bool:
    return isinstance(value, Condition)


class FieldCondition(Condition):
    """A condition on one indexed field: its ``path``, and the ``model`` whose field was named.

    Those of further kinds of indexes say in ``test`` how a record is judged; in plan/program.py stands which words of a
    query's program they become.
    """

    __slots__ = ("model", "path")

    path: str
    model: type[Any] | None

    @property
    def paths(self) -> tuple[str, ...]:
        """All the paths that are asked; one, where the condition is not on several fields at once."""
        return (self.path,)

    def test(self, index: Callable[[str], Any]) -> Callable[[Any], bool]:
        """A function that says of a record whether it meets the condition. ``index`` gives the index of a path."""
        raise NotImplementedError


class Compare(FieldCondition):
    """One comparison of an index path with a value; for ``in`` the value is a tuple.

    Comparisons of equal fields and values are equal whatever their ``model`` is.
    """

    # Not a frozen dataclass: every query makes some of these, and that would take four times as long.
    __slots__ = ("op", "value")

    def __init__(self, path: str, op: Operator, value: object, model: type[Any] | None = None) -> None:
        self.path = path
        self.op: Operator = op
        self.value = value
        self.model = model

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Compare):
            return NotImplemented
        return (self.path, self.op, self.value) == (other.path, other.op, other.value)

    def __hash__(self) -> int:
        return hash((self.path, self.op, self.value))

    def __repr__(self) -> str:
        return f"Compare(path={self.path!r}, op={self.op!r}, value={self.value!r})"


@dataclass(frozen=True, slots=True)
class And(Condition):
    """Every one of the conditions."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or(Condition):
    """At least one of the conditions."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The records that do not meet the condition, those without a value included."""

    condition: Condition


class Through(FieldCondition):
    """The record refers, in this field, to one that is there and meets a condition of its own model."""

    __slots__ = ("condition",)

    def __init__(self, path: str, condition: Condition, model: type[Any] | None = None) -> None:
        self.path = path
        self.condition = condition
        self.model = model

    def __repr__(self) -> str:
        return f"Through(path={self.path!r}, condition={self.condition!r})"


def comparisons(conditions: Iterable[Condition]) -> Iterator[FieldCondition]:
    """Every condition on a single field in these conditions, however deep."""
    for condition in conditions:
        if isinstance(condition, FieldCondition):
            yield condition
        elif isinstance(condition, Not):
            yield from comparisons((condition.condition,))
        elif isinstance(condition, And | Or):
            yield from comparisons(condition.conditions)


def _flat(joint: type[And] | type[Or], condition: Condition) -> tuple[Condition, ...]:
    return condition.conditions if isinstance(condition, joint) else (condition,)


@dataclass(frozen=True, slots=True)
class Order:
    """One key of a sort: an index path and its direction."""

    best_first: ClassVar[bool] = False
    """Whether the largest come first where nothing else is said; then the ids of equals still rise."""

    path: str
    descending: bool = False
    model: type[Any] | None = field(default=None, compare=False, repr=False)
    nulls: Literal["first", "last"] = "last"

    def __neg__(self) -> Order:
        return replace(self, descending=not self.descending)

    def __pos__(self) -> Order:
        return self

    def nulls_first(self) -> Order:
        """The same order, in which records without a value come first."""
        return replace(self, nulls="first")

    def nulls_last(self) -> Order:
        """The same order, in which records without a value come last, as they do where nothing is said."""
        return replace(self, nulls="last")


class FieldRef(Generic[V]):
    """An indexed field as it is named in a query: ``User.age``. Comparing it gives a :class:`Condition`.

    None compares as in Python: ``User.iata == None`` finds the records without a value and ``!=`` those with one; a
    record without a value is neither above nor below anything.
    """

    # Every public name here hides a nested field of that name, so the attributes are few and odd.
    __slots__ = ("_redmodel_hops", "_redmodel_inside", "_redmodel_model", "_redmodel_path")

    def __init__(
        self,
        model: type[Any] | None,
        path: str,
        inside: Callable[[str], FieldRef[Any] | None],
        hops: tuple[tuple[type[Any] | None, str], ...] = (),
    ) -> None:
        self._redmodel_model = model
        self._redmodel_path = path
        self._redmodel_inside = inside
        self._redmodel_hops = hops

    def __eq__(self, value: V) -> Condition:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("==", value)

    def __ne__(self, value: V) -> Condition:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("!=", value)

    def __lt__(self, value: V) -> Condition:
        return self._compare("<", value)

    def __le__(self, value: V) -> Condition:
        return self._compare("<=", value)

    def __gt__(self, value: V) -> Condition:
        return self._compare(">", value)

    def __ge__(self, value: V) -> Condition:
        return self._compare(">=", value)

    def in_(self, values: Iterable[V]) -> Condition:
        """The value is one of ``values``; no values, no records."""
        return self._compare("in", self._several("in_", values))

    def not_in(self, values: Iterable[V]) -> Condition:
        """The value is none of ``values``."""
        return ~self.in_(values)

    def between(self, low: V, high: V) -> Condition:
        """``low <= field <= high``, both ends included."""
        model, path = self._redmodel_model, self._redmodel_path
        return self._ask(And((Compare(path, ">=", low, model), Compare(path, "<=", high, model))))

    def is_null(self) -> Condition:
        """The record has no value in this field: None, or missing."""
        return self._compare("==", None)

    @overload
    def contains(self: FieldRef[list[W]], item: W) -> Condition: ...
    @overload
    def contains(self: FieldRef[list[W] | None], item: W) -> Condition: ...
    @overload
    def contains(self: FieldRef[set[W]], item: W) -> Condition: ...
    @overload
    def contains(self: FieldRef[set[W] | None], item: W) -> Condition: ...
    @overload
    def contains(self: FieldRef[frozenset[W]], item: W) -> Condition: ...
    @overload
    def contains(self: FieldRef[frozenset[W] | None], item: W) -> Condition: ...
    @overload
    def contains(self: FieldRef[tuple[W, ...]], item: W) -> Condition: ...
    @overload
    def contains(self: FieldRef[tuple[W, ...] | None], item: W) -> Condition: ...
    def contains(self, item: Any) -> Condition:
        """The collection holds ``item``."""
        return self._compare("==", item)

    @overload
    def any_of(self: FieldRef[list[W]], values: Iterable[W]) -> Condition: ...
    @overload
    def any_of(self: FieldRef[list[W] | None], values: Iterable[W]) -> Condition: ...
    @overload
    def any_of(self: FieldRef[set[W]], values: Iterable[W]) -> Condition: ...
    @overload
    def any_of(self: FieldRef[set[W] | None], values: Iterable[W]) -> Condition: ...
    @overload
    def any_of(self: FieldRef[frozenset[W]], values: Iterable[W]) -> Condition: ...
    @overload
    def any_of(self: FieldRef[frozenset[W] | None], values: Iterable[W]) -> Condition: ...
    @overload
    def any_of(self: FieldRef[tuple[W, ...]], values: Iterable[W]) -> Condition: ...
    @overload
    def any_of(self: FieldRef[tuple[W, ...] | None], values: Iterable[W]) -> Condition: ...
    @overload
    def any_of(self, values: Iterable[V]) -> Condition: ...
    def any_of(self, values: Iterable[Any]) -> Condition:
        """The collection holds at least one of ``values``; of a single value the same as ``in_``."""
        return self._compare("in", self._several("any_of", values))

    @overload
    def all_of(self: FieldRef[list[W]], values: Iterable[W]) -> Condition: ...
    @overload
    def all_of(self: FieldRef[list[W] | None], values: Iterable[W]) -> Condition: ...
    @overload
    def all_of(self: FieldRef[set[W]], values: Iterable[W]) -> Condition: ...
    @overload
    def all_of(self: FieldRef[set[W] | None], values: Iterable[W]) -> Condition: ...
    @overload
    def all_of(self: FieldRef[frozenset[W]], values: Iterable[W]) -> Condition: ...
    @overload
    def all_of(self: FieldRef[frozenset[W] | None], values: Iterable[W]) -> Condition: ...
    @overload
    def all_of(self: FieldRef[tuple[W, ...]], values: Iterable[W]) -> Condition: ...
    @overload
    def all_of(self: FieldRef[tuple[W, ...] | None], values: Iterable[W]) -> Condition: ...
    def all_of(self, values: Iterable[Any]) -> Condition:
        """The collection holds every one of ``values``; no values, all records."""
        model, path = self._redmodel_model, self._redmodel_path
        return self._ask(And(tuple(Compare(path, "==", value, model) for value in self._several("all_of", values))))

    def _several(self, verb: str, values: Iterable[Any]) -> tuple[Any, ...]:
        if isinstance(values, str | bytes):
            raise QueryError(f"{self._redmodel_path}.{verb}() takes several values, as a list; got one {type(values)}.")
        return tuple(values)

    def __neg__(self) -> Order:
        return Order(self._redmodel_path, True, self._redmodel_model)

    def __pos__(self) -> Order:
        return Order(self._redmodel_path, False, self._redmodel_model)

    def nulls_first(self) -> Order:
        """The order by this field in which records without a value come first; ``-`` in front turns its direction."""
        return (+self).nulls_first()

    def nulls_last(self) -> Order:
        """The order by this field in which records without a value come last."""
        return (+self).nulls_last()

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        owner = self._redmodel_model.__name__ if self._redmodel_model is not None else "?"
        return f"<FieldRef {owner}.{self._redmodel_path}>"

    if not TYPE_CHECKING:  # a checker would let every attribute pass

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("_") and (found := self._redmodel_inside(name)) is not None:
                return found
            if name in DECLARATIONS:
                raise QueryError(f"{self!r} has no {name}(): declare the field as {DECLARATIONS[name]}.")
            raise AttributeError(f"{self!r} has no field {name!r}")

    def _compare(self, op: Operator, value: object) -> Condition:
        if op == "!=" and value is not None and self._redmodel_hops:
            return ~self._compare("==", value)
        return self._ask(Compare(self._redmodel_path, op, value, self._redmodel_model))

    def _ask(self, condition: Condition) -> Condition:
        """What a condition on this field becomes where the field is reached through references."""
        for model, path in reversed(self._redmodel_hops):
            condition = Through(path, condition, model)
        return condition


METHOD_NAMES = frozenset(
    {"in_", "not_in", "between", "is_null", "contains", "any_of", "all_of", "nulls_first", "nulls_last"}
)

_ORDERED = "Ordered[str] (or Folded[str]), which keeps its texts in order"
DECLARATIONS = {"startswith": _ORDERED, "endswith": _ORDERED, "like": _ORDERED}
"""What a field must be declared as for methods that only the references of other declarations have."""


def reached(field: FieldRef[Any], model: type[Any] | None, path: str) -> FieldRef[Any]:
    """The same field, reached through a reference: that in this path of this model."""

    def inside(name: str) -> FieldRef[Any] | None:
        found = field._redmodel_inside(name)  # pyright: ignore[reportPrivateUsage]
        return None if found is None else reached(found, model, path)

    hops = ((model, path), *field._redmodel_hops)  # pyright: ignore[reportPrivateUsage]
    return type(field)(field._redmodel_model, field._redmodel_path, inside, hops)  # pyright: ignore[reportPrivateUsage]


def path_of(reference: FieldRef[Any]) -> str:
    """The path that a reference stands for: ``path_of(User.address.city)`` is ``"address.city"``."""
    return reference._redmodel_path  # pyright: ignore[reportPrivateUsage]


def owner_of(reference: FieldRef[Any]) -> type[Any] | None:
    """The model whose field a reference names."""
    return reference._redmodel_model  # pyright: ignore[reportPrivateUsage]


def order_of(key: FieldRef[Any] | Order) -> Order:
    """What ``order_by`` was given, as an :class:`Order`; QueryError if it is neither a field nor an order."""
    if isinstance(key, Order):
        return key
    if isinstance(key, FieldRef):  # pyright: ignore[reportUnnecessaryIsInstance]
        return +key
    raise QueryError(f"order_by takes indexed fields (User.age, -User.age), not {type(key).__name__}.")
