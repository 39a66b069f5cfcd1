"""Reading without validators: what is stored was validated before it was written. Asked for, never the default."""

from __future__ import annotations

from redmodel.model.shapes import Core

_BARE = frozenset({"str", "int", "float", "bool", "bytes", "date", "time", "datetime", "timedelta"})
_AROUND = frozenset({"function-after", "function-before", "function-wrap"})


def bare(schema: Core) -> Core:
    """The schema of a scalar field that asks for its type alone: no rule, and no function of the user's.

    >>> bare({"type": "default", "default": 1, "schema": {"type": "int", "ge": 1}})
    {'type': 'default', 'default': 1, 'schema': {'type': 'int'}}
    """
    kind = schema["type"]
    if kind in _AROUND:
        return bare(schema["schema"])
    if kind in ("default", "nullable"):
        return {**schema, "schema": bare(schema["schema"])}
    return {"type": kind} if kind in _BARE else schema
