"""How keys, values, sizes and times are spelled for people, and how keys that people type are read."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Any, cast

# C0, DEL, C1; the characters that turn the direction of text or hide in it; line and paragraph separators; surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(\\))")


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("utf-8", "surrogatepass"))


def safe(text: str) -> str:
    """The text with everything escaped that could move a terminal's cursor or hide what is there.

    >>> safe("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return _UNSAFE.sub(_escaped, text)


def spell_key(key: bytes) -> str:
    """A key as it is shown, and accepted back by `read_key`: ``\\xNN`` for what is no text, ``\\\\`` for a backslash.

    >>> print(spell_key(b"a\\xff\\\\b"))
    a\\xff\\\\b
    """
    return safe(key.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace"))


def read_key(text: str) -> bytes:
    """The key that a person typed: the inverse of `spell_key`; a backslash that escapes nothing is itself.

    >>> read_key(r"a\\xff\\\\b")
    b'a\\xff\\\\b'
    """
    raw = text.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(lambda m: b"\\" if m[2] else bytes([int(m[1], 16)]), raw)


def text_of(raw: bytes) -> str:
    """Bytes as text: UTF-8, with ``\\xNN`` for what is none."""
    return raw.decode("utf-8", "backslashreplace")


def plain(value: object) -> Any:
    """A value as JSON can hold it: NaN and infinities as text, bytes as text or base64, anything else by its text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in cast("list[object]", value)]
    return safe(str(value))


def size(count: int | None) -> str:
    """A number of bytes: ``31.2 MiB``; a dash where it is not known.

    >>> size(512), size(31_457_280), size(None)
    ('512 B', '30.0 MiB', '—')
    """
    if count is None:
        return "—"
    if count < 1024:
        return f"{count} B"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def span(milliseconds: int | None) -> str:
    """A time to live, in its two largest units: ``17m 3s``; a dash for none.

    >>> span(450), span(1_023_000), span(90_000_000), span(None)
    ('450ms', '17m 3s', '1d 1h', '—')
    """
    if milliseconds is None:
        return "—"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    seconds = milliseconds // 1000
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        amount, seconds = divmod(seconds, length)
        if amount or parts:
            parts.append(f"{amount}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0"))


def took(seconds: float) -> str:
    """How long something took: ``0.31 ms``, ``1.4 s``.

    >>> took(0.00031), took(0.0123), took(1.42)
    ('0.31 ms', '12 ms', '1.4 s')
    """
    if seconds >= 1:
        return f"{seconds:.1f} s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.2f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
