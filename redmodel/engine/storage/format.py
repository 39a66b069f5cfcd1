"""The text of the append-only log: commands as RESP arrays of bulk strings, read and written. No I/O.

May live here: encoding one unit, decoding a stream of commands with exact offsets, and telling a torn tail from damage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

try:
    from hiredis import HiredisError, Reader
except ImportError:  # pragma: no cover - it comes with redis[hiredis], and only saves time
    Reader = None  # type: ignore[assignment,misc]
    HiredisError = Exception  # type: ignore[assignment,misc]

_CACHED = 1024
_COUNTS = {b"*%d" % n: n for n in range(1, _CACHED)}
_LENGTHS = {b"$%d" % n: n for n in range(_CACHED)}
_ARRAY_HEADS = [b"*%d\r\n" % n for n in range(_CACHED)]
_BULK_HEADS = [b"$%d\r\n" % n for n in range(_CACHED)]
_ARRAY_BEGINS = [b"*%d" % n for n in range(_CACHED)]
_BULK_BEGINS = [b"\r\n$%d\r\n" % n for n in range(_CACHED)]

_FAST_FROM = 4096
_EXEC_TAIL = b"$4\r\nEXEC\r\n"
# The writes without an argument. Any other name alone is a damaged MULTI or EXEC, and must not pass for a command: all
# that follows would look like a transaction that was never finished.
_BARE = frozenset((b"FLUSHALL", b"FLUSHDB"))
_BRACKETS = (b"multi", b"exec")
_HEAD_LIMIT = 24  # no honest head is longer
_MAX_ARGUMENTS = 1 << 31
_MAX_BULK = 1 << 29
_RESYNC = re.compile(rb"\r\n(?=\*[1-9][0-9]{0,9}\r\n\$[0-9]{1,9}\r\n[A-Za-z])")
_RESYNC_TRIES = 1000
_RESYNC_WINDOW = 1 << 20

# Lower case, which redis-server reads as well and never writes: see `checksums.is_foreign`.
MULTI = b"*1\r\n$5\r\nmulti\r\n"
EXEC = b"*1\r\n$4\r\nexec\r\n"

Command = tuple[bytes, ...]


def encode_command(args: Sequence[bytes]) -> bytes:
    """One command as it stands in the log.

    >>> encode_command((b"SET", b"k", b"v"))
    b'*3\\r\\n$3\\r\\nSET\\r\\n$1\\r\\nk\\r\\n$1\\r\\nv\\r\\n'
    """
    count = len(args)
    parts = [_ARRAY_HEADS[count] if count < _CACHED else b"*%d\r\n" % count]
    for arg in args:
        length = len(arg)
        parts.append(_BULK_HEADS[length] if length < _CACHED else b"$%d\r\n" % length)
        parts.append(arg)
        parts.append(b"\r\n")
    return b"".join(parts)


class UnitEncoder:
    """Encodes units for one file, and knows which database the file stands in."""

    def __init__(self) -> None:
        self.db: int | None = None  # None: nothing written yet, so the first unit says SELECT

    def encode(self, unit: Sequence[tuple[int, Sequence[bytes]]], end: bytes = b"") -> bytes:
        """One unit as it stands in the log: SELECT where the database changes, MULTI and EXEC around more than one.

        ``end`` comes after it: to add it later would copy all of it once more.
        """
        if self.db is not None:
            # Nearly every unit: one database, and nothing longer than the tables. One list and one join for all of it.
            pieces = [MULTI] if len(unit) > 1 else []
            add = pieces.append
            here = self.db
            try:
                for db, args in unit:
                    if db != here:
                        break
                    add(_ARRAY_BEGINS[len(args)])
                    for arg in args:
                        add(_BULK_BEGINS[len(arg)])
                        add(arg)
                    add(b"\r\n")
                else:
                    if len(unit) > 1:
                        add(EXEC)
                    add(end)
                    return b"".join(pieces)
            except IndexError:
                pass
        if len(unit) == 1:
            db, args = unit[0]
            if db == self.db:
                return encode_command(args) + end
        parts: list[bytes] = []
        for position, (db, args) in enumerate(unit):
            if db != self.db:
                parts.append(encode_command((b"select", b"%d" % db)))
                self.db = db
            if position == 0 and len(unit) > 1:
                parts.append(MULTI)
            parts.append(encode_command(args))
        if len(unit) > 1:
            parts.append(EXEC)
        parts.append(end)
        return b"".join(parts)


def decode_units(data: bytes) -> list[Command]:
    """The commands of whole units that a checksum vouches for; MULTI and EXEC themselves are left out.

    Raises:
        ValueError: the text is not as we write it, whatever its checksum says.
    """
    if Reader is None:
        decoder = CommandDecoder()
        units = decoder.feed(data)
        if decoder.rest or decoder.in_transaction:
            raise ValueError(decoder.bad.reason if decoder.bad else "a unit is not whole")
        return units
    reader = Reader()
    reader.feed(data)
    commands: list[Command] = []
    add = commands.append
    try:
        while (reply := reader.gets()) is not False:
            args = cast("list[bytes]", reply)
            if len(args) == 1 and args[0] in _BRACKETS:
                continue
            add(tuple(args))
    except (HiredisError, TypeError):
        raise ValueError("a command is not as we write it") from None
    if reader.has_data():
        raise ValueError("a unit is not whole")
    return commands


class BadByte(Exception):
    """What stands at ``offset`` can't be the log's text."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


class CommandDecoder:
    """Decodes the commands of one file, fed piece by piece.

    ``offset`` is where the last complete unit ends; a transaction is complete with its EXEC. ``rest`` is what was read
    behind the last complete command, and begins in the file at ``rest_offset``; ``wanted`` is how many further bytes
    the next command is known to need. ``bad`` says where decoding stopped for good.
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self.rest = b""
        self.rest_offset = offset
        self.wanted = 0
        self.bad: BadByte | None = None
        self._transaction: list[Command] | None = None

    @property
    def in_transaction(self) -> bool:
        """Whether a MULTI still waits for its EXEC."""
        return self._transaction is not None

    def feed(self, data: bytes) -> list[Command]:
        """Decode the commands of as many units as are complete; MULTI and EXEC themselves are left out."""
        data = self.rest + data if self.rest else data
        if len(data) > _FAST_FROM and self._transaction is None:
            units = self._feed_fast(data)
            if units is not None:
                return units
        return self._feed_exactly(data)

    def finish(self) -> list[Command]:
        """Decode what is left when the file has ended."""
        return self._feed_exactly(self.rest)

    def _feed_fast(self, data: bytes) -> list[Command] | None:
        """Decode whole units with hiredis, or None when anything in ``data`` is not as we write it.

        hiredis doesn't tell offsets, so it gets a piece that ends where a unit seems to end, and must use it up.
        """
        if Reader is None:
            return None
        cut = data.rfind(_EXEC_TAIL) + len(_EXEC_TAIL)
        if cut < len(_EXEC_TAIL):
            cut = data.rfind(b"\r\n*") + 2
        if cut < 2:
            return None
        reader = Reader()
        reader.feed(data[:cut])
        units: list[Command] = []
        transaction: list[Command] | None = None
        line_ends = 0
        try:
            while (reply := reader.gets()) is not False:
                if type(reply) is not list:
                    return None
                args = cast("list[bytes]", reply)
                if len(args) == 1 and (name := args[0].upper()) not in _BARE:
                    line_ends += 3
                    if name == b"MULTI" and transaction is None:
                        transaction = []
                    elif name == b"EXEC" and transaction is not None:
                        units += transaction
                        transaction = None
                    else:
                        return None
                    continue
                line_ends += 2 * len(args) + 1 + b" ".join(args).count(b"\r\n")  # what isn't bytes is a TypeError
                (units if transaction is None else transaction).append(tuple(args))
        except (HiredisError, TypeError, AttributeError, IndexError):
            return None
        # hiredis doesn't look at what stands where an argument's line should end.
        if transaction is not None or reader.has_data() or line_ends != data.count(b"\r\n", 0, cut):
            return None
        self.rest = data[cut:]
        self.rest_offset += cut
        self.offset = self.rest_offset
        return units

    def _feed_exactly(self, data: bytes) -> list[Command]:
        base = self.rest_offset
        units: list[Command] = []
        target = units if self._transaction is None else self._transaction
        position = 0
        end = len(data)
        find = data.find
        counts, lengths = _COUNTS, _LENGTHS
        self.wanted = 0
        try:
            while position < end:
                eol = find(b"\r\n", position, position + _HEAD_LIMIT)
                if eol < 0 or data[position] != 0x2A:
                    after = _odd_line(data, position)
                    if after < 0:
                        break
                    position = after
                    if self._transaction is None:
                        self.offset = base + position
                    continue
                head = data[position:eol]
                count = counts.get(head) or _number(head, position, _MAX_ARGUMENTS)
                cursor = eol + 2
                args: list[bytes] = []
                while count:
                    eol = find(b"\r\n", cursor, cursor + _HEAD_LIMIT)
                    length = lengths.get(data[cursor:eol], -1) if eol >= 0 else -1
                    if length < 0:
                        length = _odd_length(data, cursor, eol)
                        if length < 0:
                            break
                    begin = eol + 2
                    cursor = begin + length
                    if data[cursor : cursor + 2] != b"\r\n":
                        self.wanted = cursor + 2 - end
                        if self.wanted <= 0 or data[cursor:end] not in b"\r":
                            raise BadByte(cursor, "expected the end of an argument")
                        break
                    args.append(data[begin:cursor])
                    cursor += 2
                    count -= 1
                if count:
                    break
                if len(args) == 1 and (name := args[0].upper()) not in _BARE:
                    if name == b"MULTI" and self._transaction is None:
                        target = self._transaction = []
                    elif name == b"EXEC" and self._transaction is not None:
                        units += self._transaction
                        target, self._transaction = units, None
                    else:
                        raise BadByte(position, f"{name[:20]!r} can't stand here")
                else:
                    target.append(tuple(args))
                position = cursor
                if self._transaction is None:
                    self.offset = base + position
        except BadByte as error:
            error.offset += base
            self.bad = error
        self.rest = data[position:]
        self.rest_offset = base + position
        return units


def _odd_line(data: bytes, position: int) -> int:
    """Where an annotation line at ``position`` ends, or -1 when more data is needed."""
    first = data[position]
    if first == 0x23:  # '#': redis-server writes and skips such lines
        if data.startswith(b"#CRC:", position):
            raise BadByte(position, "a checksum stands where none is expected")
        return data.find(b"\n", position) + 1 or -1
    if first != 0x2A:
        raise BadByte(position, "expected a command")
    if len(data) - position >= _HEAD_LIMIT:
        raise BadByte(position, "expected a number of arguments")
    _check_head(data, position, b"*")
    return -1


def _odd_length(data: bytes, position: int, eol: int) -> int:
    """The length that a head outside the table states, or -1 when more data is needed."""
    if position >= len(data):
        return -1
    if data[position] != 0x24:
        raise BadByte(position, "expected an argument")
    if eol < 0:
        if len(data) - position >= _HEAD_LIMIT:
            raise BadByte(position, "expected the length of an argument")
        _check_head(data, position, b"$")
        return -1
    return _number(data[position:eol], position, _MAX_BULK)


def _check_head(data: bytes, position: int, mark: bytes) -> None:
    """A head that is cut off must still be the beginning of one."""
    head = data[position:].removesuffix(b"\r")
    if not (head == mark or (head[:1] == mark and head[1:].isdigit())):
        raise BadByte(position, "expected a number")


def _number(head: bytes, position: int, limit: int) -> int:
    digits = head[1:]
    if not digits.isdigit() or len(digits) > 10 or int(digits) > limit or (head[:1] == b"*" and not int(digits)):
        raise BadByte(position, "expected a number")
    return int(digits)


def is_torn(tail: bytes) -> bool:
    """Whether ``tail``, in which decoding stopped, is what an interrupted write leaves behind.

    That is the beginning of one command, or of none, with nothing or only zero bytes after it, and no complete command
    further on: a wrong length in the middle of a log also makes the rest look like one long argument. A value that
    itself holds a log's text is taken for damage, which loses nothing.
    """
    for tries, match in enumerate(_RESYNC.finditer(tail)):
        if tries >= _RESYNC_TRIES or _holds_command(tail[match.end() : match.end() + _RESYNC_WINDOW]):
            return False
    return _is_beginning(tail) or _is_beginning(tail.rstrip(b"\0"))


def _is_beginning(tail: bytes) -> bool:
    decoder = CommandDecoder()
    decoder.feed(tail)
    return decoder.bad is None and decoder.rest_offset == 0


def _holds_command(data: bytes) -> bool:
    decoder = CommandDecoder()
    decoder.feed(data)
    return decoder.rest_offset > 0
