"""``__all__`` is complete and true, wherever it stands; ruff (RUF022) keeps it sorted."""

from __future__ import annotations

import ast
import importlib

import pytest

from tests.house.source import MODULES, PACKAGE, Module


def declared(module: Module) -> list[str] | None:
    for node in module.tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            assert isinstance(node, (ast.Assign, ast.AnnAssign))
            assert node.value is not None
            names = ast.literal_eval(node.value)
            return list(names)
    return None


WITH_ALL = [m for m in MODULES if declared(m) is not None]


@pytest.mark.parametrize("module", WITH_ALL, ids=lambda m: m.relative)
def test_each_name_is_there(module: Module) -> None:
    names = declared(module)
    assert names is not None
    assert len(names) == len(set(names))
    loaded = importlib.import_module(module.name)
    assert [name for name in names if not hasattr(loaded, name)] == []


def test_the_package_names_all_it_offers() -> None:
    (package,) = [m for m in MODULES if m.path == PACKAGE / "__init__.py"]
    names = declared(package)
    assert names is not None, "redmodel/__init__.py has no __all__"
    imported = {
        alias.asname or alias.name
        for node in ast.walk(package.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("redmodel.")
        for alias in node.names
    }
    assert {name for name in imported if not name.startswith("_")} <= set(names)


def test_every_error_is_public() -> None:
    errors = importlib.import_module("redmodel.errors")
    package = importlib.import_module("redmodel")
    tree = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert tree <= set(package.__all__)
