"""What the house tests look at: every module of redmodel as a file, a dotted name and a syntax tree."""

from __future__ import annotations

import ast
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "redmodel"


class Import(NamedTuple):
    """One imported module: its dotted name, its line, and whether only type checkers see it."""

    name: str
    line: int
    typing_only: bool
    lazy: bool


class Module:
    """One source file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.relative = path.relative_to(ROOT).as_posix()
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.text = path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.relative)

    @property
    def room(self) -> str:
        """The directory or file right under ``redmodel/``; empty for the package itself."""
        return self.name.partition(".")[2].partition(".")[0]

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def imports(self) -> list[Import]:
        found: list[Import] = []

        def walk(node: ast.AST, typing_only: bool, lazy: bool) -> None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.Import):
                    found.extend(Import(a.name, child.lineno, typing_only, lazy) for a in child.names)
                elif isinstance(child, ast.ImportFrom):
                    assert child.level == 0, f"{self.relative}:{child.lineno}: relative import"
                    base = child.module or ""
                    # `from redmodel import engine` imports the room as much as `import redmodel.engine` does.
                    names = [f"{base}.{a.name}" for a in child.names] if base == "redmodel" else [base]
                    found.extend(Import(name, child.lineno, typing_only, lazy) for name in names)
                elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                    for inner in child.body:
                        walk(ast.Module([inner], []), True, lazy)
                    for inner in child.orelse:
                        walk(ast.Module([inner], []), typing_only, lazy)
                else:
                    inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                    walk(child, typing_only, lazy or inside)

        walk(self.tree, False, False)
        return found


MODULES = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]
