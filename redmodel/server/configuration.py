"""From the words of a command line to settings: the file, stdin and the options of ``redmodel serve``.

May live here: reading, and what of it this server refuses. What a setting does stands elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from redmodel.engine.access.control import AccessControl
from redmodel.engine.access.users import merge_selectors
from redmodel.engine.commands.tables import COMMANDS
from redmodel.engine.engine import Engine
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
    given: bool  #: whether there was a file, an option or stdin


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
    configuration = Configuration(Settings(), [], [], [], bool(text))
    if path is not None:
        configuration.settings.file = str(path)
    saves = False
    seen: set[bytes] = set()
    access = AccessControl(configuration.settings)
    for line in directives(text):
        name, *words = line.words
        if name == "user":
            _check_user(access, seen, line)
            configuration.users.append(line)
        elif name == "rename-command" and len(words) == 2:
            _check_rename(configuration, line)
            configuration.renamed.append(line)
        elif name in _ELSEWHERE:
            raise BadConfig(line.number, line.text, f"{name} is not supported by this server")
        else:
            if name == "save" and words != [""]:
                # The first line replaces the default, each further one adds to it.
                words = [*(configuration.settings.shown("save").split() if saves else ()), *words]
            saves = saves or name == "save"
            _take(configuration, line, name, words)
    return configuration


def _take(configuration: Configuration, line: Line, name: str, words: list[str]) -> None:
    settings = configuration.settings
    try:
        settings.read(name, words)
        value = " ".join(words).lower()
        if name in _REFUSED and value == "yes":
            raise SettingError(name, _REFUSED[name])
        if name in ("replicaof", "slaveof") and value != "no one":
            reason = (
                "this server can have replicas, and can't be one" if len(words) == 2 else "wrong number of arguments"
            )
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


def _check_user(access: AccessControl, seen: set[bytes], line: Line) -> None:
    words = [word.encode("utf-8", "surrogateescape") for word in line.words]
    if len(words) < 2:
        raise BadConfig(line.number, line.text, "wrong number of arguments")
    if words[1] in seen:
        raise BadConfig(
            line.number,
            line.text,
            f"Error in user declaration '{line.words[1]}': "
            "Duplicate user found. A user can only be defined once in config files",
        )
    seen.add(words[1])
    user = access.new(words[1])
    where = line.words[0]
    try:
        for at, rule in enumerate(merge_selectors(words[2:])):
            where = line.words[at]  # as Redis, which counts from the line's first word
            user.apply(rule)
    except ValueError as error:
        raise BadConfig(line.number, line.text, f"Error in user declaration '{where}': {error}") from None
    access.users[words[1]] = user


def _check_rename(configuration: Configuration, line: Line) -> None:
    names = {name.lower() for name in COMMANDS}
    for earlier in configuration.renamed:
        names.discard(earlier.words[1].lower().encode())
        names.add(earlier.words[2].lower().encode())
    if line.words[1].lower().encode() not in names:
        raise BadConfig(line.number, line.text, "No such command in rename-command")
    if line.words[2] and line.words[2].lower().encode() in names:
        raise BadConfig(line.number, line.text, "Target command name already exists")


def set_up(engine: Engine, configuration: Configuration) -> None:
    """Give an engine the users and the names of commands that were read.

    Raises:
        RuleError: the aclfile is wrong.
        OSError: it can't be read.
    """
    access = engine.access
    if configuration.users:
        lines = [[word.encode("utf-8", "surrogateescape") for word in line.words] for line in configuration.users]
        access.add(access.parse(enumerate(lines, 1)))
    if configuration.settings.text("aclfile"):
        access.load()
    if configuration.renamed:
        commands = dict(engine.commands)
        for line in configuration.renamed:
            old, new = (word.encode("utf-8", "surrogateescape") for word in line.words[1:])
            command = commands.pop(old.lower())
            commands.pop(old.upper())
            if new:
                commands[new.lower()] = commands[new.upper()] = command
        engine.commands = commands


def fatal(error: BadConfig) -> str:
    """What redis-server prints before it gives up."""
    return (
        f"\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***\n"
        f"Reading the configuration file, at line {error.number}\n{'>' * 3} '{error.text}'\n{error.reason}\n"
    )
