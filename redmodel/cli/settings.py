"""Which keyspace and which models a command means: options, then the environment, then ``[tool.redmodel]``."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from redmodel.cli.faults import Refused
from redmodel.database.backend import Backend, open_backend
from redmodel.database.database import Database
from redmodel.database.url import VARIABLE, Target, parse

MODELS = "REDMODEL_MODELS"
PATIENCE = 1.0
"""Seconds that a person waits for a server that can't be reached, unless the URL says another ``retry_seconds``."""

_LOGS = ("appendonlydir", "appendonly.aof")


@cache
def _project(directory: str) -> dict[str, Any]:
    path = Path(directory) / "pyproject.toml"
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refused(f"can't read {path}: {error}") from None
    tool = read.get("tool")
    section: Any = cast("dict[str, Any]", tool).get("redmodel") if isinstance(tool, dict) else None
    return cast("dict[str, Any]", section) if isinstance(section, dict) else {}


def project() -> dict[str, Any]:
    """``[tool.redmodel]`` of the pyproject.toml in the working directory."""
    return _project(str(Path.cwd()))


def url_of(option: str | None) -> str | None:
    """The URL that is meant; None means the embedded store in ``./redmodel-data``."""
    url = option or os.environ.get(VARIABLE) or project().get("url")
    if url is not None and not isinstance(url, str):
        raise Refused("[tool.redmodel] url must be a text")
    return url


def models_of(option: Sequence[str]) -> list[str]:
    """The modules, or ``module:Class``, in which models are looked for."""
    if option:
        return list(option)
    if named := os.environ.get(MODELS):
        return [name.strip() for name in named.split(",") if name.strip()]
    listed = project().get("models", [])
    names = cast("list[Any]", listed) if isinstance(listed, list) else [None]  # type: ignore[redundant-cast]
    if not all(isinstance(name, str) for name in names):
        raise Refused('[tool.redmodel] models must be a list of texts, as in models = ["app.models"]')
    return [str(name) for name in names]


def target_of(option: str | None) -> tuple[str, Target]:
    """The URL that is meant, and what it says; nothing need be there yet."""
    url = url_of(option) or "embedded://./redmodel-data"
    return url, parse(url)


def existing(option: str | None) -> tuple[str, Target]:
    """The URL that is meant, and what it says; an embedded store must be there."""
    url, target = target_of(option)
    if target.kind == "embedded" and not any((Path(target.path) / name).exists() for name in _LOGS):
        snapshot = Path(target.path) / "dump.rdb"
        if snapshot.exists():
            raise Refused(
                f"there is no embedded store in {target.path}, but an RDB file, which is not loaded by itself: "
                f"`redmodel import {snapshot} --dir {target.path} --write` makes a store of it"
            )
        raise Refused(
            f"there is no embedded store in {target.path}: name one with --url embedded://directory, a server with "
            f"--url redis://host, or make one with `redmodel demo`"
        )
    return url, target


def patience(url: str | None) -> float | None:
    """How long to try; None where the URL says it."""
    return None if url is not None and "retry_seconds=" in url else PATIENCE


def _for_reading(option: str | None) -> str:
    """The URL, with which an embedded store is asked for or read, and never written."""
    url, target = existing(option)
    if target.kind != "embedded" or "mode=" in url.partition("?")[2]:
        return url
    return f"{url}{'&' if '?' in url else '?'}mode=ro"


def open_for_reading(option: str | None) -> Database:
    """A handle that never writes, on a keyspace that is there."""
    url = _for_reading(option)
    return Database(url, read_only=True, retry_seconds=patience(url))


def open_for_looking(option: str | None) -> Backend:
    """The back end of a keyspace that is there, for plans that read any key."""
    url = _for_reading(option)
    return open_backend(url, retry_seconds=patience(url), timeout=None)


def open_for_writing(option: str | None) -> Database:
    """A handle on a keyspace that is there, for a command that was told to write."""
    url, _ = existing(option)
    return Database(url, retry_seconds=patience(url))


def open_store(option: str | None, purpose: str) -> Database:
    """A handle on an embedded store that is there, owned or attached; nothing else serves the purpose."""
    url, target = existing(option)
    if target.kind != "embedded":
        raise Refused(f"only an embedded store is {purpose}")
    return Database(url, retry_seconds=patience(url))
