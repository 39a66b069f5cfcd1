"""Clients that are handed in, and redis-py built for TLS: what is taken, what is refused, what shows in messages."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from redmodel.database.over_client import (
    AsyncClientExecutor,
    ClientExecutor,
    async_client_of,
    client_of,
)
from redmodel.database.raw_replies import plain
from redmodel.database.url import parse
from redmodel.errors import ConnectionFailed, InvalidUrl, ReplyError
from tests.database.transports import batch
from tests.servers import RealServer, free_port

CANARY = "c4n4ry-s3cret"


def test_a_cluster_client_is_refused_with_what_to_do() -> None:
    class RedisCluster:
        pass

    for executor in (ClientExecutor, AsyncClientExecutor):
        with pytest.raises(InvalidUrl, match=r"hand in a redis\.Redis"):
            executor(RedisCluster())  # type: ignore[arg-type]
        with pytest.raises(InvalidUrl, match="not str"):
            executor("redis://h")  # type: ignore[arg-type]


def test_where_a_client_leads_shows_without_its_password() -> None:
    client = redis.Redis(host="cache.local", port=7000, db=2, username="ada", password=CANARY)
    target = ClientExecutor(client).target
    assert target.place == "cache.local:7000"
    assert target.db == 2
    assert CANARY not in f"{target!r}{target}{target.password}"
    target = ClientExecutor(redis.Redis(unix_socket_path="/run/r.sock")).target
    assert target.place == "/run/r.sock"


def test_closing_the_executor_leaves_the_client_open(redis7: RealServer) -> None:
    client = redis.Redis.from_url(redis7.unix_url)
    executor = ClientExecutor(client)
    assert executor.execute(batch(["PING"])) == [b"PONG"]
    executor.close()
    with pytest.raises(ConnectionFailed, match="is closed"):
        executor.execute(batch(["PING"]))
    assert client.ping()
    client.close()


def test_connections_go_back_to_the_clients_pool(redis7: RealServer) -> None:
    pool = redis.BlockingConnectionPool.from_url(redis7.unix_url, max_connections=1, timeout=5)
    client = redis.Redis(connection_pool=pool)
    executor = ClientExecutor(client)
    for _ in range(5):
        executor.execute(batch(["PING"]))
        with pytest.raises(TypeError):
            executor.execute(batch(["SET", "a", None]))  # type: ignore[list-item]
        assert isinstance(executor.execute(batch(["NONSENSE"]))[0], ReplyError)
        assert client.ping()
    client.close()
    pool.disconnect()


def test_a_client_of_a_url(redis7: RealServer) -> None:
    for url in (redis7.unix_url + "?db=3", redis7.tcp_url + "/3"):
        client = client_of(parse(url))
        client.set("a", "1")
        assert client.get("a") == b"1"
        assert client.client_info()["db"] == 3
        client.close()

        async def main(url: str = url) -> None:
            other = async_client_of(parse(url))
            assert await other.get("a") == b"1"
            await other.aclose()

        asyncio.run(main())


def test_a_cancelled_task_leaves_no_reply_in_the_pool(redis7: RealServer) -> None:
    async def main() -> None:
        client = redis.asyncio.Redis.from_url(redis7.unix_url, max_connections=1)
        executor = AsyncClientExecutor(client)
        for i in range(20):
            task = asyncio.create_task(executor.execute(batch(["BLPOP", "nothing", 5])))
            await asyncio.sleep(0.002)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await executor.execute(batch(["ECHO", str(i)])) == [str(i).encode()]
        await client.aclose()

    asyncio.run(main())


def test_shapes_of_resp3() -> None:
    assert plain({b"a": 1.5, b"b": [True, None, {b"x"}]}) == [b"a", b"1.5", b"b", [1, None, [b"x"]]]
    assert plain([3.0, float("inf"), -0.5]) == [b"3", b"inf", b"-0.5"]
    assert plain("é") == "é".encode()
    (error,) = plain([redis.ResponseError("value is not an integer", status_code="ERR")])  # type: ignore[misc]
    assert isinstance(error, ReplyError)
    assert error.text == "ERR value is not an integer"
    with pytest.raises(TypeError, match="unknown type object"):
        plain(object())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program to make a certificate with")
    place = tmp_path_factory.mktemp("tls")
    cert, key = place / "cert.pem", place / "key.pem"
    made = subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
        ],
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return cert, key


@pytest.fixture(scope="module")
def secured(redis7: RealServer, certificate: tuple[Path, Path]) -> Iterator[tuple[RealServer, int, Path]]:
    cert, key = certificate
    port = free_port()
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(cert),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(cert),
        "tls-auth-clients": "no",
    }
    server = RealServer(redis7.binary, options=options)
    try:
        server.start()
    except RuntimeError as error:
        server.stop()
        pytest.skip(f"this redis-server has no TLS: {error}")
    yield server, port, cert
    server.stop()


def ask(url: str, colour: str) -> Any:
    target = parse(url)
    if colour == "blocking":
        client = client_of(target)
        try:
            return list(ClientExecutor(client, target).execute(batch(["PING"])))
        finally:
            client.close()

    async def main() -> Any:
        client = async_client_of(target)
        try:
            return list(await AsyncClientExecutor(client, target).execute(batch(["PING"])))
        finally:
            await client.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize("colour", ["blocking", "asyncio"])
def test_tls(secured: tuple[RealServer, int, Path], colour: str) -> None:
    server, port, cert = secured
    assert ask(f"rediss://localhost:{port}?ssl_ca_certs={cert}", colour) == [b"PONG"]
    assert ask(f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none", colour) == [b"PONG"]
    with pytest.raises(ConnectionFailed, match=r"certificate verify failed|CERTIFICATE_VERIFY_FAILED") as caught:
        ask(f"rediss://localhost:{port}?retry_seconds=0", colour)
    assert "\n" not in str(caught.value)
    # TLS to a port without, and the other way round.
    with pytest.raises(ConnectionFailed) as caught:
        ask(f"rediss://127.0.0.1:{server.port}?connect_timeout=2&timeout=2", colour)
    assert "\n" not in str(caught.value)
    from redmodel.database.over_redis import RedisExecutor

    plain_to_tls = RedisExecutor(parse(f"redis://127.0.0.1:{port}?connect_timeout=2"))
    with pytest.raises(ConnectionFailed):
        plain_to_tls.execute(batch(["PING"]))
    plain_to_tls.close()
