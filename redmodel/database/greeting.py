"""What is said when a connection opens, and what an unwelcoming answer means. No I/O; no text here holds a password."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from redmodel.database.url import Target
from redmodel.errors import AuthenticationFailed, ConnectionFailed, ReplyError
from redmodel.plan.core import Reply

Arg: TypeAlias = bytes | str | int | float  # what hiredis packs: numbers as their decimal text, text as UTF-8

# Error codes and beginnings of texts by which a server says that the credentials are not right.
_NO_ENTRY = (
    "WRONGPASS",
    "NOAUTH",
    "NOPERM",
    "ERR invalid password",
    "ERR AUTH ",
    "ERR Client sent AUTH",
    "ERR wrong num",
)


class Broken(Exception):
    """A transport's own signal that a connection broke. ``sent``: some of the batch may have reached the server."""

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


def greeting(target: Target) -> list[tuple[Arg, ...]]:
    """The commands that open a connection; they travel together, in one round trip."""
    commands: list[tuple[Arg, ...]] = []
    if target.password is not None:
        who = (target.username,) if target.username else ()
        commands.append(("AUTH", *who, target.password))
    if target.db:
        commands.append(("SELECT", target.db))
    commands.append(("CLIENT", "SETNAME", target.client_name))
    return commands


def check_greeting(target: Target, replies: Sequence[Reply]) -> None:
    """Raise what the answers to the greeting mean.

    Raises:
        AuthenticationFailed: the server wants a password, or refused the one given.
        ConnectionFailed: it accepts no more clients, is protected, or has no such database.
    """
    for command, reply in zip(greeting(target), replies, strict=True):
        if not isinstance(reply, ReplyError):
            continue
        # The text of a refused AUTH is not repeated: a server that doesn't know the command quotes its arguments.
        if command[0] == "AUTH":
            if reply.text.startswith(_NO_ENTRY) or reply.text.startswith("ERR unknown command"):
                raise refused(target, reply.code)
        elif reply.code == "NOAUTH":
            raise refused(target, reply.code)
        elif command[0] == "SELECT" and ("DB index" in reply.text or "SELECT is not allowed" in reply.text):
            raise ConnectionFailed(
                f"Redis at {target.place} has no database {target.db}; take one that it has ({reply})"
            )
        if "max number of clients" in reply.text or reply.code == "DENIED":
            raise ConnectionFailed(f"Redis at {target.place} takes no client now: {reply.text.partition('. ')[0]}")


def refused(target: Target, code: str = "") -> AuthenticationFailed:
    """The error for credentials that were refused or are missing."""
    if target.password is None:
        text = f"Redis at {target.place} wants a password; put it in the URL: redis://user:password@host"
    else:
        text = (
            f"Redis at {target.place} refused the user name or the password ({code or 'AUTH'}); check both in the URL"
        )
    return AuthenticationFailed(text)


def unreachable(target: Target, reason: str) -> ConnectionFailed:
    """The error for a server that can't be reached."""
    what = "the socket's path" if target.kind == "unix" else "the host and the port"
    return ConnectionFailed(f"can't reach Redis at {target.place}: {reason}; is it running, and {what} right?")


def broken(target: Target, reason: str, *, resend: bool) -> ConnectionFailed:
    """The error for a connection that broke while replies were due."""
    text = f"the connection to Redis at {target.place} broke: {reason}"
    if resend:
        return ConnectionFailed(f"{text}; it was tried again for {target.retry_seconds:g} s")
    return ConnectionFailed(f"{text}; the server may have carried out the work, so it was not sent twice: read it back")


def closed(target: Target) -> ConnectionFailed:
    """The error for work given to a handle after it was closed."""
    return ConnectionFailed(f"the handle on {target.place} is closed; open a new one")


def why(error: BaseException) -> str:
    """What an error of the operating system means, in one line."""
    if isinstance(error, TimeoutError | BlockingIOError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).strip().partition("\n")[0] or type(error).__name__
