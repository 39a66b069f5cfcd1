"""The parser of requests: bytes in, whole commands out, as redis-server reads them. No I/O."""

from __future__ import annotations

from redmodel.resp.inline import split_line

MAX_BULK = 512 << 20
MAX_LINE = 64 << 10

_MAX_ARGUMENTS = (1 << 31) - 1
_CACHED = 1024
_COUNTS = {b"*%d" % n: n for n in range(1, _CACHED)}
_LENGTHS = {b"$%d" % n: n for n in range(_CACHED)}


class _Violation(Exception):
    """The text after ``Protocol error:``."""


class _Untrusted(_Violation):
    """Too much for somebody who has not said who it is; ``position`` is where reading can go on."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.position: int = position


class RequestParser:
    """A push parser of one connection's requests, arrays of bulk strings or inline lines.

    It keeps what it was given and no more: nothing is set aside for a length that is only announced.

    >>> parser = RequestParser()
    >>> parser.feed(b"*2\\r\\n$4\\r\\nECHO\\r\\n$2\\r\\nh"), parser.feed(b"i\\r\\nPING\\r\\n")
    ([], [[b'ECHO', b'hi'], [b'PING']])
    """

    def __init__(self, *, max_bulk: int = MAX_BULK) -> None:
        #: Why the stream can't be read on: what Redis says after ``ERR``. The requests before it are good.
        self.error: str | None = None
        #: Set to False until the client has said who it is: then only small requests are taken.
        self.trusted = True
        self._max_bulk = max_bulk
        self._rest: bytes = b""
        self._args: list[bytes] = []
        self._missing = 0
        # A large argument is collected in pieces and joined once, or its cost would grow with its square.
        self._pieces: list[bytes] = []
        self._have = 0
        self._wanted = 0

    @property
    def buffered(self) -> int:
        """How many bytes of an unfinished request are kept."""
        return self._have + len(self._rest) + sum(map(len, self._args))

    def feed(self, data: bytes) -> list[list[bytes]]:
        """Take the next bytes of the connection and give the requests that they complete.

        After a violation of the protocol ``error`` is set, and further bytes are ignored.
        """
        if self.error is not None:
            return []
        if self._wanted:
            self._pieces.append(data)
            self._have += len(data)
            if self._have < self._wanted:
                return []
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._have = self._wanted = 0
        elif self._rest:
            data = self._rest + data
        requests: list[list[bytes]] = []
        try:
            position = self._parse(data, requests)
        except _Untrusted as violation:
            self.error = f"Protocol error: {violation}"
            self._rest = data[violation.position :]
            return requests
        except _Violation as violation:
            self.error = f"Protocol error: {violation}"
            self._rest, self._args, self._missing = b"", [], 0
            return requests
        if self._wanted:
            self._pieces.append(data[position:])
            self._have = len(self._pieces[0])
            self._rest = b""
        else:
            self._rest = data[position:]
        return requests

    def trust(self) -> list[list[bytes]]:
        """The client has said who it is: give the requests that were too large for a stranger."""
        self.trusted = True
        if self.error is None or "unauthenticated" not in self.error:
            return []
        self.error = None
        rest = self._rest
        self._rest = b""
        return self.feed(rest)

    def _parse(self, data: bytes, requests: list[list[bytes]]) -> int:
        """Parse what is whole; returns where the unfinished argument or line begins."""
        args, missing = self._args, self._missing
        position, end = 0, len(data)
        find, counts, lengths = data.find, _COUNTS, _LENGTHS
        while position < end:
            if not missing:
                if data[position] != 0x2A:
                    after = self._inline(data, position, requests)
                    if after < 0:
                        break
                    position = after
                    continue
                eol = find(b"\r", position)
                if eol < 0 or eol + 2 > end:
                    if end - position > MAX_LINE:
                        raise _Violation("too big mbulk count string")
                    break
                head = data[position:eol]
                missing = counts.get(head) or self._count(head)
                if missing > 10 and not self.trusted:
                    self._args, self._missing = [], 0
                    raise _Untrusted("unauthenticated multibulk length", position)
                position = eol + 2
                if not missing:
                    continue
                args = []
            while missing:
                eol = find(b"\r", position)
                if eol < 0 or eol + 2 > end:
                    if end - position > MAX_LINE:
                        raise _Violation("too big bulk count string")
                    break
                length = lengths.get(data[position:eol], -1)
                if length < 0:
                    length = self._length(data, position, eol)
                    if length > 16384 and not self.trusted:
                        self._args, self._missing = args, missing
                        raise _Untrusted("unauthenticated bulk length", position)
                begin = eol + 2
                stop = begin + length
                if stop + 2 > end:
                    if length > MAX_LINE:
                        self._wanted = stop + 2 - position
                    break
                args.append(data[begin:stop])
                position = stop + 2
                missing -= 1
            if missing:
                break
            requests.append(args)
            args = []
        self._args, self._missing = args, missing
        return position

    def _count(self, head: bytes) -> int:
        count = strict_integer(head[1:])
        if count is None or count > _MAX_ARGUMENTS:
            raise _Violation("invalid multibulk length")
        return max(count, 0)

    def _length(self, data: bytes, position: int, eol: int) -> int:
        if data[position] != 0x24:
            raise _Violation(f"expected '$', got '{chr(data[position])}'")
        length = strict_integer(data[position + 1 : eol]) if eol - position <= 24 else None
        if length is None or not 0 <= length <= self._max_bulk:
            raise _Violation("invalid bulk length")
        return length

    def _inline(self, data: bytes, position: int, requests: list[list[bytes]]) -> int:
        """Parse a request that is a line of words; returns where it ends, or -1 when it is not whole."""
        eol = data.find(b"\n", position)
        if (eol if eol >= 0 else len(data)) - position > MAX_LINE:
            raise _Violation("too big inline request")
        if eol < 0:
            return -1
        line = data[position:eol].removesuffix(b"\r")
        words = split_line(line)
        if words is None:
            raise _Violation("unbalanced quotes in request")
        if words:
            requests.append(words)
        return eol + 1


def strict_integer(text: bytes) -> int | None:
    """The 64-bit number that Redis' own strict reading gives, or None: no blanks, no plus, no leading zeros."""
    digits = text.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 19 or (digits[0] == 0x30 and len(text) > 1):
        return None
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 63 else None
