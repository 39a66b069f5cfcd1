"""``redmodel backup``: a copy of an embedded store as it is at one moment, also while an application uses it."""

from __future__ import annotations

import time
from pathlib import Path

from redmodel.cli import settings
from redmodel.cli.faults import CLEAN
from redmodel.cli.output import note
from redmodel.cli.spelling import size, took


def backup(url: str | None, directory: str) -> int:
    """Copy the store into the directory."""
    with settings.open_store(url, "backed up like this: a server makes its own, with BGSAVE") as db:
        began = time.perf_counter()
        copied = db.backup(Path(directory).expanduser())
        note(
            f"{size(copied)} in {directory} in {took(time.perf_counter() - began)}: open it with embedded://{directory}"
        )
    return CLEAN
