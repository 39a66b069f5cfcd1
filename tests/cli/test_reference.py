"""Every command has a help text, and the page about the commands is the one that they make."""

from __future__ import annotations

import inspect

import pytest
import typer

from redmodel.cli.app import app
from redmodel.cli.reference import page
from tests.cli.conftest import Cli
from tests.house.source import ROOT

PAGE = ROOT / "docs" / "reference" / "cli.md"
COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_text(cli: Cli, name: str) -> None:
    said = cli(name, "--help")
    assert said.code == 0
    callback = next(c.callback for c in app.registered_commands if c.callback and name in (c.name, c.callback.__name__))
    first = (inspect.getdoc(callback) or "").splitlines()[0]
    assert first
    assert first.endswith(".")
    assert first in said.out
    assert f"  redmodel {name}" in said.out, "its help has no example"
    assert f"  {first}" in cli("--help").out, "its first line is too long for the list of commands"


def test_the_page_is_what_the_commands_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## redmodel {name}\n" not in text] == []
    if f"typer {typer.__version__})" in text:  # another version may lay its help out in another way
        assert text == page(), "run: python -m redmodel.cli.reference > docs/reference/cli.md"
