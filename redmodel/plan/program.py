"""How conditions and orders become the program that the find procedure reads. Pure text work; nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from redmodel.errors import QueryError
from redmodel.model import (
    And,
    Compare,
    Condition,
    Distance,
    FieldCondition,
    Index,
    Inside,
    Nearest,
    Not,
    Or,
    Order,
    Pattern,
    Schema,
    Through,
)
from redmodel.plan import ordered
from redmodel.plan.composite import Served, serving
from redmodel.plan.fields import target_of
from redmodel.plan.places import by_distance, inside
from redmodel.plan.vectors import by_nearness

NULL = b"~null"
"""The token of records without a value in a field."""


class Program:
    """One query's keys and conditions; ``keys`` grows as conditions and orders name them, each key once.

    ``rich`` tells whether a part of the procedures is needed that plain queries do without. A ``plain`` program uses no
    composite index.
    """

    def __init__(self, schema: Schema[Any], *, plain: bool = False, within: Program | None = None) -> None:
        self.schema = schema
        self._composites = () if plain or within is not None else schema.composites
        self._served: dict[str, bytes] = {}
        self.keys: list[bytes] = [schema.ids_key, schema.expires_key] if within is None else within.keys
        self.rich = False
        self._by_id = b"%" if schema.numbered else b"@"
        self._places: dict[bytes, bytes] = {} if within is None else within._places
        self._used: dict[bytes, bytes] = {}

    def place_of(self, key: bytes) -> bytes:
        """The position of a key among the keys."""
        place = self._places.get(key)
        if place is None:
            self.keys.append(key)
            place = self._places[key] = b"%d" % len(self.keys)
        return place

    def index(self, path: str) -> Index:
        """The index of a path, which the answer rests on then. Raises UnindexedField."""
        index = self.schema.index(path)
        self.use(index)
        return index

    def use(self, index: Index) -> None:
        """Note that the answer rests on this index."""
        self._used[index.path_bytes] = index.meaning

    def flags(self, flags: bytes) -> bytes:
        """The flags, and what each index that is used must mean and be ready for. To be asked when all are named."""
        if not self._used:
            return flags
        asked = b"".join([b"\x1f" + path + b"\x1e" + meaning for path, meaning in self._used.items()])
        return flags + b"\x1f" + self.schema.writer + asked

    def place(self, index: Index) -> bytes:
        """The position of an index's sorted set among the keys."""
        return self.place_of(self.schema.side + index.path_bytes)

    def _set(self, path: bytes, token: bytes) -> list[bytes]:
        return [b"=", self.place_of(self.schema.side + path + b":" + token)]

    def conditions(self, conditions: Sequence[Condition], orders: Sequence[Order] = ()) -> list[bytes]:
        """The conditions, all of which must be met, in prefix form; ask this before ``orders``, if there are some."""
        if not conditions:
            return [b"*"]
        if self._composites and (served := serving(self._composites, conditions, orders)) is not None:
            nodes = [self._composite(served), *map(self._node, served.rest)]
            return self.join(b"&", _narrowed(nodes))
        return self._node(And(tuple(conditions)) if len(conditions) > 1 else conditions[0])

    def _node(self, condition: Condition) -> list[bytes]:
        if isinstance(condition, Compare):
            return self._compare(condition)
        if isinstance(condition, Not):
            inner = condition.condition
            return self._node(inner.condition) if isinstance(inner, Not) else [b"~", *self._node(inner)]
        if isinstance(condition, And | Or):
            kind = type(condition)
            if kind is And and not condition.conditions:
                return [b"*"]
            children: list[Condition] = []
            for child in condition.conditions:
                children.extend(child.conditions if isinstance(child, kind) else (child,))
            nodes = [self._node(child) for child in children]
            return self.join(b"&", _narrowed(nodes)) if kind is And else self.join(b"|", nodes)
        if isinstance(condition, Pattern):
            self.rich = True
            index = self.index(condition.path)
            words = ordered.fitting(index, self.place(index), condition)
            return self._equal(index, words) if isinstance(words, str) else words
        if isinstance(condition, Through):
            return self._through(condition)
        if isinstance(condition, FieldCondition):
            self.rich = True
            return CONDITIONS[type(condition)](self, condition)
        raise QueryError(f"{condition!r} is no condition")

    def _composite(self, served: Served) -> list[bytes]:
        """The range of a composite index that conditions of the last field leave of it."""
        index = served.by
        self.use(index)
        place = self.place_of(self.schema.side + index.path_bytes + b":" + index.token_of(served.values))
        self._served[index.last.path] = place
        whole = [b"#", place, b"-inf", b"+inf"]
        return _narrowed([whole, *([b"#", place, *_bounds(index.last, part)] for part in served.bounds)])[0]

    @staticmethod
    def join(kind: bytes, nodes: list[list[bytes]]) -> list[bytes]:
        """Several nodes as one, of kind ``&`` or ``|``."""
        if len(nodes) == 1:
            return nodes[0]
        joined: list[bytes] = [kind, b"%d" % len(nodes)]
        for node in nodes:
            joined += node
        return joined

    def _compare(self, condition: Compare) -> list[bytes]:
        index = self.index(condition.path)
        op, value = condition.op, condition.value
        if op == "!=":
            return [b"~", *self._equal(index, value)]
        if op == "==":
            return self._equal(index, value)
        if op == "in":
            return self._any(index, cast("tuple[object, ...]", value))
        if index.kind == "ordered":
            self.rich = True
            return ordered.compared(index, self.place(index), op, value)
        if index.kind == "text":
            index.score(value)  # refuses it
        if index.kind != "range":
            why = "the items of a collection are" if index.many else "it is"
            raise QueryError(
                f"{self.schema.name}.{index.path} can't be compared with {op}: {why} indexed for equality, "
                f"and only single numbers, dates and times for order; use == or in_(), or take Ordered[str]"
            )
        return [b"#", self.place_of(self.schema.side + index.path_bytes), *_bounds(index, condition)]

    def _through(self, condition: Through) -> list[bytes]:
        self.rich = True
        index = self.index(condition.path)
        theirs = Program(target_of(self.schema, index), within=self)
        node = theirs.conditions((condition.condition,))
        places = (self.place_of(theirs.schema.ids_key), self.place_of(theirs.schema.expires_key))
        return [b">", index.path_bytes, *places, theirs.flags(b"")[1:], *node]

    def _equal(self, index: Index, value: object) -> list[bytes]:
        path = index.path_bytes
        if value is None:
            return self._set(path, NULL)
        if index.kind in ("set", "ordered"):
            return self._set(path, index.token(value))
        key = self.place_of(self.schema.side + path)
        if index.kind == "unique":
            return [b"!", key, index.token(value)]
        score = index.score(value)
        return [b"#", key, score, score]

    def _any(self, index: Index, values: tuple[object, ...]) -> list[bytes]:
        if not values:
            return [b"|", b"0"]  # in an empty list: nobody
        if index.kind not in ("set", "ordered"):
            return self.join(b"|", [self._equal(index, value) for value in values])
        # In one order, whichever order a set has: cursors tell queries by their words.
        tokens = sorted({NULL if value is None else index.token(value) for value in values})
        if len(tokens) == 1:
            return self._set(index.path_bytes, tokens[0])
        node: list[bytes] = [b"u", b"%d" % len(tokens)]
        node += [self.place_of(self.schema.side + index.path_bytes + b":" + token) for token in tokens]
        return node

    def orders(self, orders: Sequence[Order], *, by_id: bool = False) -> list[bytes]:
        """The orders as triples of kind, source and direction; by id where there is none and ``by_id`` asks for it."""
        if not orders and by_id:
            return [self._by_id, b"", b"a"]
        words: list[bytes] = []
        for order in orders:
            direction = b"d" if order.descending else b"a"
            if order.nulls == "first":
                direction = direction.upper()
            if type(order) is not Order:
                if type(order) is Nearest and len(orders) > 1:
                    raise QueryError(f"{self.schema.name}.{order.path}.nearest_to() is the only order of its query")
                self.rich = True
                words += (*ORDERS[type(order)](self, order), direction)
                continue
            if not order.path or order.path == self.schema.fields[0].name:
                words += (self._by_id, b"", direction)
                continue
            if (place := self._served.get(order.path)) is not None:
                words += (b"#", place, direction.lower())  # all that the composite index gives have a value
                continue
            index = self.index(order.path)
            if index.kind == "range":
                place = self.place_of(self.schema.side + index.path_bytes)
                words += (b"?", place, direction) if index.nullable else (b"#", place, direction.lower())
            elif index.kind == "ordered":
                self.rich = True
                words += (b"<", self.place(index) + b" " + index.path_bytes, direction)
            elif index.sortable and not self.schema.plugged(index.position):
                words += (b"$", self.schema.stored_names[index.position], direction)
            else:
                raise QueryError(
                    f"{self.schema.name}.{index.path} can't be ordered by: only numbers, dates, times and top-level "
                    f"text fields have an order"
                )
        if orders and orders[-1].best_first:
            words += (self._by_id, b"", b"a")
        return words


CONDITIONS: dict[type[FieldCondition], Callable[[Program, Any], list[bytes]]] = {Inside: inside}
"""The words of conditions on further kinds of indexes, which stand in modules of their own."""

ORDERS: dict[type[Order], Callable[[Program, Any], tuple[bytes, bytes]]] = {
    Distance: by_distance,
    Nearest: by_nearness,
}
"""The kind and the source of orders of further kinds."""


def _bounds(index: Index, condition: Compare) -> tuple[bytes, bytes]:
    """The least and the greatest score that meet a comparison."""
    score = index.score(condition.value)
    if condition.op == "<":
        return b"-inf", b"(" + score
    if condition.op == "<=":
        return b"-inf", score
    if condition.op == ">":
        return b"(" + score, b"+inf"
    if condition.op == ">=":
        return score, b"+inf"
    if condition.op == "==":
        return score, score
    raise QueryError(f"unknown comparison {condition.op!r}")


def _narrowed(nodes: list[list[bytes]]) -> list[list[bytes]]:
    """Ranges of one index that must all hold are one range."""
    ranges: dict[bytes, list[bytes]] = {}
    result: list[list[bytes]] = []
    for node in nodes:
        if node[0] not in (b"#", b"<"):
            result.append(node)
        elif (other := ranges.get(node[1])) is None:
            result.append(node)
            ranges[node[1]] = node
        elif node[0] == b"<":
            ordered.narrowed(other, node)
        else:
            other[2] = max(other[2], node[2], key=_lower)
            other[3] = min(other[3], node[3], key=_upper)
    return result


def _lower(bound: bytes) -> tuple[float, bool]:
    return (float(bound[1:]), True) if bound[:1] == b"(" else (float(bound), False)


def _upper(bound: bytes) -> tuple[float, bool]:
    number, excluded = _lower(bound)
    return number, not excluded
