"""The two colours offer the same: verbs, arguments, defaults and words."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from redmodel import AsyncDatabase, AsyncQuery, AsyncScan, AsyncTransaction, Database, Query, Scan, Transaction
from redmodel.database.groups import AsyncGroups, Groups

TWINS = [(Database, AsyncDatabase), (Query, AsyncQuery), (Groups, AsyncGroups), (Transaction, AsyncTransaction)]
TWINS.append((Scan, AsyncScan))


def public(cls: type[Any]) -> dict[str, Any]:
    names = {name for base in cls.__mro__[:-1] for name in vars(base) if not name.startswith("_")}
    return {name: inspect.getattr_static(cls, name) for name in sorted(names)}


@pytest.mark.parametrize(("blocking", "awaiting"), TWINS)
def test_both_have_the_same_members(blocking: type[Any], awaiting: type[Any]) -> None:
    assert list(public(blocking)) == list(public(awaiting))


@pytest.mark.parametrize(("blocking", "awaiting"), TWINS)
def test_both_take_the_same_arguments_and_say_the_same(blocking: type[Any], awaiting: type[Any]) -> None:
    for name, member in public(blocking).items():
        twin = public(awaiting)[name]
        if isinstance(member, property):
            continue
        ours, theirs = inspect.signature(member).parameters, inspect.signature(twin).parameters
        assert [(p.name, p.kind, p.default) for p in ours.values()] == [
            (p.name, p.kind, p.default) for p in theirs.values()
        ], name
        assert member.__doc__ == twin.__doc__, name


@pytest.mark.parametrize(("blocking", "awaiting"), TWINS)
def test_what_asks_redis_is_awaited_and_the_rest_is_not(blocking: type[Any], awaiting: type[Any]) -> None:
    builders = {
        "edit",
        "where",
        "order_by",
        "limit",
        "offset",
        "only",
        "values",
        "as_dicts",
        "ids",
        "scored",
        "stream",
        "trusted",
        "find",
        "group_by",
        "client",
        "transaction",
    }
    builders |= {"sweeper"} | ({"prefetch"} if blocking is Query else set())
    if awaiting is AsyncTransaction:
        builders = {"save", "update", "increment", "touch", "delete"}  # they send nothing
    for name, twin in public(awaiting).items():
        assert inspect.iscoroutinefunction(twin) is (name not in builders), name


def test_a_handle_enters_and_leaves_in_its_own_colour() -> None:
    assert hasattr(Database, "__enter__")
    assert not hasattr(Database, "__aenter__")
    assert hasattr(AsyncDatabase, "__aenter__")
    assert not hasattr(AsyncDatabase, "__enter__")
