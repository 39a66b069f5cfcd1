"""Which model classes the command line knows. They come from modules that the user names, never from data."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from redmodel.cli.faults import Refused
from redmodel.errors import SchemaError
from redmodel.model import Model, schema_of

DEMO = "redmodel.cli.airports"
"""The models of ``redmodel demo``: always known, after the user's own."""


class Catalog:
    """The models by class name and by prefix."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._models: dict[str, type[Model]] = {}
        for source in sources:
            self._add(_load(source))
        self._own = list(self._models.values())
        if not {"airports", "visits"} & set(self._models):
            try:
                self._add(_models_in(importlib.import_module(DEMO)))
            except SchemaError:
                pass  # a prefix of the user's is in the way: the user's models come first

    def _add(self, models: Iterator[type[Model]]) -> None:
        for model in models:
            self._models.setdefault(schema_of(model).prefix, model)

    def everything(self) -> list[type[Model]]:
        """The user's models; those of the demo if there are none."""
        return self._own or list(self._models.values())

    def at(self, prefix: str) -> type[Model] | None:
        """The model with this prefix."""
        return self._models.get(prefix)

    def named(self, name: str) -> type[Model]:
        """The model with this class name or prefix. Refused if there is none, or more than one."""
        if name in self._models:
            return self._models[name]
        found = [model for model in self._models.values() if model.__name__ == name]
        if len(found) == 1:
            return found[0]
        if found:
            prefixes = ", ".join(schema_of(model).prefix for model in found)
            raise Refused(f"{len(found)} models are named {name}: use one of their prefixes: {prefixes}")
        known = ", ".join(sorted(model.__name__ for model in self._models.values())) or "none"
        raise Refused(
            f"no model {name!r} (known: {known}); name the module it is in with --models package.module, or in "
            f'REDMODEL_MODELS, or as models = ["package.module"] under [tool.redmodel] in pyproject.toml'
        )


def _load(source: str) -> Iterator[type[Model]]:
    name, _, attribute = source.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` would
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise Refused(f"can't import the models in {name!r}: {type(error).__name__}: {error}") from error
    if not attribute:
        yield from _models_in(module)
        return
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not _is_stored(found):
        raise Refused(f"{source!r} is no model with a prefix")
    yield found


def _models_in(module: ModuleType) -> Iterator[type[Model]]:
    for value in list(vars(module).values()):
        if _is_stored(value):
            yield value


def _is_stored(value: object) -> bool:
    if not isinstance(value, type) or not issubclass(value, Model):
        return False
    try:
        schema_of(value)
    except SchemaError:
        return False
    return True
