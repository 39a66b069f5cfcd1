"""What a URL says: the back end, its place, the credentials and the settings. Nothing is opened or looked up here.

No text made here, error or ``repr``, holds a password or an unparsed piece of the URL that could be one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from redmodel.errors import InvalidUrl

Kind = Literal["tcp", "tls", "unix", "embedded", "memory"]
SyncPolicy = Literal["always", "everysec", "no"]
Mode = Literal["rw", "ro"]

DEFAULT_DIRECTORY = "./redmodel-data"
VARIABLE = "REDMODEL_URL"

_SCHEMES: dict[str, Kind] = {
    "redis": "tcp",
    "valkey": "tcp",
    "rediss": "tls",
    "valkeys": "tls",
    "unix": "unix",
    "embedded": "embedded",
    "memory": "memory",
}
_FORMS = (
    "redis://host:6379/0, rediss://host:6379/0 (TLS), unix:///path/to/redis.sock?db=0, "
    "embedded:///absolute/directory, embedded://relative/directory or memory://name"
)


@dataclass(frozen=True, slots=True)
class Tls:
    """How a ``rediss://`` connection is secured; certificate and host name are checked unless told otherwise."""

    verify: Literal["required", "optional", "none"] = "required"
    check_hostname: bool = True
    ca_certs: str = ""
    certfile: str = ""
    keyfile: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One back end: where it is and how to speak to it. ``str()`` gives its URL without the password.

    ``path`` is the socket of ``unix``, the directory of ``embedded``, or the name of ``memory`` (empty: private to the
    handle). ``timeout`` is how long one reply may take, ``connect_timeout`` how long a connection may take, and
    ``retry_seconds`` how long work that may be repeated is tried again when the connection breaks; all in seconds.
    ``attach`` says whether an embedded store is shared with other processes, ``mode`` whether it is written.
    """

    kind: Kind
    host: str = "localhost"
    port: int = 6379
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    connect_timeout: float = 5.0
    retry_seconds: float = 10.0
    client_name: str = "redmodel"
    tls: Tls | None = None
    appendfsync: SyncPolicy = "everysec"
    attach: bool = True
    mode: Mode = "rw"

    @property
    def place(self) -> str:
        """Where it is, for messages: ``localhost:6379``, the socket's path, the directory, or the name."""
        if self.kind in ("tcp", "tls"):
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return self.path or ("this process's memory" if self.kind == "memory" else DEFAULT_DIRECTORY)

    @property
    def keyspace(self) -> object:
        """What tells the server's data from others'; two names of one host count as two."""
        return (self.path, self.db) if self.kind == "unix" else (self.host, self.port, self.db)

    def __str__(self) -> str:
        scheme = {"tcp": "redis", "tls": "rediss"}.get(self.kind, self.kind)
        who = quote(self.username, safe="") if self.username else ""
        who += ":***" if self.password else ""
        where = self.place if self.kind in ("tcp", "tls") else quote(self.path, safe="/~.")
        db = (f"/{self.db}" if self.kind in ("tcp", "tls") else f"?db={self.db}") if self.db else ""
        return f"{scheme}://{who}{'@' if who else ''}{where}{db}"


def parse(url: str | None = None, *, env: Mapping[str, str] = os.environ) -> Target:
    """Read a URL; without one, read ``REDMODEL_URL``; without that, mean the embedded store in ``./redmodel-data``.

    Args:
        url: ``redis:// rediss:// unix:// embedded:// memory://``. User name, password, socket path and directory
            may be percent-encoded. Settings follow ``?``: ``timeout``, ``connect_timeout``, ``retry_seconds``,
            ``client_name``, ``db``; for TLS ``ssl_cert_reqs``, ``ssl_check_hostname``, ``ssl_ca_certs``,
            ``ssl_certfile``, ``ssl_keyfile``; for an embedded store ``appendfsync=always|everysec|no``,
            ``attach=yes|no`` and ``mode=rw|ro``.
        env: where ``REDMODEL_URL`` is looked up.

    Raises:
        InvalidUrl: the URL names no back end; the text says what to write instead, and never repeats the URL.

    >>> parse("redis://:secret@cache.local/2")
    Target(kind='tcp', host='cache.local', port=6379, path='', db=2, username=None, timeout=10.0, ...)
    >>> str(parse("redis://ada:secret@cache.local:7000/2"))
    'redis://ada:***@cache.local:7000/2'
    >>> parse("embedded://./data?appendfsync=always").path
    './data'
    """
    if url is None:
        url = env.get(VARIABLE) or f"embedded://{DEFAULT_DIRECTORY}"
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidUrl(f"a URL is a str, not {type(url).__name__}; write one of {_FORMS}")
    scheme, separator, rest = url.strip().partition("://")
    scheme = scheme.lower()
    if not separator:
        raise InvalidUrl(f"this is no URL: it has no scheme; write one of {_FORMS}")
    kind = _SCHEMES.get(scheme)
    if kind is None:
        _refuse_scheme(scheme)
    if kind in ("embedded", "memory"):
        return _local(kind, rest)
    return _server(kind, rest)


def _refuse_scheme(scheme: str) -> NoReturn:
    if "sentinel" in scheme or "cluster" in scheme:
        raise InvalidUrl("Sentinel and Cluster have no URL; make the client with redis-py and hand it to the handle")
    if scheme in ("http", "https", "file", "sqlite", "postgresql", "mongodb", "s3"):
        raise InvalidUrl(f"{scheme}:// is no back end of redmodel; write one of {_FORMS}")
    # Anything else could be the user name or password of a URL that lost its beginning, and is not repeated.
    raise InvalidUrl(f"the scheme is unknown; write one of {_FORMS}")


def _local(kind: Kind, rest: str) -> Target:
    text, _, query = rest.partition("?")
    path = unquote(text)
    if "\x00" in path:
        raise InvalidUrl(f"the {'directory' if kind == 'embedded' else 'name'} holds a NUL character")
    if kind == "embedded":
        path = str(Path(path).expanduser()) if path.startswith("~") else path or DEFAULT_DIRECTORY
    return _with_settings(Target(kind=kind, path=path), query)


def _server(kind: Kind, rest: str) -> Target:
    remedy = "percent-encode the characters : / ? # @ [ ] % in a user name or password"
    try:
        parts = urlsplit(f"redis://{rest}")
        user, password = parts.username, parts.password
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidUrl(
            f"the host or the port can't be read; the port is a number from 1 to 65535; {remedy}"
        ) from None
    if parts.fragment:
        raise InvalidUrl(f"a '#' stands in the URL; {remedy}")
    target = Target(
        kind=kind,
        username=unquote(user) if user else None,
        # An empty password is one, for a user who was made without any; without a user it means nothing.
        password=unquote(password) if password or (password == "" and user) else None,
        tls=Tls() if kind == "tls" else None,
    )
    if kind == "unix":
        # unix://./relative.sock puts the first piece where a host would stand.
        location = parts.netloc.rpartition("@")[2]
        path = unquote(location + parts.path)
        if not path.strip("/"):
            raise InvalidUrl("a unix:// URL names the server's socket: unix:///path/to/redis.sock?db=0")
        return _with_settings(replace(target, path=path, host=""), parts.query)
    if port == 0:
        raise InvalidUrl(f"the port is a number from 1 to 65535; {remedy}")
    if host is not None and (not host or re.search(r"[\s\x00-\x1f%/]", host)):
        raise InvalidUrl(f"the host can't be read; {remedy}")
    target = replace(target, host=host or "localhost", port=port or 6379)
    database = unquote(parts.path).strip("/")
    if database:
        target = replace(target, db=_database(database))
    return _with_settings(target, parts.query)


def _database(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidUrl("the database is a number: redis://host:6379/0 or ?db=0")
    return int(text)


def _seconds(name: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or (name != "retry_seconds" and not float(text)):
            raise InvalidUrl(f"?{name}= is a number of seconds, such as 2.5")
        return float(text)

    return read


def _yes_or_no(name: str) -> Callable[[str], bool]:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

    def read(text: str) -> bool:
        if text.lower() not in known:
            raise InvalidUrl(f"?{name}= is true or false, or yes or no")
        return known[text.lower()]

    return read


def _verify(text: str) -> Literal["required", "optional", "none"]:
    word = text.lower().removeprefix("cert_")
    match word:
        case "required" | "optional" | "none":
            return word
        case _:
            raise InvalidUrl("?ssl_cert_reqs= is required, optional or none")


def _policy(text: str) -> SyncPolicy:
    match text:
        case "always" | "everysec" | "no":
            return text
        case _:
            raise InvalidUrl("?appendfsync= is always, everysec or no")


def _mode(text: str) -> Mode:
    match text:
        case "rw" | "ro":
            return text
        case _:
            raise InvalidUrl("?mode= is rw or ro")


# What may follow "?": for which kinds, under which name in Target (or Tls), and how its text is read.
_REMOTE: tuple[Kind, ...] = ("tcp", "tls", "unix")
_SERVED: tuple[Kind, ...] = (*_REMOTE, "embedded")  # another process may have an embedded store, and is asked for it
_SETTINGS: dict[str, tuple[tuple[Kind, ...], str, Callable[[str], object]]] = {
    "db": (("tcp", "tls", "unix", "embedded", "memory"), "db", _database),
    "timeout": (_SERVED, "timeout", _seconds("timeout")),
    "socket_timeout": (_REMOTE, "timeout", _seconds("socket_timeout")),
    "connect_timeout": (_SERVED, "connect_timeout", _seconds("connect_timeout")),
    "socket_connect_timeout": (_REMOTE, "connect_timeout", _seconds("socket_connect_timeout")),
    "retry_seconds": (_SERVED, "retry_seconds", _seconds("retry_seconds")),
    "client_name": (_REMOTE, "client_name", str),
    "username": (_REMOTE, "username", str),
    "password": (_REMOTE, "password", str),
    "ssl_cert_reqs": (("tls",), "tls.verify", _verify),
    "ssl_check_hostname": (("tls",), "tls.check_hostname", _yes_or_no("ssl_check_hostname")),
    "ssl_ca_certs": (("tls",), "tls.ca_certs", str),
    "ssl_certfile": (("tls",), "tls.certfile", str),
    "ssl_keyfile": (("tls",), "tls.keyfile", str),
    "appendfsync": (("embedded",), "appendfsync", _policy),
    "attach": (("embedded",), "attach", _yes_or_no("attach")),
    "mode": (("embedded",), "mode", _mode),
}
# Settings of redis-py's URLs that have no meaning here: replies are always read as bytes in RESP2.
_IGNORED = ("protocol", "decode_responses", "encoding")


def _with_settings(target: Target, query: str) -> Target:
    target = _settings_read(target, query)
    if target.username is not None and target.password is None:
        # Most often a password that was written where the user name stands; so it must not be taken for one and shown.
        raise InvalidUrl("a user name without a password: write redis://user:password@host or redis://:password@host")
    return target


def _settings_read(target: Target, query: str) -> Target:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise InvalidUrl("what follows '?' can't be read; write ?name=value&name=value") from None
    for name, text in pairs:
        if name in _IGNORED:
            continue
        kinds, place, read = _SETTINGS.get(name, ((), "", str))
        if target.kind not in kinds:
            known = ", ".join(sorted(n for n, (kinds, *_) in _SETTINGS.items() if target.kind in kinds))
            # A name that is known elsewhere is safe to repeat; any other could be a piece of a password.
            what = f"?{name}=" if name in _SETTINGS else "a setting after '?'"
            raise InvalidUrl(f"{what} means nothing for this kind of URL; it takes {known}")
        value = read(text)
        if place.startswith("tls."):
            assert target.tls is not None
            target = replace(target, tls=_replace_tls(target.tls, place.removeprefix("tls."), value))
        else:
            target = replace(target, **{place: value})  # type: ignore[arg-type]  # each reader gives its field's type
    return target


def _replace_tls(tls: Tls, name: str, value: object) -> Tls:
    return replace(tls, **{name: value})  # type: ignore[arg-type]  # each reader gives its field's type
