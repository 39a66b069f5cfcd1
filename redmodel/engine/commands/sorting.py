"""SORT and SORT_RO: the elements of a list, set or sorted set in order, with what other keys hold for them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from redmodel.engine import texts
from redmodel.engine.arguments import integer, parse_double
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.errors import ReplyError

TABLE = Table(
    ("SORT", -2, "write denyoom movablekeys", (1, 1, 1)),
    ("SORT_RO", -2, "readonly movablekeys", (1, 1, 1)),
)


@dataclass(slots=True)
class _Order:
    """What the arguments ask for; ``by`` is None where elements are weighed by themselves."""

    alpha: bool = False
    descending: bool = False
    by: bytes | None = None
    start: int = 0
    count: int = -1
    gets: list[bytes] = field(default_factory=list[bytes])
    target: bytes | None = None

    @property
    def unsorted(self) -> bool:
        """BY a pattern that is the same for all elements."""
        return self.by is not None and b"*" not in self.by.partition(b"\0")[0]


@TABLE.handles("SORT")
def sort(context: Context, args: Args) -> Reply:
    return _sort(context, args[1], _order(context, args, stores=True))


@TABLE.handles("SORT_RO")
def sort_ro(context: Context, args: Args) -> Reply:
    return _sort(context, args[1], _order(context, args, stores=False))


def _order(context: Context, args: Args, *, stores: bool) -> _Order:
    order = _Order()
    user = context.session.user
    restricted = user is not None and not user.reads_all_keys("sort" if stores else "sort_ro", args)
    at = 2
    while at < len(args):
        option, left = args[at].upper(), len(args) - at - 1
        if option == b"ASC":
            order.descending = False
        elif option == b"DESC":
            order.descending = True
        elif option == b"ALPHA":
            order.alpha = True
        elif option == b"LIMIT" and left >= 2:
            order.start, order.count = integer(args[at + 1]), integer(args[at + 2])
            at += 2
        elif option == b"STORE" and left and stores:
            order.target = args[at + 1]
            at += 1
        elif option == b"BY" and left:
            order.by = args[at + 1]
            if restricted and not order.unsorted:
                raise texts.sort_not_permitted("BY")
            at += 1
        elif option == b"GET" and left:
            if restricted:
                raise texts.sort_not_permitted("GET")
            order.gets.append(args[at + 1])
            at += 1
        else:
            raise texts.syntax()
        at += 1
    return order


def _sort(context: Context, key: bytes, order: _Order) -> Reply:
    value = context.find(key)
    if value is not None and not isinstance(value, (deque, set, SortedSet)):
        raise texts.wrong_type()
    scripted = context.engine.scripting.running is not None
    if isinstance(value, set) and order.unsorted and (order.target is not None or scripted):
        # What is kept, or decided by a script, must be the same whenever it is done again.
        order.by, order.alpha = None, True
    if isinstance(value, SortedSet):
        context.database.kept[key] = b"skiplist"  # Redis' way to walk it
    elements = _in_order(context, value, order)
    found: list[bytes | None] = []
    for element in _limited(elements, order):
        if order.gets:
            found += [_looked_up(context, pattern, element) for pattern in order.gets]
        else:
            found.append(element)
    if order.target is None:
        return found
    kept = deque(b"" if element is None else element for element in found)
    if kept:
        context.find(order.target)
        context.put(order.target, kept)
        context.touch(order.target, b"sortstore")
    elif context.find(order.target) is not None:
        context.database.remove(order.target)
        context.touch(order.target, b"del")
    return len(kept)


def _in_order(context: Context, value: deque[bytes] | set[bytes] | SortedSet | None, order: _Order) -> list[bytes]:
    if value is None:
        return []
    if order.unsorted:
        if isinstance(value, SortedSet):
            return value.members(0, len(value), reverse=order.descending)
        return list(reversed(value)) if order.descending and isinstance(value, deque) else list(value)
    elements = list(value)
    by = order.by
    weights = elements if by is None else [_looked_up(context, by, element) for element in elements]
    if order.alpha:
        keys = [_collated(weight, whole=order.target is not None) for weight in weights]
        places = sorted(range(len(elements)), key=keys.__getitem__, reverse=order.descending)
        return [elements[place] for place in places]
    pairs = list(zip(map(_weight, weights), elements, strict=True))
    pairs.sort(reverse=order.descending)
    return [element for _, element in pairs]


def _collated(text: bytes | None, *, whole: bool) -> tuple[bool, bytes]:
    """What is compared with ALPHA; nothing comes before everything. Without STORE, C compares up to the first NUL."""
    if text is None:
        return False, b""
    return True, text if whole else text.partition(b"\0")[0]


def _weight(text: bytes | None) -> float:
    """The number that an element is sorted by, as strtod reads it."""
    text = (text or b"").partition(b"\0")[0]
    number = parse_double(text.lstrip()) if text else 0.0
    if number is None:
        raise ReplyError(texts.SORT_WEIGHT)
    return number


def _limited(elements: list[bytes], order: _Order) -> list[bytes]:
    start = max(order.start, 0)
    return elements[start:] if order.count < 0 else elements[start : start + order.count]


def _looked_up(context: Context, pattern: bytes, element: bytes) -> bytes | None:
    """What GET and BY find for an element: ``*`` in the pattern stands for it, ``->`` goes before a field of a hash."""
    if pattern == b"#":
        return element
    prefix, star, rest = pattern.partition(b"*")
    if not star or b"\0" in prefix:
        return None
    postfix, arrow, name = rest.partition(b"->")
    if not (arrow and name):
        postfix, name = rest, b""
    value = context.find(prefix + element + postfix)
    if name:
        return value.get(name) if isinstance(value, dict) else None
    return value if type(value) is bytes else None
