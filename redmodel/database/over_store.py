"""Where the data of an ``embedded://`` or ``memory://`` target is: in this process, or in one that has the store.

May live here: who opens a directory, who is asked instead, who takes over when the owner goes, and what a forked child
forgets. How a question travels is the executors' business. The lock on the directory decides everything: whoever gets
it owns the store, until its process ends.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import ClassVar

from redmodel.database.client_lock_scripts import register_lock_scripts
from redmodel.database.forks import forget_after_fork
from redmodel.database.over_backup import answer_moments
from redmodel.database.over_recovery import answer_recovery
from redmodel.database.resending import pauses
from redmodel.database.url import Target
from redmodel.engine.engine import Engine
from redmodel.engine.storage.lock import refusal
from redmodel.engine.storage.shared import READ_ONLY, ReadOnlyLog, SharedLog, sharing_of
from redmodel.errors import ConnectionFailed, StorageError, StoreLocked
from redmodel.procedures import ALL
from redmodel.server.on_demand import OnDemandServer, unforked

logger = logging.getLogger(__name__)

SOCKET_NAME = "redmodel.sock"
_SOCKET_LIMIT = 100  # bytes of a path that every system's unix sockets take
_NAMING = 0.02  # seconds that an owner gets to say, after taking the lock, whether it shares

_CHILD = (
    "this client was made before the process forked, and the data is the parent's: take the handle's client anew "
    "in the child"
)


class Holder:
    """A directory or a name in memory, and the handles of this process that share it; the last one to leave closes it.

    Either ``engine`` is set, and the data is here; or ``place`` is, the socket of the process that has it; or neither,
    and `settle` finds out. ``turn`` counts how often that was found out.
    """

    _open: ClassVar[dict[str, Holder]] = {}
    _guard: ClassVar[Lock] = Lock()

    def __init__(self, target: Target, key: str | None) -> None:
        self.engine: Engine | None = None
        self.place: Path | None = None
        self.turn = 0
        self.target = target
        #: Why nothing can be done with it any more.
        self.refusal: str | None = None
        self._key = key
        #: What tells this data from others'.
        self.keyspace: object = key if key is not None else object()
        self._users = 0
        self._lock = Lock()
        self._storage: SharedLog | None = None
        self._server: OnDemandServer | None = None
        self._gone: list[OnDemandServer] = []  # whose sockets were deleted under them
        if target.kind == "memory":
            self.engine = _with_procedures(Engine())
        forget_after_fork(self)

    @classmethod
    def join(cls, target: Target) -> Holder:
        """The holder of a target: one for each directory or name in a process. Each `join` asks for a `leave`.

        Raises:
            StoreLocked: another process has the directory, and can't or must not be asked.
            StoreDamaged, StorageError: the directory can't be opened.
        """
        if target.kind == "embedded":
            key: str | None = os.path.realpath(target.path)
        else:
            key = f"memory://{target.path}" if target.path else None
        with cls._guard:
            holder = cls._open.get(key) if key is not None else None
            if holder is None or holder.refusal is not None:
                holder = cls(target, key)
                if key is not None:
                    cls._open[key] = holder
            holder._users += 1
        try:
            holder.settle(target.retry_seconds)
        except ConnectionFailed:
            holder.leave()
            owner = sharing_of(Path(target.path)).owner
            raise refusal(
                Path(target.path).absolute(), owner, "it is not ready for others yet: try again later"
            ) from None
        except BaseException:
            holder.leave()
            raise
        return holder

    def leave(self) -> None:
        """Give it up; the last one closes the store, and whoever else is attached to it takes over."""
        with self._guard:
            self._users -= 1
            if self._users:
                return
            if self._key is not None and self._open.get(self._key) is self:
                del self._open[self._key]
        with self._lock:
            self.refusal = self.refusal or "every handle on it is closed"
            server, self._server = self._server, None
            engine = self.engine
        for each in (*self._gone, server):
            if each is not None:
                each.stop()
        if engine is not None:
            engine.close()

    def doubt(self, turn: int) -> None:
        """Report that who was found in that turn doesn't answer."""
        with self._lock:
            if self.turn == turn:
                self.place = None

    def settle(self, patience: float = 0.0) -> None:
        """Find out where the data is, unless that is known; open the store if nobody has it, which may take its time.

        Raises:
            ConnectionFailed: somebody has it, but is not ready to be asked, after ``patience`` seconds; try again.
            StoreLocked: somebody has it who can't or must not be asked.
            StoreDamaged, StorageError: it can't be opened.
        """
        with self._lock:
            deadline = time.monotonic() + patience
            waits = pauses()
            while self.engine is None and self.place is None:
                if self.refusal is not None:
                    raise StorageError(self.refusal)
                if self._found():
                    self.turn += 1
                elif time.monotonic() >= deadline:
                    raise ConnectionFailed(
                        f"the owner of {self.target.path} went away, and who has the store now is not ready yet"
                    )
                else:
                    time.sleep(next(waits))

    def socket(self) -> Path:
        """The socket at which the data can be asked for, for redis-py's clients; this process's own if it has it.

        Raises:
            ConnectionFailed: it is not known yet; try again.
            StorageError: there is none.
        """
        self.settle()
        place = self._server.path if self._server is not None else self.place
        if place is None:
            raise StorageError(f"{self.target.path} is not shared: take the handle's client anew")
        return place

    def recover(self) -> None:
        """After the store here has failed and its cause is mended: write all data anew, and take writes again.

        Raises:
            StorageError: it still fails.
        """
        engine, storage, server = self.engine, self._storage, self._server
        if engine is None or storage is None:
            raise StorageError(f"{self.target.path} is not open for writing in this process")
        engine.recover()
        if server is not None and not server.path.exists():  # it went with the directory
            self._gone.append(server)  # who is connected through it stays so
            self._server = self._serve(engine, storage)

    def after_fork(self) -> None:
        """This process is a child: the engine is its parent's, who is asked for the data from now on."""
        self._lock = Lock()
        self._server = self._storage = None
        self._gone = []
        engine, self.engine = self.engine, None
        self.place = None
        self.turn += 1
        if engine is not None:
            engine.abandon(_CHILD)
        if self.target.kind == "memory":
            self.refusal = (
                "this handle was made before the process forked, and memory is not shared with a child: "
                "make a new handle in the child, or share an embedded:// store"
            )

    def _found(self) -> bool:
        directory = Path(self.target.path)
        try:
            with unforked:
                storage = (
                    ReadOnlyLog(directory)
                    if self.target.mode == "ro"
                    else SharedLog(directory, fsync=self.target.appendfsync)
                )
        except StoreLocked as locked:
            return self._found_owner(directory, locked)
        try:
            engine = _with_procedures(Engine(storage=storage))
            if isinstance(storage, SharedLog):
                storage.compact_if_due(engine.databases)
                answer_moments(engine, storage)
                answer_recovery(engine, self.recover)
                self._storage = storage
                self._server = self._serve(engine, storage)
            else:
                engine.refuse_writes(READ_ONLY)
        except BaseException:
            storage.close()  # and so unlock: the caller may mend the directory and try again
            raise
        self.engine = engine
        return True

    def _found_owner(self, directory: Path, locked: StoreLocked) -> bool:
        """Whether the owner can be asked now; an error if it never can."""
        sharing = sharing_of(directory)
        if sharing.owner.pid is not None and not sharing.owner.lines:
            time.sleep(_NAMING)
            sharing = sharing_of(directory)
        owner = sharing.owner
        if owner.pid is None or (owner.is_here and not _is_alive(owner.pid)):
            return False  # somebody reads it for a moment, or it is changing hands
        if not owner.is_here:
            raise refusal(
                directory.absolute(),
                owner,
                "that is another machine, and only processes of one machine share a store: close it there, or use a "
                "server",
            ) from locked
        if not self.target.attach:
            raise locked
        if sharing.alone:
            raise refusal(
                directory.absolute(),
                owner,
                "which does not share it (attach=no): close it there, or open it there without attach=no",
            ) from locked
        self.place = sharing.socket
        return self.place is not None

    def _serve(self, engine: Engine, storage: SharedLog) -> OnDemandServer | None:
        """Let others in, where the system has unix sockets and the target allows it."""
        if self.target.attach:
            for place in _places(storage.directory):
                try:
                    server = OnDemandServer(engine, place)
                except OSError as error:
                    logger.info("%s is not shared at %s: %s", storage.directory, place, error)
                    continue
                try:
                    storage.announce(place)
                except BaseException:
                    server.stop()
                    raise
                return server
        storage.announce(None)
        return None


def _with_procedures(engine: Engine) -> Engine:
    for procedure in ALL:
        engine.register_procedure(procedure.sha, procedure.native)
    register_lock_scripts(engine)  # for redis-py's clients in other processes
    return engine


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _places(directory: Path) -> Iterator[Path]:
    """Where the socket may be: in the directory, or in one of this user's, if the path is too long or unfit for it."""
    if sys.platform == "win32":
        return  # Python has no unix sockets there
    if len(os.fsencode(directory)) + len(SOCKET_NAME) < _SOCKET_LIMIT:
        yield directory / SOCKET_NAME
    name = blake2b(os.fsencode(os.path.realpath(directory)), digest_size=16).hexdigest() + ".sock"
    with suppress(OSError):
        yield _private_directory() / name


def _private_directory() -> Path:
    """A directory that no other user can write in or replace; raises `OSError`."""
    place = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"redmodel-{os.geteuid()}"
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
    found = place.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o170077 != 0o040000:
        raise PermissionError(f"{place} is not this user's own")
    return place


def _after_fork() -> None:
    Holder._guard = Lock()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
