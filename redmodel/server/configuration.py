"""From the words of a command line to settings: the file, stdin and the options of ``redmodel serve``.

May live here: reading, and what of it this server refuses. What a setting does stands elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from redmodel.engine.settings import Settings
from redmodel.engine.settings.file import BadConfig, Line, directives, options_text
from redmodel.engine.settings.settings import SettingError, UnknownSetting
from redmodel.engine.version import REDIS_VERSION

# What redis-server has and this server hasn't: directive, and the values that ask for it.
_REFUSED = {
    "daemonize": "the server runs in the foreground: leave that to your service manager, or end the line with &",
    "cluster-enabled": "there is no cluster mode",
}
_IGNORED = ("syslog-enabled", "activedefrag", "io-threads-do-reads", "tls-replication", "tls-cluster")
_ELSEWHERE = ("loadmodule", "sentinel")


class Configuration(NamedTuple):
    """All that was read."""

    settings: Settings
    users: list[Line]  #: the ``user`` lines
    renamed: list[Line]  #: the ``rename-command`` lines
    notes: list[str]  #: what is accepted and not obeyed


def read(arguments: Sequence[str], stdin: TextIO) -> Configuration:
    """Read what redis-server would: ``[file] [options] [-]``.

    Raises:
        BadConfig: a line that can't be obeyed.
        OSError: the file can't be opened.
    """
    arguments = list(arguments)
    path: Path | None = None
    text = ""
    if arguments and not arguments[0].startswith("-"):
        path = Path(arguments.pop(0)).absolute()
        text = path.read_text("utf-8", "surrogateescape")
    from_stdin = "-" in arguments
    if from_stdin:
        arguments.remove("-")
        text += "\n" + stdin.read() if text else stdin.read()
    if arguments:
        text += ("\n" if text else "") + options_text(arguments)
    configuration = Configuration(Settings(), [], [], [])
    if path is not None:
        configuration.settings.file = str(path)
    saves = False
    for line in directives(text):
        name, *words = line.words
        if name == "user":
            configuration.users.append(line)
        elif name == "rename-command" and len(words) == 2:
            configuration.renamed.append(line)
        elif name in _ELSEWHERE:
            raise BadConfig(line.number, line.text, f"{name} is not supported by this server")
        else:
            if name == "save" and words not in ([""], []):
                # The first line replaces the default, each further one adds to it.
                words = [*(configuration.settings.shown("save").split() if saves else ()), *words]
            saves = saves or name == "save"
            _take(configuration, line, name, words)
    return configuration


def _take(configuration: Configuration, line: Line, name: str, words: list[str]) -> None:
    settings = configuration.settings
    try:
        if name in ("save", "client-output-buffer-limit") and not words:
            raise SettingError(name, "wrong number of arguments")
        settings.read(name, words)
        value = " ".join(words).lower()
        if name in _REFUSED and value == "yes":
            raise SettingError(name, _REFUSED[name])
        if name in ("replicaof", "slaveof") and value != "no one":
            reason = "there is no replication" if len(words) == 2 else "wrong number of arguments"
            raise SettingError(name, reason)
        if name == "dir":
            os.chdir(words[0])
            settings.preset("dir", str(Path.cwd()))
        if name in _IGNORED and value == "yes":
            configuration.notes.append(f"{name} is accepted, and not obeyed by this server")
    except UnknownSetting:
        raise BadConfig(line.number, line.text, "Bad directive or wrong number of arguments") from None
    except SettingError as error:
        raise BadConfig(line.number, line.text, error.reason) from None
    except OSError as error:
        raise BadConfig(line.number, line.text, error.strerror or str(error)) from None


def fatal(error: BadConfig) -> str:
    """What redis-server prints before it gives up."""
    return (
        f"\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***\n"
        f"Reading the configuration file, at line {error.number}\n{'>' * 3} '{error.text}'\n{error.reason}\n"
    )
