"""``redmodel recover``: an embedded store whose disk failed takes writes again, in the application that has it open."""

from __future__ import annotations

from redmodel.cli import settings
from redmodel.cli.faults import CLEAN
from redmodel.cli.output import note


def recover(url: str | None) -> int:
    """Ask whoever owns the store to recover it."""
    with settings.open_store(url, "recovered like this: a server looks after its own disk") as db:
        db.recover()
    note("the store takes writes")
    return CLEAN
