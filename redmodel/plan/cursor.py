"""Pages by cursor: opaque texts that hold a position in the order of one query, and the pages beside such positions."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

from redmodel.errors import InvalidCursor, QueryError
from redmodel.model import Nearest
from redmodel.plan.core import Plan
from redmodel.plan.find import ROWS, Compiled, Selection, beside, compiled

R = TypeVar("R")

_VERSION = b"\x01"
_DIGEST = 8


class CursorPage(NamedTuple, Generic[R]):
    """The records on one side of a position.

    ``next`` and ``previous`` are the cursors for ``after`` and ``before``, None where nothing lies on that side. There
    always is one towards the side that one came from.
    """

    items: list[R]
    next: str | None
    previous: str | None


def find_beside(selection: Selection[R], cursor: str | None, size: int, *, back: bool) -> Plan[CursorPage[R]]:
    """The page of this size after a cursor, or ``back`` before it: one round trip."""
    if type(size) is not int or not 1 <= size <= ROWS:
        raise QueryError(f"a page by cursor has a size of 1 to {ROWS}, not {size!r}")
    if any(isinstance(order, Nearest) for order in selection.orders):
        raise QueryError("an order by nearness has no pages by cursor: ask for more with limit(), or use page()")
    if selection.offset or selection.limit is not None:
        raise QueryError("a page by cursor has its own size and start: leave out limit() and offset()")
    program = compiled(selection, by_id=True)
    position = [] if cursor is None else _read(cursor, program)
    found = yield from beside(selection, position, size, back=back)
    first, last = [_text(end, program) for end in found.ends] if found.ends else (None, None)
    onwards, backwards = (cursor is not None, found.more) if back else (found.more, cursor is not None)
    return CursorPage(found.records, last if onwards else None, first if backwards else None)


def _digest(payload: bytes, program: Compiled) -> bytes:
    """What binds a position to the model, the conditions and the orders of its query."""
    words = (*program.program.keys, b"", *program.conditions, b"", *program.orders)
    bound = blake2b(digest_size=_DIGEST)
    for word in (*words, payload):
        bound.update(b"%d:" % len(word) + word)
    return bound.digest()


def _text(position: Sequence[bytes], program: Compiled) -> str:
    payload = b"".join([len(word).to_bytes(3) + word for word in position])
    return urlsafe_b64encode(_VERSION + _digest(payload, program) + payload).rstrip(b"=").decode()


def _read(cursor: str, program: Compiled) -> list[bytes]:
    """The position that a cursor holds. Raises InvalidCursor."""
    kinds = program.orders[::3]
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        version, digest, payload = raw[:1], raw[1 : 1 + _DIGEST], raw[1 + _DIGEST :]
        words: list[bytes] = []
        at = 0
        while at < len(payload):
            size = int.from_bytes(payload[at : at + 3])
            words.append(payload[at + 3 : at + 3 + size])
            at += 3 + size
        right = version == _VERSION and digest == _digest(payload, program) and len(words) == len(kinds) + 1
        for kind, word in zip(kinds, words, strict=False):
            if kind in (b"#", b"?") and word != b"-" and float(word[1:]) != float(word[1:]):
                right = False
    except (AttributeError, ValueError):
        right, words = False, []
    if not right:
        raise InvalidCursor(
            f"{cursor!r:.60} is no cursor of this query: a cursor belongs to the model, the conditions and the order "
            "that it was given with. Begin again without one"
        )
    return words
