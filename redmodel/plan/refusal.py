"""How a refusal of Redis becomes an error of this library. Nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redmodel.errors import AlreadyExists, NotFound, ReplyError, UniqueViolation, WrongType
from redmodel.model import SCORED, Schema
from redmodel.plan.commands import as_raw
from redmodel.plan.core import Batch, Command, Plan

TYPES = {"range": b"zset", "ordered": b"zset", "geo": b"zset", "text": b"hash", "unique": b"hash"}
"""The type of the key at the path of an index, by its kind; other kinds have none there."""


def wrong_type(key: bytes, found: bytes = b"") -> WrongType:
    """A key that holds another type than the layout says."""
    name = key.decode(errors="backslashreplace")
    kind = found.decode()
    return WrongType(
        f"{name!r} holds {'a ' + kind if kind else 'another type'}, which redmodel did not write there: "
        f"delete or rename that key, or give the model another prefix",
        key=key,
        found=kind,
    )


def explain(error: ReplyError, key: bytes) -> Exception:
    """The typed error for an error reply about ``key``; the reply itself where there is none."""
    # Redis 6.2 wraps the error of a command inside a script in a sentence of its own.
    return wrong_type(key) if "WRONGTYPE Operation" in error.text else error


def explain_query(error: ReplyError, schema: Schema[Any], keys: Sequence[bytes]) -> Plan[Exception]:
    """The typed error for an error reply to a query of these keys; which of them is wrong takes one more round trip."""
    if "WRONGTYPE Operation" not in error.text:
        return error
    kinds = {schema.side + index.path_bytes: TYPES.get(index.kind, b"set") for index in schema.indexes}
    scored = tuple(schema.side + index.path_bytes + b":" for index in schema.indexes if index.kind in SCORED)
    kinds |= {schema.ids_key: b"set", schema.expires_key: b"zset"}
    found = yield Batch(tuple(Command((b"TYPE", key), as_raw) for key in keys))
    for key, kind in zip(keys, found, strict=True):
        wanted = kinds.get(key, b"zset" if key.startswith(scored) else b"set")
        if isinstance(kind, bytes) and kind not in (b"none", wanted):
            return wrong_type(key, kind)
    return wrong_type(schema.record_prefix + b"*")  # a record, or a key that was wrong for a moment


def refused(schema: Schema[Any], source: Any, id: object, refusal: list[bytes]) -> Exception:
    """The typed error for what a procedure refused to write; ``source`` holds the values that were to be written."""
    why, name = refusal[0], schema.name
    if why == b"unique":
        path, owner = refusal[1].decode(), refusal[3].decode(errors="backslashreplace")
        value = schema.index(path).values(source)[0]
        names = path.split("+")
        what = f"{name}.{path} must be unique" if len(names) == 1 else f"{name}: {', '.join(names)} are unique together"
        return UniqueViolation(
            f"{what}: {value!r} belongs to {name} {owner!r}. Load that record and change it, or use another value",
            model=name,
            field=path,
            value=value,
            owner=owner,
        )
    if why == b"exists":
        return AlreadyExists(
            f"{name} {id!r} is there already; save it without only_if to replace it", model=name, id=id
        )
    if why == b"missing":
        return NotFound(f"there is no {name} {id!r} to change; save a whole record to create it", model=name, id=id)
    return wrong_type(refusal[1], refusal[2])
