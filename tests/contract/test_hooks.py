"""Hooks run around saves and deletes: what they change is saved, what they refuse is left untouched."""

from __future__ import annotations

from typing import Any

import pytest

from redmodel import (
    AsyncDatabase,
    Database,
    Indexed,
    Model,
    QueryError,
    SchemaError,
    after_delete,
    after_save,
    before_delete,
    before_save,
)

SEEN: list[str] = []


class Base(Model):
    @before_save
    def first(self) -> None:
        SEEN.append(f"base {self.id}")

    @before_save
    def renamed(self) -> None:
        SEEN.append("never, as it is overridden")


class Doc(Base, prefix="hook-docs"):
    title: Indexed[str]
    words: int = 0

    @before_save
    def count(self) -> None:
        if self.title == "refused":
            raise ValueError("no such title")
        self.words = len(self.title.split())
        SEEN.append(f"count {self.id}")

    def renamed(self) -> None:
        SEEN.append(f"override {self.id}")

    @after_save
    def told(self) -> None:
        SEEN.append(f"saved {self.id}")

    @before_delete
    def keep(self) -> None:
        if self.title == "kept":
            raise PermissionError(self.title)
        SEEN.append(f"deleting {self.id}")

    @after_delete
    def gone(self) -> None:
        SEEN.append(f"deleted {self.id}")


class Mail(Model, prefix="hook-mails"):
    text: str
    sent: bool = False

    @before_save
    async def send(self) -> None:
        self.sent = True

    @after_save
    async def log(self) -> None:
        SEEN.append(f"mailed {self.id}")


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def test_they_run_in_order_and_what_they_change_is_saved(db: Any) -> None:
    doc = Doc(id="1", title="one two three")
    assert db.save(doc)
    assert db.get(Doc, "1").words == doc.words == 3
    assert SEEN == ["base 1", "override 1", "count 1", "saved 1"]
    doc.title = "one"
    assert not db.save(doc)
    assert db.get(Doc, "1").words == 1


def test_what_refuses_a_save_leaves_all_untouched(db: Any, raw: Any) -> None:
    db.save(Doc(id="1", title="fine"))
    before = sorted(raw("KEYS", "*")), raw("HGETALL", "hook-docs:1")
    doc = db.get(Doc, "1")
    doc.title = "refused"
    SEEN.clear()
    with pytest.raises(ValueError, match="no such title"):
        db.save(doc)
    with pytest.raises(ValueError, match="no such title"):
        db.save_many([Doc(id="2", title="fine"), Doc(id="3", title="refused")])
    assert (sorted(raw("KEYS", "*")), raw("HGETALL", "hook-docs:1")) == before
    assert not any(line.startswith("saved") for line in SEEN)


def test_they_run_for_each_record_of_many(db: Any) -> None:
    docs = [Doc(id=str(n), title="a b") for n in range(3)]
    assert db.save_many(docs) == 3
    assert [line for line in SEEN if line.startswith(("count", "saved"))] == [
        *(f"count {n}" for n in range(3)),
        *(f"saved {n}" for n in range(3)),
    ]
    SEEN.clear()
    assert db.delete_many(Doc, ["0", docs[1], "none"]) == 2
    assert SEEN == ["deleting 0", "deleting 1", "deleted 0", "deleted 1"]
    assert db.count(Doc) == 1


def test_a_delete_runs_them_also_by_id(db: Any) -> None:
    db.save_many([Doc(id="1", title="a"), Doc(id="2", title="b"), Doc(id="3", title="kept")])
    SEEN.clear()
    assert db.delete(Doc, "1") and db.delete(db.get(Doc, "2"))
    assert SEEN == ["deleting 1", "deleted 1", "deleting 2", "deleted 2"]
    assert not db.delete(Doc, "1")
    for ask in (lambda: db.delete(Doc, "3"), lambda: db.delete_many(Doc, ["3"])):
        with pytest.raises(PermissionError):
            ask()
    assert db.exists(Doc, "3") and db.count(Doc, Doc.title == "kept") == 1


def test_a_change_without_an_object_runs_none(db: Any) -> None:
    db.save(Doc(id="1", title="a"))
    SEEN.clear()
    db.update(Doc, "1", title="b c")
    assert SEEN == [] and db.get(Doc, "1").words == 1


def test_async_hooks_are_awaited_or_refused_before_anything_is_done() -> None:
    import asyncio

    with Database("memory://hooks-async") as db:
        mail = Mail(id="1", text="hi")
        for ask in (lambda: db.save(mail), lambda: db.save_many([mail])):
            with pytest.raises(QueryError, match="AsyncDatabase"):
                ask()
        assert not mail.sent and not db.exists(Mail, "1") and SEEN == []

        async def main() -> bool:
            async with AsyncDatabase("memory://hooks-async") as other:
                await other.save(mail)
                return (await other.get(Mail, "1")).sent

        assert asyncio.run(main())
    assert SEEN == ["mailed 1"]


def test_what_can_be_no_hook_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(SchemaError, match="plain method"):

        class Wrong(Model, prefix="hook-wrong"):
            @before_save
            @staticmethod
            def loose() -> None: ...
