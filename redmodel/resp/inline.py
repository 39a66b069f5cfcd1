"""Inline commands: one line, split into words as a shell would, by redis-server's rules."""

from __future__ import annotations

import re

_BLANKS = b" \t\n\v\f\r\0"
_ESCAPES = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}
_PLAIN = re.compile(rb"[^ \t\n\v\f\r\0\"']+")
_HEX = re.compile(rb"\\x[0-9a-fA-F]{2}")


def split_line(line: bytes) -> list[bytes] | None:
    """The words of a line, or None when a quote is not closed, or something stands right behind a closed one.

    >>> split_line(b'SET  key "a b\\\\x41"')
    [b'SET', b'key', b'a bA']
    """
    words: list[bytes] = []
    at, end = 0, len(line)
    while True:
        while at < end and line[at] in _BLANKS:
            if not line[at]:
                return words  # as in C, a NUL ends the line
            at += 1
        if at >= end:
            return words
        word = bytearray()
        while at < end and line[at] not in _BLANKS:
            mark = line[at]
            if mark in b"\"'":
                at = _quoted(line, at + 1, mark, word)
                if at < 0 or (at < end and line[at] not in _BLANKS):
                    return None
                break
            match = _PLAIN.match(line, at)
            assert match is not None
            word += match[0]
            at = match.end()
        words.append(bytes(word))


def _quoted(line: bytes, at: int, mark: int, word: bytearray) -> int:
    """Add what stands between quotes to the word; returns where the closed quote ends, or -1."""
    end = len(line)
    while at < end:
        byte = line[at]
        if byte == mark:
            return at + 1
        if not byte:
            return -1
        if byte == 0x5C and at + 1 < end:
            following = line[at + 1]
            if mark == 0x22:
                if _HEX.match(line, at):
                    word.append(int(line[at + 2 : at + 4], 16))
                    at += 4
                else:
                    word.append(_ESCAPES.get(following, following))
                    at += 2
                continue
            if following == mark:
                word.append(mark)
                at += 2
                continue
        word.append(byte)
        at += 1
    return -1
