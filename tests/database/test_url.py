"""URLs: what each form means, what is refused with which remedy, and that a password never shows."""

from __future__ import annotations

import itertools
import pickle
import traceback

import pytest

from redmodel.database.url import Target, Tls, parse
from redmodel.errors import InvalidUrl

CANARY = "c4n4ry-s3cret"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", Target("tcp")),
        ("redis://localhost", Target("tcp")),
        ("REDIS://Example.ORG:7000/3", Target("tcp", "example.org", 7000, db=3)),
        ("redis://h?db=4", Target("tcp", "h", db=4)),
        ("redis://h/", Target("tcp", "h")),
        ("redis://[::1]:7000", Target("tcp", "::1", 7000)),
        ("redis://:pw@h", Target("tcp", "h", password="pw")),
        ("redis://ada:pw@h", Target("tcp", "h", username="ada", password="pw")),
        ("redis://ada:@h", Target("tcp", "h", username="ada", password="")),
        ("redis://:@h", Target("tcp", "h")),
        ("redis://a%40b:p%3A%2F%40%23%25@h", Target("tcp", "h", username="a@b", password="p:/@#%")),
        ("redis://:p@ss@h", Target("tcp", "h", password="p@ss")),
        ("redis://h?timeout=2.5&connect_timeout=1", Target("tcp", "h", timeout=2.5, connect_timeout=1.0)),
        ("redis://h?socket_timeout=2&retry_seconds=0", Target("tcp", "h", timeout=2.0, retry_seconds=0.0)),
        ("redis://h?client_name=web", Target("tcp", "h", client_name="web")),
        ("redis://h?decode_responses=True&protocol=3", Target("tcp", "h")),
        ("valkey://h", Target("tcp", "h")),
        ("rediss://h", Target("tls", "h", tls=Tls())),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", Target("tls", "h", tls=Tls(verify="none"))),
        ("rediss://h?ssl_cert_reqs=none&ssl_ca_certs=/c.pem", Target("tls", "h", tls=Tls("none", ca_certs="/c.pem"))),
        ("rediss://h?ssl_check_hostname=false", Target("tls", "h", tls=Tls(check_hostname=False))),
        ("unix:///run/redis.sock", Target("unix", "", path="/run/redis.sock")),
        ("unix:///run/a%20b.sock?db=2", Target("unix", "", path="/run/a b.sock", db=2)),
        ("unix://./redis.sock", Target("unix", "", path="./redis.sock")),
        ("unix://ada:pw@/run/redis.sock", Target("unix", "", path="/run/redis.sock", username="ada", password="pw")),
        (
            "unix:///r.sock?username=ada&password=p%26w",
            Target("unix", "", path="/r.sock", username="ada", password="p&w"),
        ),
        ("embedded:///var/lib/app", Target("embedded", path="/var/lib/app")),
        ("embedded://relative/path", Target("embedded", path="relative/path")),
        ("embedded://./x", Target("embedded", path="./x")),
        ("embedded://", Target("embedded", path="./redmodel-data")),
        ("embedded:///a%20b?appendfsync=always", Target("embedded", path="/a b", appendfsync="always")),
        ("embedded://x?attach=no&mode=ro", Target("embedded", path="x", attach=False, mode="ro")),
        ("embedded://x?retry_seconds=2&timeout=3", Target("embedded", path="x", retry_seconds=2, timeout=3)),
        ("embedded:///x?db=1", Target("embedded", path="/x", db=1)),
        ("memory://", Target("memory")),
        ("memory://shared", Target("memory", path="shared")),
    ],
)
def test_what_a_url_means(url: str, expected: Target) -> None:
    assert parse(url) == expected


def test_without_a_url_the_environment_and_then_the_embedded_store_are_meant() -> None:
    assert parse(None, env={"REDMODEL_URL": "redis://h/1"}) == Target("tcp", "h", db=1)
    assert parse(None, env={}) == Target("embedded", path="./redmodel-data")
    assert parse(None, env={"REDMODEL_URL": ""}) == Target("embedded", path="./redmodel-data")


def test_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert parse("embedded://~/data").path == "/home/ada/data"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("", "no scheme"),
        ("localhost:6379", "no scheme"),
        ("/var/lib/app", "no scheme"),
        ("redis:/localhost", "no scheme"),
        ("http://h", "no back end"),
        ("redos://h", "unknown"),
        ("redis+sentinel://h", "hand it to the handle"),
        ("redis-cluster://h", "hand it to the handle"),
        ("redis://ada@h", "user:password@host"),
        ("redis://h?username=ada", "user:password@host"),
        ("redis://h:0", "1 to 65535"),
        ("redis://h:65536", "1 to 65535"),
        ("redis://h:port", "percent-encode"),
        ("redis://:pa/ss@h", "percent-encode"),
        ("redis://:pa#ss@h", "percent-encode"),
        ("redis://[::1", "percent-encode"),
        ("redis://h/x", "database is a number"),
        ("redis://h?db=-1", "database is a number"),
        ("redis://h?timeout=soon", "number of seconds"),
        ("redis://h?timeout=0", "number of seconds"),
        ("redis://h?timeout=inf", "number of seconds"),
        ("redis://h?colour=red", "it takes"),
        ("redis://h?appendfsync=always", "appendfsync"),
        ("redis://h?ssl_cert_reqs=none", "ssl_cert_reqs"),
        ("rediss://h?ssl_cert_reqs=maybe", "required, optional or none"),
        ("rediss://h?ssl_check_hostname=maybe", "true or false"),
        ("redis://h?junk", "can't be read"),
        ("unix://", "names the server's socket"),
        ("unix:///?db=0", "names the server's socket"),
        ("embedded:///x?appendfsync=sometimes", "always, everysec or no"),
        ("embedded:///x?attach=perhaps", "yes or no"),
        ("embedded:///x?mode=w", "rw or ro"),
        ("redis://h?attach=no", "attach"),
        ("embedded:///x%00y", "NUL"),
    ],
)
def test_what_is_refused_says_what_to_write(url: str, remedy: str) -> None:
    with pytest.raises(InvalidUrl, match=remedy) as caught:
        parse(url)
    assert "\n" not in str(caught.value)


def test_something_else_than_text_is_refused() -> None:
    with pytest.raises(InvalidUrl, match="not int"):
        parse(7)  # type: ignore[arg-type]


GOOD = [
    f"redis://:{CANARY}@h/1",
    f"rediss://ada:{CANARY}@h",
    f"unix://:{CANARY}@/r.sock",
    f"unix:///r.sock?password={CANARY}",
    f"redis://h?password={CANARY}",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_password_never_shows_in_a_target(url: str) -> None:
    target = parse(url)
    assert target.password == CANARY
    for text in (repr(target), str(target), f"{target}", target.place, repr([target]), repr({"t": target})):
        assert CANARY not in text
    assert str(target) == str(pickle.loads(pickle.dumps(target)))


BAD_BITS = ["", ":", "@", "/", "#", "?", "[", "]", "%", "%zz", " ", "\x00", "://", "::", "x="]


@pytest.mark.parametrize(
    "before", ["", "redis://", "redis://:", "unix://", "r@dis://", "redis://h:", "redis://h/", "redis://h?"]
)
def test_a_password_never_shows_in_an_error(before: str) -> None:
    seen = 0
    for left, right in itertools.product(BAD_BITS, repeat=2):
        for after in ("", "@h", "@h:1/0", "=1", "@[::1"):
            url = f"{before}{left}{CANARY}{right}{after}"
            try:
                target = parse(url)
            except InvalidUrl as error:
                shown = "".join(traceback.format_exception(error, limit=0)) + repr(error)
                seen += 1
            else:
                shown = repr(target) + str(target) if CANARY in (target.password or "") else ""
            assert CANARY not in shown, url
    assert seen
