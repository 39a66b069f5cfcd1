"""The quick starts run as a user runs them, twice on the same data, and say what their readers are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BLOCKING = """\
by id: Ada
page: ['grace', 'Ada'] of 3
tagged: ['Ada']
either: 4
moved: Ada
refused: email belongs to Ada
gone: Login
"""
AWAITING = """\
strong: grace 50
strong: guido 50
strong: linus 50
last page: ['ada'] of 4
best: ['ada']
refused: ada
seated: 1
"""


@pytest.mark.parametrize(("name", "expected"), [("quickstart.py", BLOCKING), ("quickstart_async.py", AWAITING)])
def test_quickstart(name: str, expected: str, url: str, tmp_path: Path) -> None:
    environment = os.environ | {"REDMODEL_URL": url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name)]
    for _ in range(2):
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (ran.stdout, ran.stderr, ran.returncode) == (expected, "", 0)


def test_without_a_url_the_data_is_in_the_working_directory(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "REDMODEL_URL"}
    command = [sys.executable, str(ROOT / "examples" / "quickstart.py")]
    subprocess.run(command, cwd=tmp_path, env=environment | {"PYTHONPATH": str(ROOT)}, check=True, timeout=60)
    assert (tmp_path / "redmodel-data").is_dir()


def test_every_example_is_tested() -> None:
    found = {path.relative_to(ROOT / "examples").as_posix() for path in (ROOT / "examples").rglob("*.py")}
    assert found == {"quickstart.py", "quickstart_async.py", "web/app.py"}, "a new example needs a test here"
