"""CONFIG against a real server: every parameter's name and default, and what each kind of value is refused with."""

from __future__ import annotations

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.settings import Settings
from redmodel.engine.settings.parameters import ALIASES, PARAMETERS
from tests.differential.both import Both
from tests.differential.wire import Connection
from tests.servers import RealServer

# The tests' own server is started with these.
_STARTED_WITH = frozenset(b"bind port unixsocket dir logfile save".split())


def test_every_parameter_has_redis_name_and_default(truth: RealServer) -> None:
    connection = Connection(truth.socket_path)
    listed = [content for _, content in connection.execute([b"CONFIG", b"GET", b"*"])[1]]
    connection.close()
    real = dict(zip(listed[::2], listed[1::2], strict=True))
    ours = Engine(settings=Settings()).execute(Session(), [b"CONFIG", b"GET", b"*"])
    assert isinstance(ours, dict)
    assert ours.keys() == real.keys()
    differing = {name for name in real if ours[name] != real[name]} - _STARTED_WITH
    assert not differing, {name: (real[name], ours[name]) for name in differing}


@pytest.mark.parametrize("value", ["xyzzy!", "-99999999999", "99999999999999999999", "", "yes", "1 2"])
def test_values_are_refused_in_the_same_words(both: Both, value: str) -> None:
    changed = [
        name
        for name, row in PARAMETERS.items()
        if name.encode() not in _STARTED_WITH and (row.guard or row.kind.__class__.__name__ not in ("Text", "Words"))
    ]
    skipped = {"maxmemory", "maxclients", "maxmemory-clients", "appendonly", "tls-port", "client-query-buffer-limit"}
    for name in sorted({*changed, *ALIASES} - skipped - {"activedefrag", "tls-cluster", "tls-replication"}):
        before = both.ask_engine([b"CONFIG", b"GET", name.encode()])[1][1][1]
        both.check([b"CONFIG", b"SET", name.encode(), value.encode()])
        both.check([b"CONFIG", b"GET", name.encode()])
        row = PARAMETERS[ALIASES.get(name, name)]
        if row.guard in ("", "hidden"):
            both.check([b"CONFIG", b"SET", name.encode(), before])


def test_config(both: Both) -> None:
    both.check_all(r"""
        CONFIG SET
        CONFIG SET maxmemory
        CONFIG SET nosuch 1
        CONFIG SET hz 20 nosuch 1
        CONFIG GET hz
        CONFIG SET maxmemory 1 maxmemory 2
        CONFIG SET maxmemory 100mb timeout x
        CONFIG GET maxmemory
        CONFIG SET maxmemory 100mb timeout 7
        CONFIG GET maxmemory timeout
        CONFIG GET MAXMEMORY
        CONFIG GET maxmemory*
        CONFIG GET *max-*-entries hash-max-*
        CONFIG SET maxmemory 10xx
        CONFIG SET maxmemory 50%
        CONFIG SET maxmemory 0 timeout 0
        CONFIG SET save x
        CONFIG SET save 1
        CONFIG SET save "0 1"
        CONFIG SET save "10 1 20 2"
        CONFIG GET save
        CONFIG SET save ""
        CONFIG GET save
        CONFIG SET client-output-buffer-limit "normal 1 2"
        CONFIG SET client-output-buffer-limit "nosuch 1 2 3"
        CONFIG SET client-output-buffer-limit "normal x 2 3"
        CONFIG SET client-output-buffer-limit "normal 1gb 2gb 3 pubsub 1mb 2mb 3"
        CONFIG GET client-output-buffer-limit
        CONFIG SET client-output-buffer-limit "normal 0 0 0 replica 1 1 1 pubsub 32mb 8mb 60"
        CONFIG GET client-output-buffer-limit
        CONFIG SET client-output-buffer-limit "slave 268435456 67108864 60"
        CONFIG SET notify-keyspace-events KEAx
        CONFIG GET notify-keyspace-events
        CONFIG SET notify-keyspace-events Elgm
        CONFIG GET notify-keyspace-events
        CONFIG SET notify-keyspace-events ""
        CONFIG SET latency-tracking-info-percentiles 101
        CONFIG SET latency-tracking-info-percentiles "0.0 50.5 100"
        CONFIG GET latency-tracking-info-percentiles
        CONFIG SET latency-tracking-info-percentiles "50 99 99.9"
        CONFIG SET hz 0
        CONFIG GET hz
        CONFIG SET hz 10
        CONFIG SET dir /tmp hz 20
        CONFIG SET hz 20 databases 20
        CONFIG REWRITE
        CONFIG REWRITE x
        CONFIG RESETSTAT x
        CONFIG HELP
        CONFIG HELP x
    """)
