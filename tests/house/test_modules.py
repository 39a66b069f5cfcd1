"""Modules are small, say what may live in them, and have names that mean something."""

from __future__ import annotations

import ast
from statistics import median

import pytest

from tests.house.source import MODULES, PACKAGE, Module

MOST = 600
MEDIAN = 200


def by_path(module: Module) -> str:
    return module.relative


def test_no_module_is_too_long(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = sorted(((m.lines, m.relative) for m in MODULES), reverse=True)
    middle = median(lines for lines, _ in sizes)
    with capsys.disabled():
        print(f" [{len(sizes)} modules, median {middle:.0f} lines, longest {sizes[0][1]} {sizes[0][0]}] ", end="")
    assert [s for s in sizes if s[0] > MOST] == []
    assert middle <= MEDIAN


@pytest.mark.parametrize("module", MODULES, ids=by_path)
def test_every_module_says_what_may_live_in_it(module: Module) -> None:
    assert (ast.get_docstring(module.tree) or "").strip()


def test_no_module_is_named_for_nothing() -> None:
    nothing = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
    # `base` is allowed where the thing itself is the base class of a model.
    assert [m.relative for m in MODULES if m.path.stem in nothing and m.relative != "redmodel/model/base.py"] == []


def test_every_room_is_a_package() -> None:
    bare = [p for p in PACKAGE.rglob("*") if p.is_dir() and p.name != "__pycache__" and any(p.glob("*.py"))]
    assert [p.name for p in [PACKAGE, *bare] if not (p / "__init__.py").exists()] == []


def test_the_package_says_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
