"""Codecs of the user's: what they make is stored, it comes back equal, and a failure is said with its place."""

from __future__ import annotations

import os
import zlib
from itertools import cycle
from typing import Annotated, Any

import pytest

from redmodel import TTL, Codec, DecodeError, EncodingError, Field, Indexed, Model, SchemaError


def scramble(text: bytes) -> bytes:
    """Stands for a cipher: other bytes each time."""
    key = os.urandom(4)
    return key + bytes(a ^ b for a, b in zip(text, cycle(key)))


def unscramble(stored: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(stored[4:], cycle(stored[:4])))


def lossy(text: bytes) -> bytes:
    return text[:3]


Packed = Codec(zlib.compress, zlib.decompress)
Secret = Codec(scramble, unscramble)


class Letter(Model, prefix="codec-letters"):
    body: Annotated[str, Packed]
    pin: Annotated[int | None, Secret] = None
    parts: Annotated[list[int], Secret] = Field(default_factory=list)
    blob: Annotated[bytes, Secret] = b""
    note: Annotated[str | None, Secret] = "none yet"
    code: Annotated[str | None, TTL(minutes=5), Secret] = None
    owner: Annotated[Indexed[str], Codec(scramble, unscramble, index_plain=True)] = "nobody"
    plain: str = ""


class Short(Model, prefix="codec-short"):
    text: Annotated[str, Codec(lossy, bytes)]


def test_values_come_back_equal_and_stand_there_encoded(db: Any, raw: Any) -> None:
    letter = Letter(
        id="1", body="a" * 1000, pin=1234, parts=[1, 2], blob=b"\x00\xff", note=None, code="x", owner="ada", plain="p"
    )
    db.save(letter)
    assert db.get(Letter, "1") == letter == db.find(Letter, Letter.owner == "ada").one()
    body, note, plain, *secrets = raw(
        "HMGET", "codec-letters:1", "body", "note", "plain", "pin", "parts", "blob", "owner"
    )
    assert len(body) < 50 and note == b"\x00" and plain == b"p"
    assert None not in secrets and not {b"1234", b"[1,2]", b"\x00\xff", b"ada"} & set(secrets)
    for text in ("", "\x00", "\x00\x00x", "é" * 300):
        db.save(Letter(id="2", body=text, note=text))
        assert (db.get(Letter, "2").body, db.get(Letter, "2").note) == (text, text)


def test_what_did_not_change_keeps_its_bytes(db: Any, raw: Any) -> None:
    db.save(Letter(id="1", body="a", pin=1))
    before = raw("HGET", "codec-letters:1", "pin")
    letter = db.get(Letter, "1")
    letter.plain = "changed"
    db.save(letter)
    assert raw("HGET", "codec-letters:1", "pin") == before
    letter.pin = 2
    db.save(letter)
    assert raw("HGET", "codec-letters:1", "pin") != before and db.get(Letter, "1").pin == 2
    db.update(Letter, "1", pin=3)
    assert db.get(Letter, "1").pin == 3


def test_what_cannot_be_decoded_is_said_with_its_place(db: Any, raw: Any) -> None:
    db.save(Letter(id="1", body="a"))
    raw("HSET", "codec-letters:1", "body", "not compressed")
    with pytest.raises(DecodeError) as caught:
        db.get(Letter, "1")
    assert (caught.value.key, caught.value.field, caught.value.raw) == (b"codec-letters:1", "body", b"not compressed")


def test_what_would_not_come_back_is_refused(db: Any, raw: Any) -> None:
    db.save(Short(id="1", text="abc"))
    with pytest.raises(EncodingError) as caught:
        db.save(Short(id="2", text="abcd"))
    assert caught.value.field == "text" and raw("EXISTS", "codec-short:2") == 0


def test_where_a_codec_would_be_undone_it_is_refused() -> None:
    with pytest.raises(SchemaError, match="index_plain"):

        class Shown(Model, prefix="codec-shown"):
            name: Annotated[Indexed[str], Secret]

    with pytest.raises(SchemaError, match="range"):

        class Ranged(Model, prefix="codec-ranged"):
            age: Annotated[Indexed[int], Codec(scramble, unscramble, index_plain=True)]

    with pytest.raises(SchemaError, match="names a key"):

        class Keyed(Model, prefix="codec-keyed"):
            id: Annotated[str, Secret]

    with pytest.raises(SchemaError, match="2 Codecs"):

        class Twice(Model, prefix="codec-twice"):
            text: Annotated[str, Secret, Packed]
