"""The fast and the exact way of decoding agree, on good text and on bad; loading is fast enough."""

from __future__ import annotations

import random
import time

import pytest

from redmodel.engine.storage import format as log_format
from redmodel.engine.storage.format import Command, CommandDecoder, UnitEncoder, encode_command


def decode(data: bytes, piece: int) -> tuple[list[Command], int, int | None]:
    decoder = CommandDecoder()
    commands: list[Command] = []
    for at in range(0, len(data), piece):
        commands += decoder.feed(data[at : at + piece])
        if decoder.bad is not None:
            break
    if decoder.bad is None:
        commands += decoder.finish()
    return commands, decoder.offset, decoder.bad.offset if decoder.bad else None


def random_log(rng: random.Random, units: int) -> bytes:
    encoder = UnitEncoder()
    parts: list[bytes] = []
    for _ in range(units):
        unit = [
            (
                rng.randrange(3),
                (b"SET", rng.randbytes(5), rng.choice((b"x", b"*1\r\n$4\r\nEXEC\r\n", b"\r\n*2\r\n", b"y" * 99))),
            )
            for _ in range(rng.choice((1, 1, 1, 3)))
        ]
        parts.append(encoder.encode(unit))
        if rng.random() < 0.01:
            parts.append(b"#TS:17\r\n")
    return b"".join(parts)


def test_both_ways_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(8)
    for round_ in range(250):
        data = bytearray(random_log(rng, 200))
        if round_ % 2:
            for _ in range(rng.randrange(1, 3)):
                data[rng.randrange(len(data))] = rng.choice(b"*$+:,-\r\n0123456789x\0MULTIEXEC")
        if round_ % 3 == 0:
            del data[rng.randrange(len(data)) :]
        piece = rng.choice((5000, 8192, 100_000))
        fast = decode(bytes(data), piece)
        with monkeypatch.context() as patch:
            patch.setattr(log_format, "_FAST_FROM", 1 << 40)
            exact = decode(bytes(data), piece)
        assert fast[1:] == exact[1:]
        assert fast[0] == exact[0]


def test_one_command_is_spelled_as_redis_spells_it() -> None:
    assert encode_command((b"SET", b"", b"\r\n" * 1000)) == b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2000\r\n" + b"\r\n" * 1001
    assert encode_command([b"a"] * 2000).startswith(b"*2000\r\n$1\r\na\r\n")


def test_decoding_is_fast() -> None:
    data = b"".join(
        encode_command((b"HSET", b"users:%d" % n, b"name", b"Ada %d" % n, b"age", b"36")) for n in range(50_000)
    )
    began = time.perf_counter()
    commands, offset, bad = decode(data, 1 << 18)
    took = time.perf_counter() - began
    assert (len(commands), offset, bad) == (50_000, len(data), None)
    assert 50_000 / took > 100_000, f"{50_000 / took:.0f} commands a second; the aim is 1,000,000"
