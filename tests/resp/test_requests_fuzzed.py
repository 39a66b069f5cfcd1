"""The parser of requests takes any bytes, cut anywhere, and gives what it would give for one piece."""

from __future__ import annotations

from random import Random

import pytest

from redmodel.resp.requests import RequestParser

_TOKENS = (
    *(b"*", b"$", b"\r\n", b"\n", b"\r", b"1", b"2", b"-1", b"3", b'"', b"'", b" ", b"\0", b"\xff", b"a"),
    *(b"*1\r\n$4\r\nPING\r\n", b"*2\r\n", b"$3\r\nabc\r\n", b"PING\r\n", b"*-1\r\n", b"*0\r\n", b"$0\r\n\r\n"),
    *(b"$99999999999\r\n", b"*1048577\r\n", b"*2147483648\r\n", b"$16385\r\n", b"*11\r\n", b"$-1\r\n", b"+", b":"),
)


def _input(random: Random) -> bytes:
    if random.random() < 0.1:
        return random.randbytes(random.randint(1, 30))
    return b"".join(random.choices(_TOKENS, k=random.randint(1, 12)))


@pytest.mark.parametrize("trusted", [True, False])
def test_any_bytes(trusted: bool) -> None:
    random = Random(20261123)
    for _ in range(5_000):
        data = _input(random)
        cut = random.randint(0, len(data))
        whole, pieces = RequestParser(), RequestParser()
        whole.trusted = pieces.trusted = trusted
        expected = whole.feed(data)
        got = pieces.feed(data[:cut]) + pieces.feed(data[cut:])
        assert (got, pieces.error) == (expected, whole.error), data
        assert all(args and all(type(arg) is bytes for arg in args) for args in got)
        assert whole.buffered <= len(data)
        if not trusted:
            # What a stranger may not send is taken once it is trusted, as if it had been from the start.
            friend = RequestParser()
            assert (expected + whole.trust(), whole.error) == (friend.feed(data), friend.error), data
