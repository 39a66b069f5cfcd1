"""Deleting records that others refer to: at once where the references are few, in steps where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from os import urandom
from typing import Any, cast

from redmodel.errors import QueryError, ReplyError, Restricted
from redmodel.model import Rules, Schema, rules_of
from redmodel.plan.commands import procedure
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.refusal import wrong_type
from redmodel.procedures import CASCADE, DELETE

MOST = 1000
"""Records that are deleted or changed as one atomic step, and in one step of a longer delete."""

STILL = 100
"""Steps in a row, each at other references to one record, that may find nothing to do."""


def delete_command(schema: Schema[Any], id: bytes, version: bytes | None = None) -> Command[Reply]:
    """The one command that deletes a record, with what refers to it as far as that is declared and not too much."""
    rules = rules_of(schema)
    if rules is None:
        argv = (id,) if version is None else (id, version)
        return procedure(DELETE, (schema.key(id), schema.ids_key, schema.log_key, schema.expires_key), argv)
    return _command(rules, schema, id, b"a", version or b"")


def _command(
    rules: Rules,
    schema: Schema[Any],
    id: bytes,
    mode: bytes,
    expected: bytes = b"",
    later: Sequence[tuple[str, bytes]] = (),
) -> Command[Reply]:
    keys = [schema.key(id), schema.ids_key, schema.log_key, schema.expires_key]
    keys += [each.ids_key for each in rules.schemas]
    nonces, version = [each.nonce() for each in rules.schemas], urandom(8).hex().encode()
    places = {each.prefix: b"%d" % n for n, each in enumerate(rules.schemas, 1)}
    known = [(places[prefix], other) for prefix, other in later if prefix in places]
    words = [b"%d" % len(known), *(word for pair in known for word in pair), *rules.words]
    return procedure(CASCADE, keys, (id, b"%d" % MOST, mode, version, expected, *nonces, *words))


def settle(schema: Schema[Any], id: bytes, reply: Reply) -> Plan[bool]:
    """Read the reply to that command, and go on where there was too much for one step; True if the record was there.

    A longer delete begins with the records that nobody refers to, and ends with the one asked for: when it is broken
    off, none refers to one that is gone, and deleting the record again goes on.
    """
    if isinstance(reply, int):
        return reply == 1
    rules = rules_of(schema) or Rules((schema,), ())
    words = _read(rules, reply)
    if words[0] == b"done":
        return bool(words[1] == 1)
    below: list[tuple[Schema[Any], Rules, bytes]] = [(schema, rules, id)]
    still = 0
    while True:
        one, its_rules, its_id = below[-1]
        later = [(other.prefix, known) for other, _, known in below[:-1]]  # in a circle it leads back to them
        (reply,) = yield Batch((_command(its_rules, one, its_id, b"p", later=later),))
        words = _read(its_rules, reply)
        if words[0] != b"deeper":
            still = 0
        if words[0] == b"deeper":
            deeper = its_rules.schemas[int(words[1]) - 1]
            if (deeper, words[2]) != (one, its_id):
                below.append((deeper, rules_of(deeper) or Rules((deeper,), ()), words[2]))
            elif (still := still + 1) > STILL:
                raise QueryError(
                    f"{one.name} {one.id_from(its_id)!r} can't be deleted: indexes name very many records that don't "
                    f"refer to it. Call db.repair() for the models that refer to {one.name}"
                )
        elif words[0] == b"done":
            below.pop()
            if not below:
                return bool(words[1] == 1)


def _read(rules: Rules, reply: Reply) -> list[Any]:
    """The words of a reply; raises what it refuses."""
    if isinstance(reply, ReplyError):
        raise reply
    words = cast("list[Any]", reply)
    if words[0] == b"wrongtype":
        raise wrong_type(words[1], words[2])
    if words[0] == b"restrict":
        raise _restricted(rules, *words[1:])
    return words


def _restricted(rules: Rules, of: int, id: bytes, by: int, other: bytes, path: bytes) -> Restricted:
    target, referrer = rules.schemas[of - 1], rules.schemas[by - 1]
    id_value, other_value, field = target.id_from(id), referrer.id_from(other), path.decode()
    return Restricted(
        f"{target.name} {id_value!r} can't be deleted: {referrer.name} {other_value!r} refers to it in "
        f"{referrer.name}.{field}. Delete that first, or let it refer to another",
        model=target.name,
        id=id_value,
        referrer=referrer.name,
        referrer_id=other_value,
        field=field,
    )
