"""Which model holds which prefix, in this process. Models are remembered weakly: a class that is gone frees its own."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from threading import Lock
from weakref import WeakValueDictionary

from redmodel.errors import SchemaError
from redmodel.model.keys import contains

_owners: WeakValueDictionary[str, type] = WeakValueDictionary()
_lock = Lock()
_claims = 0


def claims() -> int:
    """How many times a prefix was given away: while it stays the same, so do the models."""
    return _claims


def living() -> list[type]:
    """The models that hold prefixes now."""
    with _lock:
        return list(_owners.values())


def claim(prefix: str, model: type) -> None:
    """Gives ``prefix`` to ``model``. Raises SchemaError if keys of another living model could be mistaken for its own.

    A class of the same module and name replaces its former self: a reloaded module, a notebook cell run again.
    """
    with _lock:
        if next(_rivals(prefix, model), None) is not None:
            gc.collect()  # classes are cycles of references: one that went out of scope lives on until it is collected
        for taken, owner in _rivals(prefix, model):
            where = f"{owner.__module__}.{owner.__qualname__}"
            if taken == prefix:
                raise SchemaError(
                    f"{model.__qualname__}: the prefix {prefix!r} already belongs to {where}; choose another."
                )
            raise SchemaError(
                f"{model.__qualname__}: the prefix {prefix!r} and {taken!r} of {where} overlap: the record "
                f"'{max(prefix, taken, key=len)}:1' could belong to both. Choose another separator than ':'."
            )
        _owners[prefix] = model
        global _claims
        _claims += 1


def _rivals(prefix: str, model: type) -> Iterator[tuple[str, type]]:
    for taken, owner in list(_owners.items()):
        if (owner.__module__, owner.__qualname__) == (model.__module__, model.__qualname__):
            continue
        if taken == prefix or contains(taken, prefix) or contains(prefix, taken):
            yield taken, owner
