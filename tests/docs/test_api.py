"""The list of public names is complete, and says the truth about verbs, attributes and the tree of errors."""

from __future__ import annotations

import inspect
import re

import redmodel
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")


def _rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").replace("\\|", "¦").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def _quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_public_name_is_listed_once() -> None:
    names = [_quoted(row[0])[0] for heading in ("Models", "Queries", "Errors") for row in _rows(heading)]
    names += [name for row in _rows("Handles") if (name := _quoted(row[0])[0]) in redmodel.__all__]
    assert sorted(names) == sorted(redmodel.__all__)


def test_every_verb_is_listed() -> None:
    listed = {re.split(r"\W", name)[0] for row in _rows("Handles") for name in _quoted(row[0])}
    for handle in (redmodel.Database, redmodel.AsyncDatabase):
        public = {name for base in handle.__mro__[:-1] for name in vars(base) if not name.startswith("_")}
        assert public == listed - {"Database", "AsyncDatabase", "Transaction", "AsyncTransaction"}


def test_arguments_of_verbs_are_named_rightly() -> None:
    for row in _rows("Handles"):
        for call in _quoted(row[0]):
            verb, _, arguments = call.rstrip(")").partition("(")
            if not arguments:
                continue
            options = re.findall(r"(\w+)=…", arguments)
            for handle in (redmodel.Database, redmodel.AsyncDatabase):
                assert set(options) <= set(inspect.signature(getattr(handle, verb)).parameters), call


def test_the_tree_of_errors() -> None:
    for name, parent, when in _rows("Errors"):
        error = getattr(redmodel, name.strip("`"))
        assert error.__bases__[0].__name__ == parent.strip("`")
        attributes = _quoted(when)[-1].split() if when.endswith("`") and ". `" in when else []
        parameters = inspect.signature(error.__init__).parameters
        known = {name for name in parameters if name not in ("self", "message", "args", "kwargs")}
        known |= {name for name, value in vars(error).items() if isinstance(value, property)}
        if attributes:
            assert set(attributes) == known, name


def test_queries_and_pages_have_what_is_listed() -> None:
    listed = {
        _quoted(row[0])[0]: {word for cell in _quoted(row[1]) for word in cell.split()} for row in _rows("Queries")
    }
    for name in ("Query", "Page", "FieldRef"):
        words = {
            word for word in listed[name] if word.isidentifier() and word not in ("Database", "await", "async", "for")
        }
        assert words - set(dir(getattr(redmodel, name))) == set()
    terminals = {name for name in dir(redmodel.Query) if not name.startswith("_")}
    assert terminals <= listed["Query"]
