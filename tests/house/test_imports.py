"""Imports go one way, third-party packages stay in their rooms, and ``import redmodel`` loads little."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.source import MODULES, PACKAGE, ROOT, Module

EVERYTHING = None
ROOMS: dict[str, set[str] | None] = {
    "errors": set(),
    "arithmetic": set(),
    "model": {"arithmetic", "errors"},
    "procedures": {"arithmetic", "errors"},
    "engine": {"arithmetic", "errors"},
    "resp": {"errors"},
    "plan": {"arithmetic", "errors", "model", "procedures"},
    "survey": {"errors", "model", "plan"},
    "database": {"errors", "model", "plan", "procedures"},
    "server": {"engine", "errors", "resp"},
    "cli": EVERYTHING,
    "fastapi": EVERYTHING,
    "pytest_plugin": EVERYTHING,
    "": EVERYTHING,
}
# Where a package that is slow to import, or belongs to one back end, may be imported.
IN_ITS_ROOM = {
    "redis": ("database/over_", "database/client", "engine/client", "cli/"),
    "hiredis": ("database/over_", "database/client", "engine/storage/"),
    "fakeredis": ("database/over_",),
    "asyncio": ("database/", "server/", "engine/client", "cli/", "fastapi.py", "pytest_plugin.py"),
    "typer": ("cli/",),
    "click": (),
    "rich": ("cli/",),
    "pydantic": ("model/", "database/", "plan/", "cli/", "fastapi.py", "survey/"),
    "pydantic_core": ("model/",),
}


def by_path(module: Module) -> str:
    return module.relative


@pytest.mark.parametrize("module", MODULES, ids=by_path)
def test_rooms_import_one_way(module: Module) -> None:
    assert module.room in ROOMS, f"{module.relative}: a new room; say in tests/house/test_imports.py what it may import"
    allowed = ROOMS[module.room]
    if allowed is EVERYTHING:
        return
    may_engine = module.room == "database" and module.path.name.startswith(("over_", "client"))
    for imported in module.imports:
        head, _, rest = imported.name.partition(".")
        room = rest.partition(".")[0]
        if head != "redmodel" or room == module.room:
            continue
        assert room, f"{module.relative}:{imported.line}: imports the whole package; import the room"
        assert room in allowed or (room in ("engine", "server") and may_engine), (
            f"{module.relative}:{imported.line}: {module.room or 'redmodel'} must not import {room}"
        )


@pytest.mark.parametrize("module", MODULES, ids=by_path)
def test_third_party_stays_in_its_room(module: Module) -> None:
    inside = module.path.relative_to(PACKAGE).as_posix()
    for imported in module.imports:
        places = IN_ITS_ROOM.get(imported.name.partition(".")[0])
        if places is None or imported.typing_only:
            continue
        assert inside.startswith(places), f"{module.relative}:{imported.line}: {imported.name} belongs in {places}"


def test_import_redmodel_loads_no_client_and_no_terminal() -> None:
    script = "import sys, redmodel; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = set(said.split())
    assert "redmodel" in loaded
    assert not loaded & {"redis", "hiredis", "fakeredis", "typer", "rich", "asyncio", "lupa", "fastapi", "airportsdata"}
