"""``redmodel serve`` as a process: its configuration, its log, what it loads and saves, and its end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests import servers

_LINE = re.compile(r"^\d+:[CM] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.\-*#] .+$")


class Serving:
    """A server on a unix socket in a directory of its own."""

    def __init__(self, directory: Path, *options: str, stdin: str | None = None) -> None:
        self.directory = directory
        self.socket = str(directory / "s")
        self.log = directory / "log"
        self.earlier = len(self.said())  # a server before this one wrote to the same log
        options = (
            "--port",
            "0",
            "--unixsocket",
            self.socket,
            "--logfile",
            str(self.log),
            "--dir",
            str(directory),
            *options,
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "redmodel.cli", "serve", *options],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=directory,
        )
        if stdin is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(stdin)
            self.process.stdin.close()
        deadline = time.monotonic() + 30
        while "ready to accept connections at" not in self.said()[self.earlier :]:
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def client(self, **settings: object) -> redis.Redis:
        return redis.Redis(unix_socket_path=self.socket, decode_responses=True, **settings)  # type: ignore[arg-type]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()


@pytest.fixture
def place() -> Iterator[Path]:
    import shutil
    import tempfile

    directory = Path(tempfile.mkdtemp(prefix="redmodel-"))  # short: it is part of a unix socket's path
    yield directory
    shutil.rmtree(directory)


def refused(*words: str, stdin: str = "") -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "redmodel.cli", "serve", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return ran.returncode, ran.stderr + ran.stdout


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_saves_and_ends(place: Path, how: signal.Signals) -> None:
    serving = Serving(place, "--save", "3600 1", "--pidfile", str(place / "pid"))
    assert (place / "pid").read_text() == f"{serving.process.pid}\n"
    with serving.client() as client:
        client.set("a", 1)
    assert serving.end(how) == 0
    said = serving.said()
    lines = [line for line in said.splitlines() if ":signal-handler (" not in line]
    assert all(_LINE.match(line) for line in lines), said
    for text in (
        "# Server initialized",
        f"* The server is now ready to accept connections at {place / 's'}",
        f"Received {how.name} scheduling shutdown...",
        "# User requested shutdown...",
        "* Saving the final RDB snapshot before exiting.",
        "* DB saved on disk",
        "* Removing the unix socket file.",
        "bye bye...",
    ):
        assert text in said, text
    assert sorted(path.name for path in place.iterdir()) == ["dump.rdb", "log"]
    again = Serving(place, "--save", "")
    with again.client() as client:
        assert client.get("a") == "1"
        with pytest.raises(redis.ConnectionError):
            client.shutdown(nosave=True)
            client.ping()
    assert again.end() == 0
    assert "DB loaded from disk" in again.said()


def test_an_append_only_log(place: Path) -> None:
    serving = Serving(place, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
    with serving.client() as client:
        client.rpush("l", 1, 2)
        assert client.config_get("append*")["appendonly"] == "yes"
    serving.end(signal.SIGKILL)
    again = Serving(place, "--appendonly", "yes", "--save", "")
    with again.client() as client:
        assert client.lrange("l", 0, -1) == ["1", "2"]
    assert again.end() == 0
    assert "DB loaded from append only file" in again.said()


def test_a_file_stdin_and_options_count_in_this_order(place: Path) -> None:
    (place / "more.conf").write_text("maxmemory 30mb\n")
    conf = place / "redis.conf"
    conf.write_text(
        f"# a comment\n\nport 0\nunixsocket {place}/s\nlogfile '{place}/log'\ndir \"{place}\"\n"
        "save\nsave 60 1\nsave 30 2\nsave\n"
        f'maxmemory 10mb\ntimeout 5\nrequirepass "\\x61 b"\ninclude {place}/more.conf\n'
        "client-output-buffer-limit\nclient-output-buffer-limit pubsub 1mb 1mb 1\n"
        "user ada on nopass ~* +@all -flushall\n"
    )
    serving = Serving.__new__(Serving)
    serving.directory, serving.socket, serving.log = place, str(place / "s"), place / "log"
    serving.process = subprocess.Popen(
        [sys.executable, "-m", "redmodel.cli", "serve", str(conf), "--timeout", "7", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.process.stdin is not None
    serving.process.stdin.write("timeout 6\nmaxclients 100\n")
    serving.process.stdin.close()
    while "ready to accept" not in serving.said():
        assert serving.process.poll() is None
        time.sleep(0.02)
    with serving.client() as client, pytest.raises(redis.AuthenticationError):
        client.get("a")
    with serving.client(username="ada", password="x") as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.flushall()
    with serving.client(password="a b") as client:
        got = client.config_get("*")
        shown = {name: got[name] for name in ("timeout", "maxclients", "maxmemory", "save")}
        assert shown == {"timeout": "7", "maxclients": "100", "maxmemory": "31457280", "save": "60 1 30 2"}
        assert "pubsub 1048576 1048576 1" in got["client-output-buffer-limit"]
        client.config_set("timeout", 9)
        client.config_set("hz", 50)
        client.acl_setuser("bob", enabled=True, nopass=True)
        client.config_rewrite()
    assert serving.end() == 0
    text = conf.read_text()
    assert text.startswith("# a comment\n\nport 0\n")
    assert "\ntimeout 9\n" in text
    assert "\nhz 50\n" in text
    assert "\nuser ada on nopass" in text
    assert "\nuser bob on nopass" in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nosuch 1", "Bad directive or wrong number of arguments"),
        ("port x", "argument couldn't be parsed into an integer"),
        ("port 1 2", "wrong number of arguments"),
        ("maxmemory 1xx", "argument must be a memory value"),
        ("appendonly maybe", "argument must be 'yes' or 'no'"),
        ("databases 0", "argument must be between 1 and 2147483647 inclusive"),
        ("loglevel foo", "argument(s) must be one of the following: debug, verbose, notice, warning"),
        ("save 1", "Invalid save parameters"),
        ("dir /nonexistent", "No such file or directory"),
        ("replicaof a", "wrong number of arguments"),
        ("replicaof a 1", "this server can have replicas, and can't be one"),
        ("cluster-enabled yes", "there is no cluster mode"),
        ("unixsocketperm 999", "argument couldn't be parsed as an octal number"),
        ('requirepass "a', "Unbalanced quotes in configuration line"),
        ("user x foo", "Error in user declaration 'user': Syntax error"),
        ("rename-command a b", "No such command in rename-command"),
    ],
)
def test_a_bad_line_is_shown_as_redis_shows_it(line: str, reason: str) -> None:
    code, said = refused("-", stdin=f"timeout 0\n{line}\n")
    assert code == 1
    assert said == (
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 2\n"
        f">>> '{line}'\n{reason}\n"
    )


def test_what_is_refused_before_anything_is_opened() -> None:
    assert refused("/nonexistent/redis.conf")[0] == 1
    code, said = refused("--port", "0")
    assert code == 1
    assert "Configured to not listen anywhere, exiting." in said
    code, said = refused("--version")
    assert code == 0
    assert said.startswith("Redis server v=7.0.15 ")


def test_clients_are_turned_away_ended_and_held_up(place: Path) -> None:
    serving = Serving(place, "--maxclients", "3", "--rename-command", "FLUSHALL", "")
    first = serving.client(single_connection_client=True)
    assert first.client_id() > 0
    others = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for other in others:
        other.connect(serving.socket)
    others[0].sendall(b"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nPING\r\nECHO a\r\n")
    assert others[0].recv(100).startswith(b"+OK\r\n")
    assert others[2].recv(100) == b"-ERR max number of clients reached\r\n"
    with pytest.raises(redis.ResponseError, match="unknown command"):
        first.flushall()
    assert {client["fd"] for client in first.client_list()} >= {"7"} or len(first.client_list()) == 3
    first.client_pause(200, all=False)
    began = time.monotonic()
    first.get("a")
    assert time.monotonic() - began < 0.19
    first.set("a", 1)
    assert time.monotonic() - began > 0.15
    assert first.client_kill_filter(_type="normal", skipme=True) == 2
    others[1].settimeout(5)
    assert others[1].recv(10) == b""
    first.close()
    for other in others:
        other.close()
    assert serving.end() == 0


def test_before_a_client_says_who_it_is_little_is_taken(place: Path) -> None:
    serving = Serving(place, "--requirepass", "secret")
    for sent, said in (
        (b"*11\r\n", b"-ERR Protocol error: unauthenticated multibulk length\r\n"),
        (b"*2\r\n$3\r\nGET\r\n$16385\r\n", b"-ERR Protocol error: unauthenticated bulk length\r\n"),
        (b"GET a\r\nAUTH x\r\nAUTH secret\r\n*11\r\n$4\r\nMGET\r\n" + b"$1\r\na\r\n" * 10, b""),
    ):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(serving.socket)
            sock.sendall(sent)
            if said:
                assert sock.recv(1000) == said
                continue
            got = b""
            while got.count(b"$-1") < 10 and (piece := sock.recv(1000)):
                got += piece
            assert got.startswith(b"-NOAUTH Authentication required.\r\n-WRONGPASS invalid")
    with serving.client(password="secret") as client:
        errors = client.info("errorstats")
        assert errors["errorstat_NOAUTH"]["count"] == 1
        assert client.info("clients")["connected_clients"] == 1
    assert serving.end() == 0


def certify(place: Path, ending: str) -> None:
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(place / f"key{ending}"), "-out", str(place / f"crt{ending}")),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no openssl")


@pytest.mark.skipif(os.name != "posix", reason="needs openssl")
def test_tls(place: Path) -> None:
    certify(place, "")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ("--tls-port", str(port), "--tls-cert-file", str(place / "crt"), "--tls-key-file", str(place / "key"))
    serving = Serving(place, *options, "--tls-auth-clients", "no", "--bind", "127.0.0.1")
    with redis.Redis(port=port, ssl=True, ssl_ca_certs=str(place / "crt")) as client:
        client.set("a", "x" * 100_000)
        assert len(client.get("a") or b"") == 100_000
    certify(place, "2")
    with serving.client() as client:
        client.config_set("tls-cert-file", str(place / "crt2"), "tls-key-file", str(place / "key2"))
        with pytest.raises(redis.ResponseError, match="Unable to update TLS configuration"):
            client.config_set("tls-cert-file", str(place / "nosuch"))
        assert client.config_get("tls-cert-file") == {"tls-cert-file": str(place / "crt2")}
        for version in ("TLSv1.2", "TLSv1.3", "TLSv1.2 TLSv1.3"):  # faster than the server listens anew
            client.config_set("tls-protocols", version)
        with pytest.raises(redis.ResponseError, match="Failed to bind to specified addresses"):
            client.config_set("bind", "999.999.999.999")
    with redis.Redis(port=port, ssl=True, ssl_ca_certs=str(place / "crt2")) as client:
        assert client.exists("a")
    with (
        redis.Redis(port=port, ssl=True, ssl_ca_certs=str(place / "crt")) as client,
        pytest.raises(redis.ConnectionError),
    ):
        client.ping()
    with serving.client() as client:
        assert client.info("clients")["connected_clients"] == 1
    with serving.client() as client:
        client.config_set("tls-port", 0)
    with (
        redis.Redis(port=port, ssl=True, ssl_ca_certs=str(place / "crt2")) as client,
        pytest.raises(redis.ConnectionError),
    ):
        client.ping()
    assert serving.end() == 0
    code, said = refused("--port", "0", "--tls-port", str(port))
    assert code == 1
    assert "No tls-cert-file configured!" in said


def test_the_log_begins_and_ends_and_changes_its_promise_while_it_runs(place: Path) -> None:
    serving = Serving(place, "--appenddirname", "here", "--appendfilename", "my.log", "--save", "")
    with serving.client() as client:
        client.set("before", 1)
        client.function_load("#!lua name=one\nredis.register_function('f', function() return 1 end)")
        client.config_set("appendonly", "yes")
        assert client.info("persistence")["aof_enabled"] == 1
        for policy in ("always", "no", "everysec", "always"):
            client.config_set("appendfsync", policy)
            client.rpush("l", policy)
        client.config_set("appendonly", "no")
        client.set("lost", 1)
        client.config_set("appendonly", "yes")
        client.delete("lost")
        client.set("after", 1)
        client.bgrewriteaof()
    assert max(path.name for path in (place / "here").iterdir()) == "my.log.manifest"
    serving.end(signal.SIGKILL)
    binary = servers.redis7_binary()
    assert binary is not None or not os.environ.get("CI")
    if binary is not None:
        with servers.running(
            binary,
            tcp=False,
            options={"dir": str(place), "appendonly": "yes", "appenddirname": "here", "appendfilename": "my.log"},
        ) as real:
            assert real.command("LRANGE", "l", 0, -1) == [b"always", b"no", b"everysec", b"always"]
    again = Serving(place, "--appenddirname", "here", "--appendfilename", "my.log", "--appendonly", "yes")
    with again.client() as client:
        assert sorted(client.keys()) == ["after", "before", "l"]
        assert client.fcall("f", 0) == 1
    assert again.end() == 0


def test_save_points_save_while_commands_go_on(place: Path) -> None:
    serving = Serving(place, "--save", "1 5", "--dbfilename", "mine.rdb")
    with serving.client() as client:
        client.config_set("rdb-key-save-delay", 100_000)
        with client.pipeline(transaction=False) as together:
            for number in range(20):
                together.rpush(f"l{number}", 1)
            together.execute()
        deadline = time.monotonic() + 20
        while not client.info("persistence")["rdb_bgsave_in_progress"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        client.rpush("l1", 2)
        assert client.info("persistence")["rdb_changes_since_last_save"] == 21
        while client.info("persistence")["rdb_bgsave_in_progress"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert client.info("persistence")["rdb_changes_since_last_save"] == 1
        assert (place / "mine.rdb").stat().st_size > 200
        client.config_set("save", "")
        client.config_set("rdb-key-save-delay", 10_000_000)
        client.bgsave()
        with pytest.raises(redis.ConnectionError):
            client.shutdown()
            client.ping()
    assert serving.end() == 0
    assert sorted(path.name for path in place.iterdir()) == ["log", "mine.rdb"]


@pytest.mark.parametrize("how", ["appendonly", "bgrewriteaof"])
def test_a_log_that_is_begun_late_holds_keys_and_functions(place: Path, how: str) -> None:
    serving = Serving(place, "--save", "")
    with serving.client() as client:
        client.set("a", 1)
        client.function_load("#!lua name=lib\nredis.register_function('f', function() return 'said' end)")
        if how == "appendonly":
            client.config_set("appendonly", "yes")
            client.set("b", 2)
        else:
            assert client.bgrewriteaof()
    serving.end()
    again = Serving(place, "--save", "", "--appendonly", "yes")
    with again.client() as client:
        assert client.get("a") == "1"
        assert client.get("b") == ("2" if how == "appendonly" else None)
        assert client.fcall("f", 0) == "said"
    assert again.end() == 0


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="only Linux has oom_score_adj")
def test_the_score_of_the_system_is_obeyed_and_given_back(place: Path) -> None:
    serving = Serving(place, "--save", "")

    def score() -> int:
        return int(Path(f"/proc/{serving.process.pid}/oom_score_adj").read_text())

    before = score()
    with serving.client() as client:
        client.config_set("oom-score-adj-values", "17 200 800")
        assert score() == before
        client.config_set("oom-score-adj", "relative")
        assert score() == before + 17
        client.config_set("oom-score-adj", "absolute")
        assert score() == 17
        client.config_set("oom-score-adj", "no")
        assert score() == before
    assert serving.end() == 0


def test_a_server_that_is_busy_with_a_script_can_be_ended(place: Path) -> None:
    serving = Serving(place, "--save", "", "--appendonly", "yes", "--busy-reply-threshold", "20")
    with serving.client() as client, serving.client() as other:
        client.set("before", 1)
        thread = threading.Thread(target=_ignoring, args=(other, "redis.call('set', 'inside', 1) while true do end"))
        thread.start()
        deadline = time.monotonic() + 20
        while True:
            try:
                client.ping()
            except redis.exceptions.RedisError:
                break
            assert time.monotonic() < deadline
        with pytest.raises(redis.exceptions.RedisError, match="UNKILLABLE"):
            client.script_kill()
        with pytest.raises(redis.exceptions.RedisError, match="BUSY"):
            client.execute_command("SHUTDOWN")
        with contextlib.suppress(redis.exceptions.ConnectionError):
            client.execute_command("SHUTDOWN", "NOSAVE")
        thread.join(20)
    assert serving.process.wait(20) == 0
    serving.end()
    again = Serving(place, "--save", "", "--appendonly", "yes")
    with again.client() as client:
        assert (client.get("before"), client.get("inside")) == ("1", None)
    assert again.end() == 0


def _ignoring(client: redis.Redis, script: str) -> None:
    with contextlib.suppress(redis.exceptions.RedisError):
        client.eval(script, 0)


def test_values_on_the_command_line_may_look_like_options(place: Path) -> None:
    options = ("--proc-title-template", "--x", "--save", "--hz 20", "--shutdown-on-sigint", "nosave force", "now")
    serving = Serving(place, *options)
    with serving.client() as client:
        assert client.config_get("proc-title-template", "save", "hz", "shutdown-on-sigint") == {
            "proc-title-template": "--x",
            "save": "",
            "hz": "20",
            "shutdown-on-sigint": "nosave now force",
        }
    assert serving.end() == 0
    code, said = refused("--port", "--logfile", "x")
    assert code == 1 and '\'port "--logfile" "x"\'' in said and "wrong number of arguments" in said
