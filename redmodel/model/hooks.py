"""Hooks: methods of a model that run before or after its records are saved or deleted. Here they are only declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from redmodel.errors import SchemaError

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__redmodel_hooks__"
_MOMENTS = ("before_save", "after_save", "before_delete", "after_delete")


@dataclass(frozen=True, slots=True)
class Hooks:
    """The names of a model's hooks by moment, in the order in which they run; ``awaited``: one of them is async."""

    before_save: tuple[str, ...]
    after_save: tuple[str, ...]
    before_delete: tuple[str, ...]
    after_delete: tuple[str, ...]
    awaited: bool

    @property
    def of_deletes(self) -> bool:
        """Whether there are any for a delete."""
        return bool(self.before_delete or self.after_delete)


def _mark(moment: str, method: F) -> F:
    setattr(method, _MARK, (*getattr(method, _MARK, ()), moment))
    return method


def before_save(method: F) -> F:
    """Runs a method, plain or async, before a record is checked and saved: what it changes in the record is saved.

    If it raises, nothing is written. Hooks of a base class come first, then in the order of the class body. They run
    for ``save`` and all that saves whole objects, and not for ``update`` and ``increment``, which have no object.

    >>> from redmodel import Model, before_save
    >>> class Page(Model, prefix="hook-pages"):
    ...     title: str
    ...     @before_save
    ...     def tidy(self) -> None:
    ...         self.title = self.title.strip()
    """
    return _mark("before_save", method)


def after_save(method: F) -> F:
    """Runs a method, plain or async, after a record was saved and the server has said so. See `before_save`."""
    return _mark("after_save", method)


def before_delete(method: F) -> F:
    """Runs a method, plain or async, before a record is deleted; if it raises, it is not. See `before_save`.

    A delete by id loads the record first: one more round trip.
    """
    return _mark("before_delete", method)


def after_delete(method: F) -> F:
    """Runs a method, plain or async, after a record that was there was deleted. See `before_delete`."""
    return _mark("after_delete", method)


def hooks_of(cls: type[Any]) -> Hooks | None:
    """The hooks of a model and its bases; None if there are none. Raises SchemaError for what can't be a hook."""
    found: dict[str, dict[str, None]] = {moment: {} for moment in _MOMENTS}
    awaited = False
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            for moment in getattr(member, _MARK, ()):
                if not inspect.isfunction(member):
                    raise SchemaError(f"{cls.__name__}.{name}: a hook is a plain method, decorated outermost.")
                found[moment][name] = None
                awaited |= inspect.iscoroutinefunction(getattr(cls, name))
    if not any(found.values()):
        return None
    before, after, before_gone, after_gone = (tuple(found[moment]) for moment in _MOMENTS)
    return Hooks(before, after, before_gone, after_gone, awaited)
