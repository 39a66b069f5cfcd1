"""The commands of ``redmodel``: typer and rich over library calls, no ability of their own.

Importing this package imports nothing else: ``redmodel --help`` must be quick. Each command has its file, which is
imported when it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; ``args`` are the process's own by default."""
    words = sys.argv[1:] if args is None else list(args)
    try:
        if words[:1] == ["serve"] and not {"--help", "-h"}.intersection(words):
            from redmodel.server.program import main as serve

            return serve(words[1:])  # what app's serve does, without the time that typer takes to start
        from redmodel.cli.app import run

        return run(args)
    except KeyboardInterrupt:  # before any command could take it
        return 130
