"""The lines that the HELP subcommand of a container answers."""

from __future__ import annotations

from redmodel.engine.replies import Status


def help_lines(container: str, text: str) -> list[Status]:
    """Redis' frame around a container's own lines.

    Args:
        container: its name in upper case.
        text: the lines of its subcommands, without HELP.
    """
    first = f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    lines = [first, *text.strip("\n").split("\n"), "HELP", "    Prints this help."]
    return [Status(line.encode()) for line in lines]
