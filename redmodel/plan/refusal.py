"""How a refusal of Redis becomes an error of this library. Nothing else."""

from __future__ import annotations

from redmodel.errors import ReplyError, WrongType


def wrong_type(key: bytes, found: bytes = b"") -> WrongType:
    """A key that holds another type than the layout says."""
    name = key.decode(errors="backslashreplace")
    kind = found.decode()
    return WrongType(
        f"{name!r} holds {'a ' + kind if kind else 'another type'}, which redmodel did not write there: "
        f"delete or rename that key, or give the model another prefix",
        key=key,
        found=kind,
    )


def explain(error: ReplyError, key: bytes) -> Exception:
    """The typed error for an error reply about ``key``; the reply itself where there is none."""
    # Redis 6.2 wraps the error of a command inside a script in a sentence of its own.
    return wrong_type(key) if "WRONGTYPE Operation" in error.text else error
