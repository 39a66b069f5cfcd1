"""The command table: complete, without doubles, and found by name."""

from __future__ import annotations

import pytest

from redmodel.engine.commands.tables import COMMANDS
from redmodel.engine.registry import Table, collect
from redmodel.errors import ReplyError


def test_every_name_is_there_in_both_cases() -> None:
    lower = {name for name in COMMANDS if name.islower()}
    assert {name.upper() for name in lower} == COMMANDS.keys() - lower
    assert all(COMMANDS[name] is COMMANDS[name.upper()] for name in lower)


def test_a_table_says_what_is_wrong_with_it() -> None:
    table = Table(("A", 1, "", (0, 0, 0)))
    with pytest.raises(LookupError, match="no function handles A"):
        table.commands()
    table.handles("A")(lambda context, args: None)
    with pytest.raises(LookupError, match="twice"):
        table.handles("A")(lambda context, args: None)
    with pytest.raises(LookupError, match="not in the table"):
        table.handles("B")(lambda context, args: None)
    with pytest.raises(LookupError, match="two tables"):
        collect((table, table))


def test_a_container_writes_if_a_subcommand_does() -> None:
    assert COMMANDS[b"xgroup"].writes
    assert not COMMANDS[b"xinfo"].writes
    with pytest.raises(ReplyError, match="MISCONF"):
        COMMANDS[b"xgroup"].refused("no space").handler(None, [b"XGROUP", b"DESTROY", b"s", b"g"])  # type: ignore[arg-type]
