"""What a procedure is, and the table of all of them. No procedure's own logic lives here.

A procedure is what must be atomic. It exists twice under one SHA: as a Lua script that Redis runs, and as a native twin
that the embedded engine runs. Both take the same keys and arguments and give the same reply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import Any, Protocol


class Context(Protocol):
    """What a native twin may do: run commands of the engine, and look at containers."""

    @property
    def now(self) -> int:
        """Milliseconds since the epoch; stands still during one procedure."""
        ...

    def call(self, name: bytes, /, *args: bytes) -> Any:
        """Run one command of the engine; its effects belong to this procedure's unit."""
        ...

    def owes_nothing(self) -> None:
        """Say that nobody asked for what was written so far: the caller neither waits for it, nor hears if it fails."""
        ...

    def value(self, key: bytes, /) -> Any:
        """The live container at ``key``, for reading only; None when there is no such key."""
        ...


Native = Callable[[Any, list[bytes], list[bytes]], Any]


@dataclass(frozen=True, slots=True)
class Procedure:
    """One atomic step: its Lua ``source``, the source's ``sha`` as EVALSHA takes it, and its ``native`` twin."""

    name: str
    native: Native
    source: str = field(repr=False)
    sha: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.source.encode()).hexdigest().encode())


def lua(*names: str) -> str:
    """The text of Lua files of this room, joined in order."""
    room = Path(__file__).parent
    return "\n".join((room / f"{name}.lua").read_text(encoding="utf-8") for name in names)
