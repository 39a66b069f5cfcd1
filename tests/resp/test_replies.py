"""The writer of replies, and the parser that reads them."""

from __future__ import annotations

import math
import random
from typing import Any

import hiredis
import pytest

from redmodel.errors import ReplyError
from redmodel.resp.replies import Push, ReplyParser
from redmodel.resp.writer import ReplyWriter, Shape


class Status(bytes):
    pass


class Text(bytes):
    pass


class Members(list[Any]):
    pass


class Pairs(list[Any]):
    pass


class Keyed(list[Any]):
    pass


class NilArray(list[Any]):
    pass


SHAPES: dict[type, Shape] = {
    Status: "status",
    Text: "verbatim",
    Members: "set",
    Pairs: "pairs",
    Keyed: "keyed",
    NilArray: "nil_array",
    Push: "push",
}


@pytest.mark.parametrize(
    ("reply", "two", "three"),
    [
        (b"a\r\n\xff", b"$4\r\na\r\n\xff\r\n", None),
        (b"", b"$0\r\n\r\n", None),
        (None, b"$-1\r\n", b"_\r\n"),
        (-7, b":-7\r\n", None),
        (0.1, b"$19\r\n0.10000000000000001\r\n", b",0.10000000000000001\r\n"),
        (3.0, b"$1\r\n3\r\n", b",3\r\n"),
        (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
        (1e22, b"$5\r\n1e+22\r\n", b",1e+22\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        ("é", b"$2\r\n\xc3\xa9\r\n", None),
        (Status(b"OK"), b"+OK\r\n", None),
        (Status(b"a\r\nb"), b"+a  b\r\n", None),
        (Text(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
        ([], b"*0\r\n", None),
        ([b"a", [1, None]], b"*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n", b"*2\r\n$1\r\na\r\n*2\r\n:1\r\n_\r\n"),
        ({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (Members([b"a"]), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
        (Pairs([(b"a", 1.5)]), b"*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", b"*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
        (Keyed([(b"a", [1])]), b"*1\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n", b"%1\r\n$1\r\na\r\n*1\r\n:1\r\n"),
        ([NilArray()], b"*1\r\n*-1\r\n", b"*1\r\n_\r\n"),
        (Push([b"message"]), b"*1\r\n$7\r\nmessage\r\n", b">1\r\n$7\r\nmessage\r\n"),
        (ReplyError("ERR a\r\nb"), b"-ERR a  b\r\n", None),
        ([ReplyError("ERR no"), b"x"], b"*2\r\n-ERR no\r\n$1\r\nx\r\n", None),
    ],
)
def test_every_shape_in_both_versions(reply: object, two: bytes, three: bytes | None) -> None:
    assert ReplyWriter(2, SHAPES).write(reply) == two
    assert ReplyWriter(3, SHAPES).write(reply) == (two if three is None else three)


def test_the_nil_of_an_array() -> None:
    assert ReplyWriter(2).write(None, nil_array=True) == b"*-1\r\n"
    assert ReplyWriter(3).write(None, nil_array=True) == b"_\r\n"


def test_subclasses_are_written_as_what_they_are() -> None:
    class Special(ReplyError):
        pass

    assert ReplyWriter(2, SHAPES).write(Special("X y")) == b"-X y\r\n"
    with pytest.raises(TypeError):
        ReplyWriter(2).write(object())


def random_reply(rng: random.Random, depth: int) -> object:
    kind = rng.randrange(9 if depth else 5)
    match kind:
        case 0:
            return rng.randbytes(rng.randrange(10))
        case 1:
            return rng.randrange(-(2**63), 2**63)
        case 2:
            return None
        case 3:
            return rng.choice((math.inf, -math.inf, rng.random() * 10 ** rng.randrange(-20, 20)))
        case 4:
            return rng.random() < 0.5
        case 5 | 6:
            return [random_reply(rng, depth - 1) for _ in range(rng.randrange(5))]
        case 7:
            return {rng.randbytes(3): random_reply(rng, depth - 1) for _ in range(rng.randrange(5))}
        case _:
            return Push([random_reply(rng, depth - 1) for _ in range(rng.randrange(1, 5))])


def test_what_is_written_reads_back_however_it_arrives_and_as_hiredis_reads_it() -> None:
    rng = random.Random(3)
    writer = ReplyWriter(3, SHAPES)
    for _ in range(500):
        replies = [random_reply(rng, 4) for _ in range(3)]
        data = b"".join(writer.write(reply) for reply in replies)
        assert ReplyParser().feed(data) == replies
        parser = ReplyParser()
        cut = rng.randrange(len(data) + 1)
        assert parser.feed(data[:cut]) + parser.feed(data[cut:]) == replies
        reader = hiredis.Reader()
        reader.feed(data)
        assert [reader.gets() for _ in replies] == replies
    parser = ReplyParser()
    assert [reply for byte in data for reply in parser.feed(bytes([byte]))] == replies


def test_attributes_are_passed_over_and_the_rarer_types_read() -> None:
    data = b"|1\r\n+ttl\r\n:5\r\n*2\r\n|0\r\n"
    data += b"(123456789012345678901234567890\r\n=7\r\ntxt:abc\r\n!5\r\nERR x\r\n~1\r\n:1\r\n"
    first, second, third = ReplyParser().feed(data)
    assert first == [123456789012345678901234567890, b"abc"]
    assert isinstance(second, ReplyError)
    assert second.text == "ERR x"
    assert third == [1]
    assert ReplyParser().feed(b"%1\r\n*1\r\n:1\r\n:2\r\n") == [[([1], 2)]]
    assert ReplyParser().feed(b"$-1\r\n*-1\r\n_\r\n") == [None, None, None]


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n", b":\r\n", b":1x\r\n", b":" + b"1" * 5000 + b"\r\n", b"$-2\r\n", b"$x\r\n", b"$99999999999\r\n",
        b"_x\r\n",
        b"#x\r\n", b",x\r\n", b"*-2\r\n", b"$1\r\nabc\r\n", b"*1\r\n" * 200, b"+" + b"x" * 70000,
    ],
)  # fmt: skip
def test_what_is_no_resp_is_an_error_and_never_more(data: bytes) -> None:
    parser = ReplyParser()
    assert parser.feed(b"+OK\r\n" + data) == [b"OK"]
    assert parser.error is not None
    assert parser.feed(b"+OK\r\n") == []


def test_mutated_replies_never_raise() -> None:
    rng = random.Random(5)
    writer = ReplyWriter(3, SHAPES)
    for _ in range(5000):
        data = bytearray(writer.write(random_reply(rng, 3)))
        for _ in range(3):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.randrange(2)] = bytes([rng.choice(b"*$%~>|_#,(=!:+-0123456789\r\n\0\xff")])
        parser, pieces = ReplyParser(), ReplyParser()
        cut = rng.randrange(len(data) + 1)
        whole = parser.feed(bytes(data))
        assert repr(pieces.feed(bytes(data[:cut])) + pieces.feed(bytes(data[cut:]))) == repr(whole)
