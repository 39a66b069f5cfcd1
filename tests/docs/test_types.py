"""What a reader copies is typed to the end: the pages that teach pass mypy --strict, errors on purpose included."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, blocks, pages

TEACHING = ["README.md", "docs/index.md", "docs/tutorial.md", "docs/how-to/fastapi.md", "docs/how-to/testing.md"]


def test_the_pages_are_strictly_typed(tmp_path: Path) -> None:
    for name in TEACHING:
        page: list[str] = []
        for block in blocks(pages()[name]):
            file = re.match(r"# (\w+\.py)\n", block.text)
            if block.language == "python" and file is not None:
                (tmp_path / file[1]).write_text(block.text)
            elif block.language == "python":
                page.append(block.text)
        (tmp_path / (re.sub(r"\W", "_", name) + ".py")).write_text("\n".join(page))
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir=cache", "."]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=170, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
