"""What ``with db.edit(User, id) as user:`` enters and leaves, in both colours."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, TypeVar

from redmodel.database.driver import AsyncExecutor, Executor, run, run_async
from redmodel.model import Model
from redmodel.plan.edit import save_edit
from redmodel.plan.get import get
from redmodel.plan.registration import Registered

M = TypeVar("M", bound=Model)


class Edit(Generic[M]):
    """Loads a record when it is entered, and saves what was changed when it is left without an exception."""

    def __init__(self, model: type[M], id: object, executor: Executor, writer: Executor, known: Registered) -> None:
        self._model, self._id = model, id
        self._executor, self._writer, self._known = executor, writer, known
        self._record: M | None = None

    def __enter__(self) -> M:
        self._record = record = run(get(self._model, self._id), self._executor)
        return record

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._record is not None:
            run(save_edit(self._record, self._known), self._writer)


class AsyncEdit(Generic[M]):
    """The same, awaited."""

    def __init__(
        self, model: type[M], id: object, executor: AsyncExecutor, writer: AsyncExecutor, known: Registered
    ) -> None:
        self._model, self._id = model, id
        self._executor, self._writer, self._known = executor, writer, known
        self._record: M | None = None

    async def __aenter__(self) -> M:
        self._record = record = await run_async(get(self._model, self._id), self._executor)
        return record

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._record is not None:
            await run_async(save_edit(self._record, self._known), self._writer)
