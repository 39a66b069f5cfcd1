"""The pages of the documentation: where they are, and their fenced blocks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(?:<!-- (.*?) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: its language, its text, the line of the page on which the text begins, and the back end.

    ``only`` is "embedded" or "redis" where the comment above the block says so (``<!-- redis only -->``), else empty.
    """

    language: str
    text: str
    line: int
    only: str


def pages() -> dict[str, Path]:
    """Every page by its name; the command line's reference is made from ``--help`` and held by the tests of the CLI."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    named = {path.relative_to(ROOT).as_posix(): path for path in found}
    named.pop("docs/reference/cli.md", None)
    return named


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        only = (match[1] or "").removesuffix(" only")
        assert only in ("", "embedded", "redis"), f"{page}: no block can be marked {match[1]!r}"
        found.append(Block(match[2], match[3], text.count("\n", 0, match.start(3)) + 1, only))
    return found


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the output that the page shows for it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        elif found:
            found[-1][1].append(line)
        else:
            raise AssertionError(f"line {block.line}: a console block begins with '$ ', not with {line!r}")
    return found
