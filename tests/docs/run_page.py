"""Runs one page as its reader would, in a process of its own: python and console blocks, in order, in one directory.

Called as ``python -m tests.docs.run_page PAGE``. The environment says where: ``REDMODEL_URL`` (absent: the embedded
store) takes the place of ``memory://``, and ``DOCS_SERVER`` that of ``redis://localhost``.

What a python block prints is compared with its ``#>`` lines, what a command prints with the lines under it. There
``...`` stands for anything, and spaces count as one. A block that begins with ``# name.py`` is saved under that name.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import types
from pathlib import Path

from tests.docs.pages import Block, blocks, commands

# Commands that are not run here, each with the reason.
NOT_RUN = {
    "git clone": "there is no network in a test",
    "cd redmodel": "goes with the clone",
    "make": "the targets of the Makefile set up an environment of their own; CI runs them",
    "redmodel serve": "does not end; tests/server/test_program.py runs it",
    "uvicorn": "does not end; tests/examples/test_web.py runs the application",
}


def not_run(command: str) -> bool:
    return any(command == start or command.startswith(start + " ") for start in NOT_RUN)


def substituted(text: str) -> str:
    server, url = os.environ["DOCS_SERVER"], os.environ.get("REDMODEL_URL")
    text = re.sub(r"redis://localhost(:6379)?\b", server, text)
    return re.sub(r"memory://\w*", url, text) if url else text


def check(where: str, expected: list[str], printed: str) -> None:
    def plain(line: str) -> str:
        return " ".join(line.split())

    wanted, got = [plain(line) for line in expected], [plain(line) for line in printed.splitlines()]
    while wanted and not wanted[-1]:
        wanted.pop()
    while got and not got[-1]:
        got.pop()
    if "..." in wanted:  # a line of dots stands for any lines
        at = wanted.index("...")
        ends = len(wanted) - at - 1
        pairs = [*zip(wanted[:at], got, strict=False), *zip(wanted[at + 1 :], got[len(got) - ends :], strict=False)]
        same = len(got) >= len(wanted) - 1
    else:
        pairs, same = list(zip(wanted, got, strict=False)), len(wanted) == len(got)
    same = same and all(
        re.fullmatch(".*".join(map(re.escape, want.split("..."))), line) is not None for want, line in pairs
    )
    if not same:
        raise SystemExit(f"{where}\nthe page shows:\n" + "\n".join(expected) + "\nit printed:\n" + printed)


def run_python(page: Path, block: Block, namespace: dict[str, object]) -> None:
    file = re.match(r"# (\w+\.py)\n", block.text)
    if file is not None:  # the reader saves it, and imports it in the next block
        Path(file[1]).write_text(substituted(block.text))
        return
    source = "\n" * (block.line - 1) + substituted(block.text)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, str(page), "exec"), namespace)
    except BaseException:
        sys.stderr.write(printed.getvalue())
        raise
    expected = [line.partition("#>")[2] for line in block.text.splitlines() if line.lstrip().startswith("#>")]
    check(f"{page}:{block.line}", expected, printed.getvalue())


def run_console(page: Path, block: Block) -> None:
    for command, expected in commands(block):
        if not_run(command):
            continue
        ran = subprocess.run(
            ["bash", "-c", substituted(command)], capture_output=True, text=True, timeout=60, check=False
        )
        if ran.returncode not in (0, 1):
            raise SystemExit(f"{page}:{block.line}: {command}: exit code {ran.returncode}: {ran.stderr}")
        check(f"{page}:{block.line}: {command}\n{ran.stderr}", expected, ran.stdout)


def main(page: Path) -> None:
    module = types.ModuleType("page")  # Pydantic looks for the names of annotations in the module of a class
    sys.modules["page"] = module
    here = "redis" if "REDMODEL_URL" in os.environ else "embedded"
    for block in blocks(page):
        if block.only not in ("", here):
            continue  # the other run of this page has it
        if block.language == "python":
            run_python(page, block, module.__dict__)
        elif block.language == "console":
            run_console(page, block)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
