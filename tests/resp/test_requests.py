"""The request parser: the same requests however the bytes arrive, Redis' own words when they make no sense."""

from __future__ import annotations

import random
import socket
import time
import tracemalloc

import pytest

from redmodel.resp.requests import RequestParser, strict_integer

STREAMS = [
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\n\x00\xff*$+\r\n",
    b'PING\r\nSET  \'a b\' "c\\x41\\n\\""\n\r\n\n*1\r\n$4\r\nPING\r\nGET x\r\n',
    b"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n*-10\r\n",
    b"*2\r\n$4\r\nECHO\r\n$70000\r\n" + b"x" * 70000 + b"\r\nPING\r\n",
    b"*1500\r\n" + b"$1\r\na\r\n" * 1500 + b"PING\r\n",
    b"*1\r\n$4\r\nPING\r\n*1\r\n$-5\r\nPING\r\n",
    b"*1\r\n$4\r\nPING\r\n*x\r\n*1\r\n$4\r\nPING\r\n",
    b"*1\r\n+PING\r\n",
    b"GET 'a\r\nPING\r\n",
]


def parse(*pieces: bytes) -> tuple[list[list[bytes]], str | None]:
    parser = RequestParser()
    requests = [request for piece in pieces for request in parser.feed(piece)]
    return requests, parser.error


@pytest.mark.parametrize("stream", STREAMS, ids=range(len(STREAMS)))
def test_cut_at_every_byte(stream: bytes) -> None:
    whole = parse(stream)
    step = max(1, len(stream) // 2000)
    for cut in range(0, len(stream) + 1, step):
        assert parse(stream[:cut], stream[cut:]) == whole, cut
    assert parse(*(stream[at : at + 1] for at in range(len(stream)))) == whole


def test_what_the_streams_say() -> None:
    assert parse(STREAMS[1]) == ([[b"GET", b"a\r\nb"], [b"SET", b"", b"\x00\xff*$+"]], None)
    assert parse(STREAMS[2])[0] == [[b"PING"], [b"SET", b"a b", b'cA\n"'], [b"PING"], [b"GET", b"x"]]
    assert parse(STREAMS[3]) == ([[b"PING"]], None)
    assert parse(STREAMS[5])[0][0] == [b"a"] * 1500


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (b"*1000000000000\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"* 1\r\n", "invalid multibulk length"),
        (b"*\x001\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$+3\r\n", "invalid bulk length"),
        (b"*1\r\n$ 3\r\n", "invalid bulk length"),
        (b"*1\r\n$0x3\r\n", "invalid bulk length"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"*1\r\n$3000000000000000000000000000000\r\n", "invalid bulk length"),
        (b"*1\r\n:3\r\n", "expected '$', got ':'"),
        (b"*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"),
        (b"GET \"a\r\n", "unbalanced quotes in request"),
        (b"GET \"a\"b\r\n", "unbalanced quotes in request"),
        (b"x" * 65537 + b"\r\n", "too big inline request"),
        (b"x" * 65537, "too big inline request"),
        (b"*" + b"1" * 65537, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 65537, "too big bulk count string"),
    ],
)  # fmt: skip
def test_violations(stream: bytes, error: str) -> None:
    requests, said = parse(b"PING\r\n" + stream)
    assert requests == [[b"PING"]]
    assert said == f"Protocol error: {error}"
    assert parse(stream, b"PING\r\n") == ([], said)


def test_violations_are_worded_as_the_server_words_them(redis7) -> None:
    streams = [
        b"*2147483648\r\n", b"*01\r\n", b"*+1\r\n", b"*1\r\n$-5\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n$+3\r\n",
        b"*1\r\n:3\r\n", b"*1\r\n*1\r\n", b"GET \"a\r\n", b"GET 'a'b\r\n", b"x" * 65600, b"*" + b"1" * 65600,
        b"*1\r\n$" + b"1" * 65600, b"*1\r\n$0x3\r\n", b"*\r\n", b"*1\r\n$\r\n", b"%1\r\n", b"~1\r\n$4\r\nPING\r\n",
    ]  # fmt: skip
    for stream in streams:
        requests, error = parse(stream)
        with socket.create_connection((redis7.host, redis7.port)) as sock:
            sock.settimeout(5)
            sock.sendall(stream)
            if error is None:
                assert requests
                continue
            said = b""
            try:
                while data := sock.recv(4096):
                    said += data
            except ConnectionResetError:
                pass
        assert said == f"-ERR {error}\r\n".encode(), stream[:20]


def test_inline_words_are_the_servers(redis7) -> None:
    lines = [
        rb'ECHO "\x41\n\r\t\b\a\q\""', rb"ECHO 'a\'b\n'", b'ECHO a"b c"', b"ECHO\ta", b" ECHO a ", b"ECHO 'a' ",
        b'ECHO ""',
        rb'ECHO "\x4"', b"ECHO a'b'", b"ECHO \xff\x01",
    ]  # fmt: skip
    with socket.create_connection((redis7.host, redis7.port)) as sock:
        sock.settimeout(5)
        for line in lines:
            requests, error = parse(line + b"\r\n")
            assert error is None
            (request,) = requests
            sock.sendall(line + b"\r\n")
            expected = b"$%d\r\n%b\r\n" % (len(request[1]), request[1])
            said = b""
            while len(said) < len(expected):
                said += sock.recv(4096)
            assert said == expected, line


def test_before_the_client_is_known_only_small_requests_are_taken() -> None:
    parser = RequestParser()
    parser.trusted = False
    assert parser.feed(b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n") == [[b"AUTH", b"x"]]
    parser.feed(b"*11\r\n")
    assert parser.error == "Protocol error: unauthenticated multibulk length"
    parser = RequestParser()
    parser.trusted = False
    parser.feed(b"*2\r\n$4\r\nAUTH\r\n$16385\r\n")
    assert parser.error == "Protocol error: unauthenticated bulk length"


def test_nothing_is_set_aside_for_an_announced_length() -> None:
    tracemalloc.start()
    parser = RequestParser()
    parser.feed(b"*2147483647\r\n$536870912\r\nabc")
    parser.feed(b"d" * 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 10
    assert parser.buffered < 2000


def test_a_large_argument_in_small_pieces_takes_linear_time() -> None:
    data = b"*2\r\n$4\r\nECHO\r\n$20000000\r\n" + b"x" * 20_000_000 + b"\r\n"
    began = time.perf_counter()
    requests, error = parse(*(data[at : at + 4096] for at in range(0, len(data), 4096)))
    assert error is None
    assert len(requests[0][1]) == 20_000_000
    assert time.perf_counter() - began < 2
    data = b"*100001\r\n$4\r\nSADD\r\n" + b"$5\r\nabcde\r\n" * 100_000
    began = time.perf_counter()
    requests, error = parse(*(data[at : at + 1000] for at in range(0, len(data), 1000)))
    assert len(requests[0]) == 100_001
    assert time.perf_counter() - began < 2


def test_mutated_streams_never_raise() -> None:
    rng = random.Random(17)
    seeds = [stream for stream in STREAMS if len(stream) < 500]
    for _ in range(20_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(4):
                case 0:
                    data[at : at + 1] = bytes([rng.choice(b"*$\r\n0123456789-+:'\"\\x\0\xff")])
                case 1:
                    del data[at : at + rng.randrange(4)]
                case 2:
                    data[at:at] = rng.choice(seeds)[: rng.randrange(20)]
                case _:
                    data[at:at] = rng.randbytes(rng.randrange(4))
        cut = rng.randrange(len(data) + 1)
        assert parse(bytes(data[:cut]), bytes(data[cut:])) == parse(bytes(data)), data


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0", 0), (b"-1", -1), (b"9223372036854775807", 2**63 - 1), (b"-9223372036854775808", -(2**63)),
        (b"9223372036854775808", None), (b"", None), (b"-", None), (b"-0", None), (b"01", None), (b"+1", None),
        (b" 1", None), (b"1 ", None), (b"1e3", None), (b"9" * 5000, None), ("٣".encode(), None),
    ],
)  # fmt: skip
def test_strict_integers(text: bytes, number: int | None) -> None:
    assert strict_integer(text) == number
