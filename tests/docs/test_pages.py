"""Every block of the documentation runs, on the embedded engine and on a real Redis; every link leads somewhere."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, commands, pages
from tests.docs.run_page import NOT_RUN, not_run
from tests.servers import RealServer

PAGES = pages()
RUN = [name for name, path in PAGES.items() if any(b.language in ("python", "console") for b in blocks(path))]
# Commands that a console block may call, and which are then run.
KNOWN = ("redmodel ", "redis-cli ", "python ")


def _tool(directory: Path, name: str, line: str) -> None:
    """A command of this name, for the console blocks."""
    path = directory / name
    path.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("backend", ["embedded", "redis7"])
@pytest.mark.parametrize("name", RUN)
def test_the_page_runs(name: str, backend: str, redis7: RealServer, tmp_path: Path) -> None:
    redis7.flush()
    tools, place = tmp_path / "bin", tmp_path / "place"
    tools.mkdir()
    place.mkdir()
    (place / "examples").symlink_to(ROOT / "examples")
    _tool(tools, "redmodel", f"{sys.executable} -m redmodel.cli")
    _tool(tools, "python", sys.executable)
    client = shutil.which("redis-cli", path="/usr/bin:/usr/local/bin:" + os.environ["PATH"])
    if client is not None:
        _tool(tools, "redis-cli", f"{client} -s {redis7.socket_path}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("REDMODEL_", "PYTEST_"))} | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DOCS_SERVER": redis7.tcp_url,
        "COLUMNS": "120",
    }
    if backend == "redis7":
        environment["REDMODEL_URL"] = redis7.tcp_url
    command = [sys.executable, "-W", "error", "-m", "tests.docs.run_page", str(PAGES[name])]
    ran = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if ran.returncode or ran.stdout or ran.stderr:
        pytest.fail(f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}", pytrace=False)


@pytest.mark.parametrize("name", PAGES)
def test_no_block_is_silently_left_out(name: str) -> None:
    for block in blocks(PAGES[name]):
        where = f"{name}:{block.line}"
        if block.language == "console":
            for command, _ in commands(block):
                assert command.startswith(KNOWN) or not_run(command), f"{where}: {command} is neither run nor excused"
        elif block.language == "toml":
            tomllib.loads(block.text)
        else:
            assert block.language == "python", f"{where}: nothing runs a block of {block.language or 'no language'}"


def test_every_excuse_is_needed() -> None:
    written = [c for path in PAGES.values() for b in blocks(path) if b.language == "console" for c, _ in commands(b)]
    assert [start for start in NOT_RUN if not any(c == start or c.startswith(start + " ") for c in written)] == []


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", PAGES[name].read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        place, _, anchor = target.partition("#")
        if place.startswith(("http://", "https://")):
            continue
        file = (PAGES[name].parent / place).resolve() if place else PAGES[name]
        assert file.exists(), f"{name}: {target}"
        if anchor:
            assert anchor in _anchors(file), f"{name}: {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_site_names_every_page() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
