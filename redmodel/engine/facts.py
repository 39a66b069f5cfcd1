"""What Redis 7.0 says of its commands beyond name, arity, flags and keys: categories, tips, key specifications, docs.

The data is in ``facts.json``, as redis-server 7.0 answers COMMAND and COMMAND DOCS (BSD licence), one command a line;
it is read when somebody asks for the first time.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_CATEGORIES = (
    "keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow "
    "blocking dangerous connection transaction scripting"
)


@cache
def facts() -> dict[str, dict[str, Any]]:
    """Every command and subcommand of Redis 7.0 by its full name: ``acl``, ``tips``, ``specs`` and ``doc``."""
    loaded: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("facts.json").read_bytes())
    return loaded


@cache
def categories() -> dict[str, frozenset[str]]:
    """The ACL categories, in Redis' order, with the full names of their commands."""
    names = _CATEGORIES.split()
    return {
        name: frozenset(command for command, fact in facts().items() if f"@{name}" in fact["acl"]) for name in names
    }


@cache
def subcommands() -> dict[str, tuple[str, ...]]:
    """The full names of the subcommands of each container."""
    found: dict[str, list[str]] = {}
    for name in facts():
        container, _, sub = name.partition("|")
        if sub:
            found.setdefault(container, []).append(name)
    return {container: tuple(names) for container, names in found.items()}
