"""Index entries as logs spell them, and the keys that they stand in: the twin of what common.lua says of them."""

from __future__ import annotations

import re

TYPES = {b"=": b"set", b"#": b"zset", b"!": b"hash", b"<": b"zset", b"w": b"zset", b"t": b"hash"}
"""The type of the key that an entry of a kind stands in."""

VALUED = frozenset((b"#", b"w", b"t"))
"""The kinds of which a value follows wherever entries are given: a score, or a text's length and words."""

_ENTRY = re.compile(rb"(.)([^\x1f]*)\x1f([^\x1e]*)\x1e", re.DOTALL)
_WHOLE_ENTRY = re.compile(rb".[^\x1f]*\x1f[^\x1e]*\x1e", re.DOTALL)


def entry_key(side: bytes, kind: bytes, path: bytes, token: bytes) -> bytes:
    """The key that an entry stands in: of its token, or of its path alone.

    >>> entry_key(b"users@", b"=", b"city", b"Oslo"), entry_key(b"users@", b"#", b"age", b"")
    (b'users@city:Oslo', b'users@age')
    """
    if kind in (b"=", b"w") or (kind == b"#" and token):
        return side + path + b":" + token
    return side + path


def spell(kind: bytes, path: bytes, token: bytes, _score: bytes = b"") -> bytes:
    """An entry as it stands in a log, which says nothing of its score.

    >>> spell(b"=", b"city", b"Oslo")
    b'=city\\x1fOslo\\x1e'
    """
    return kind + path + b"\x1f" + token + b"\x1e"


def member_of(kind: bytes, token: bytes, id: bytes) -> bytes:
    """What stands for a record in the key of an entry: its id, behind its text where texts are in order."""
    return token + b"\x00" + id if kind == b"<" else id


def split(entry: bytes) -> tuple[bytes, bytes, bytes]:
    """The kind, path and token of an entry as it stands in a log."""
    path, _, token = entry[1:-1].partition(b"\x1f")
    return entry[:1], path, token


def entries_of(log: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """The (kind, path, token) of each entry of an index log; what another program wrote there may be no entries."""
    return _ENTRY.findall(log, 9)


def whole_entries_of(log: bytes) -> list[bytes]:
    """Each entry of an index log as it stands there."""
    return _WHOLE_ENTRY.findall(log, 9)
