"""One object for each name of a field: hashes of records have the same names, which would fill half of the memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_REMEMBERED = 4096
_LONGEST = 1024  # bytes of all names in one hash, so that what is remembered stays small

_names: dict[bytes, bytes] = {}


def shared(names: Sequence[bytes]) -> Iterable[bytes]:
    """The same names, as the objects that other hashes have for them already.

    >>> one, other = list(shared([b"".join((b"na", b"me"))])), list(shared([b"".join((b"na", b"me"))]))
    >>> one[0] is other[0]
    True
    """
    if len(names) > 64 or len(b"".join(names)) > _LONGEST:
        return names
    if len(_names) > _REMEMBERED:
        _names.clear()
    return map(_names.setdefault, names, names)
