"""The names of Redis keys: which prefixes are allowed, how ids and side keys are spelled. No model is known here."""

from __future__ import annotations

import re

from redmodel.errors import InvalidId, SchemaError

ID_LIMIT = 512
"""The longest id, in bytes of UTF-8."""

_FORBIDDEN = re.compile(r"[@{}*?\[\]\\\x00-\x1f\x7f\s]")


def check_prefix(prefix: object, model: str) -> str:
    """Returns ``prefix`` if keys can start with it, else raises SchemaError.

    It is not empty, holds none of ``@ { } * ? [ ] \\``, no white space and no control characters, and does not end in
    ``:``; so no glob on records meets a side key, and no id can be mistaken for one.
    """
    if not isinstance(prefix, str):
        raise SchemaError(f"{model}: prefix= takes a string, not {type(prefix).__name__}.")
    if not prefix:
        raise SchemaError(f"{model}: the prefix is empty. Name the keys, for instance prefix={model.lower() + 's'!r}.")
    if found := _FORBIDDEN.search(prefix):
        raise SchemaError(f"{model}: the prefix {prefix!r} holds {found.group()!r}, which keys here reserve.")
    if prefix.startswith(":") or prefix.endswith(":"):
        raise SchemaError(f"{model}: the prefix {prefix!r} begins or ends with ':'; the separator is added by itself.")
    try:
        prefix.encode()
    except UnicodeEncodeError as error:
        raise SchemaError(f"{model}: the prefix {prefix!r} is not valid Unicode.") from error
    return prefix


def contains(outer: str, inner: str) -> bool:
    """Whether records of ``inner`` would look like records of ``outer``: ``user`` and ``user:x``."""
    return inner.startswith(outer + ":")


def check_id_bytes(text: bytes, model: str, value: object) -> bytes:
    """Returns the id's bytes if a key can hold them, else raises InvalidId."""
    if not text:
        raise InvalidId(f"{model}: the id is empty.", model=model, field="id", value=value)
    if len(text) > ID_LIMIT:
        raise InvalidId(
            f"{model}: the id takes {len(text)} bytes; at most {ID_LIMIT} are allowed.",
            model=model,
            field="id",
            value=value,
        )
    return text


def side_key(prefix: bytes, name: bytes) -> bytes:
    """The key of an index or of bookkeeping: ``users@ids``."""
    return prefix + b"@" + name
