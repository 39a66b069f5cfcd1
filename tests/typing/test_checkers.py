"""mypy and pyright agree with good.py, and find each mistake of mistakes.py on its line."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = [HERE / "good.py", HERE / "mistakes.py"]

Place = tuple[str, int]


def with_mypy(folder: Path) -> dict[Place, str]:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={folder}",
        "--no-error-summary",
    ]
    run = subprocess.run([*command, *map(str, FILES)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert not run.stderr, run.stderr
    found = re.finditer(r"^([^:\n]*):(\d+): error: (.*)$", run.stdout, re.MULTILINE)
    names = {file.name for file in FILES}  # errors of the library itself are another check's business
    return {(Path(match[1]).name, int(match[2])): match[3] for match in found if Path(match[1]).name in names}


def with_pyright(folder: Path) -> dict[Place, str]:
    settings = {
        "include": [file.name for file in FILES],
        "extraPaths": [str(ROOT)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        # A mistake is often an expression whose value is not used, and a comparison that can't be true.
        "reportUnusedExpression": False,
        "reportUnnecessaryComparison": False,
    }
    for file in FILES:  # pyright wants what it checks below its settings
        shutil.copy(file, folder)
    project = folder / "pyrightconfig.json"
    project.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(project)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        (Path(entry["file"]).name, entry["range"]["start"]["line"] + 1): entry["message"]
        for entry in json.loads(run.stdout)["generalDiagnostics"]
        if entry["severity"] == "error"
    }


def expected() -> set[Place]:
    return {
        (file.name, number)
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if line.endswith("# error")
    }


@pytest.mark.slow
@pytest.mark.parametrize("checker", [with_mypy, with_pyright])
def test_checkers_find_the_mistakes_and_nothing_else(checker: object, tmp_path: Path) -> None:
    assert callable(checker)
    found = checker(tmp_path)
    wanted = expected()
    assert len(wanted) > 30
    assert {place: text for place, text in found.items() if place not in wanted} == {}
    assert sorted(wanted - set(found)) == []


def test_what_is_typed_well_also_runs() -> None:
    runpy.run_path(str(HERE / "good.py"))
