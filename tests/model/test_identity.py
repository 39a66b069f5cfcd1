"""Ids: which bytes name a record, which are refused, and the ids that are made here."""

from __future__ import annotations

import os
import threading
import time
from typing import Any
from uuid import UUID

import pytest

from redmodel.errors import InvalidId
from redmodel.model import Model, new_id, schema_of
from redmodel.model.ids import IdFactory


class Text(Model, prefix="texts-by-id"):
    id: str


class Number(Model, prefix="numbers-by-id"):
    id: int


class Uuid(Model, prefix="uuids-by-id"):
    id: UUID


class Raw(Model, prefix="bytes-by-id"):
    id: bytes


@pytest.mark.parametrize(
    "id",
    [
        "1",
        ":",
        "{a}",
        "*?[a]\\",
        "\x00",
        "\x00\x00",
        "a b",
        "\r\n",
        "é",
        "e\u0301",
        "🦊",
        "../x",
        "all",
        "@ids",
        "x" * 512,
    ],
)
def test_any_characters(id: str) -> None:
    schema = schema_of(Text)
    assert schema.key(schema.id_bytes(id)) == b"texts-by-id:" + id.encode()
    record = Text(id=id)
    assert schema.id_of(record) == id.encode()
    assert schema.decode(schema.encode(record), None, b"k") == record


@pytest.mark.parametrize("id", ["", None, "x" * 513, "é" * 257, "\ud800", 5, ["x"], True])
def test_refused_as_text(id: Any) -> None:
    schema = schema_of(Text)
    with pytest.raises(InvalidId) as caught:
        schema.id_bytes(id)
    assert (caught.value.model, caught.value.field) == ("Text", "id")
    with pytest.raises(InvalidId) as caught:
        schema.encode(Text.model_construct(id=id))
    assert (caught.value.model, caught.value.field) == ("Text", "id")


def test_other_types() -> None:
    assert schema_of(Number).id_bytes(5) == b"5"
    assert schema_of(Number).id_bytes("5") == b"5"
    assert schema_of(Uuid).id_bytes("00000000000000000000000000000001") == b"00000000-0000-0000-0000-000000000001"
    assert schema_of(Raw).id_bytes(b"\xff") == b"\xff"
    for schema, wrong in (
        (schema_of(Number), True),
        (schema_of(Number), "x"),
        (schema_of(Uuid), "x"),
        (schema_of(Raw), b""),
    ):
        with pytest.raises(InvalidId):
            schema.id_bytes(wrong)


def test_new_ids_sort_by_time() -> None:
    before = [new_id() for _ in range(1000)]
    time.sleep(0.002)
    after = new_id()
    assert sorted(before) == before
    assert len(set(before)) == 1000
    assert after > before[-1]
    assert {len(id) for id in before} == {26}
    assert set("".join(before)) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_the_time_is_the_head_of_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    factory = IdFactory()
    monkeypatch.setattr(time, "time_ns", lambda: 1_469_918_176_385 * 1_000_000)
    assert factory()[:10] == "01ARYZ6S41"


def test_clock_that_goes_back_and_counter_that_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    factory = IdFactory()
    monkeypatch.setattr(time, "time_ns", lambda: 2_000_000)
    first = factory()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000)
    assert factory() > first
    factory._low = (1 << 40) - 1
    assert factory() > first


def test_threads_get_different_ids() -> None:
    found: list[list[str]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda box=box: box.extend(new_id() for _ in range(2000))) for box in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id for box in found for id in box}) == 8000
    assert all(sorted(box) == box for box in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_makes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = time.time_ns() + 10**12
    monkeypatch.setattr(time, "time_ns", lambda: frozen)
    new_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    other = os.read(reader, 100).decode()
    mine = new_id()
    assert len(other) == 26
    assert other[10:] != mine[10:]
    new_id.forget()
