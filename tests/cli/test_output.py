"""Tables on a terminal and elsewhere, and how keys and values are spelled."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redmodel.cli.output import Table, _lines, cell
from redmodel.cli.spelling import plain, read_key, safe, span, spell_key
from tests.cli.conftest import Cli
from tests.cli.test_ends import ENVIRONMENT

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@given(st.binary(max_size=40))
def test_every_key_is_spelled_so_that_it_is_read_back(key: bytes) -> None:
    spelled = spell_key(key)
    assert read_key(spelled) == key
    assert spelled == safe(spelled)
    spelled.encode("utf-8")


def test_keys_that_people_type() -> None:
    assert read_key("users:42") == b"users:42"
    assert read_key(r"C:\dir") == rb"C:\dir"
    assert read_key("\udcff") == b"\xff", "a byte of the command line that is no UTF-8"


@pytest.mark.parametrize("text", ["\x00", "\x1b[2J", "\x7f", "\x9b", "\u202e", "\u2066", "\u200f", "\u2028", "\ufeff"])
def test_what_could_deceive_is_escaped(text: str) -> None:
    assert text not in safe(f"a{text}b")
    assert text not in spell_key(f"a{text}b".encode())
    assert safe("naïve 日本 🎉 ß") == "naïve 日本 🎉 ß"


@given(
    st.recursive(
        st.none() | st.floats() | st.binary() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_becomes_json(value: object) -> None:
    import json

    text = json.dumps(plain(value), allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    cell(value).encode("utf-8")


def test_spans() -> None:
    assert [span(ms) for ms in (0, 999, 1000, 60_000, 3_600_000, 86_400_000, 90_061_000)] == [
        "0ms", "999ms", "1s", "1m", "1h", "1d", "1d 1h",
    ]  # fmt: skip


def wide(fold: bool) -> Table:
    table = Table(("name", "count", "text"), numbers=frozenset({"count"}), fold=fold)
    table.add("日本" * 10, "1,234,567", "x" * 50)
    table.add("b", "1", "")
    return table


def test_tables_fit_the_window() -> None:
    from rich.cells import cell_len

    whole = ["  ".join(line) for line in _lines(wide(False), None)]
    assert len({cell_len(line) for line in whole}) == 1
    assert "x" * 50 in whole[1]
    cut = ["  ".join(line) for line in _lines(wide(False), 50)]
    assert {cell_len(line) for line in cut} == {50}
    assert "1,234,567" in cut[1], "numbers are never cut"
    assert cut[1].count("…") == 2
    folded = ["  ".join(line) for line in _lines(wide(True), 50)]
    assert sum(line.count("x") for line in folded) == 51, "nothing is left out"
    assert list(_lines(wide(False), 5)), "a window too narrow for anything"


def test_colour_only_where_it_is_wanted(cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in cli("tree", "--url", store).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "70")
    said = cli("tree", "--url", store)
    assert "\x1b[36m" in said.out
    plain_lines = [ANSI.sub("", line) for line in said.lines]
    assert all(len(line) <= 70 for line in plain_lines)
    assert all(character.isprintable() or character == "\n" for character in ANSI.sub("", said.out))
    assert "\x1b" not in cli("tree", "--url", store, "--json").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in cli("tree", "--url", store).out


def test_on_a_terminal(store: str) -> None:
    master, slave = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "100"}
    run = subprocess.Popen(
        [sys.executable, "-m", "redmodel.cli", "tree", "--url", store],
        env=environment, stdin=slave, stdout=subprocess.PIPE, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    said = b""
    while True:
        try:
            piece = os.read(master, 65_536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    assert run.stdout is not None
    out = run.stdout.read()
    assert run.wait(30) == 0
    os.close(master)
    run.stdout.close()
    assert "scan" in said.decode(), "progress is on stderr"
    assert b"\x1b" not in out, "and not on stdout, which is a pipe here"
    assert out.startswith(b"prefix")
