"""How commands end: exit codes, errors of one line, secrets, closed pipes, and how quickly the help is there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redmodel.cli.faults import without_secrets
from tests.cli.conftest import MODELS, Cli
from tests.house.source import ROOT
from tests.servers import RealServer, free_port, redis7_binary, running

CANARY = "canary-0xC0FFEE"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def process(*args: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "redmodel.cli", *args],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # type: ignore[call-overload,no-any-return]  # fmt: skip


READING = [["tree"], ["show", "users:1"], ["find", "Airport"], ["count", "Airport"]]


@pytest.mark.parametrize("args", READING, ids=lambda args: args[0])
def test_no_store(cli: Cli, args: list[str]) -> None:
    said = cli(*args)
    assert said.code == 2
    assert said.out == ""
    assert "there is no embedded store in ./redmodel-data" in said.err
    assert not Path("redmodel-data").exists()
    assert cli(*args, "--url", "embedded://nowhere").code == 2
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("args", [*READING, ["demo"]], ids=lambda args: args[0])
def test_no_server(cli: Cli, args: list[str]) -> None:
    said = cli(*args, "--url", f"redis://ada:{CANARY}@127.0.0.1:{free_port()}/1?retry_seconds=0")
    assert said.code == 3
    assert said.out.count("\n") < 40
    assert len(said.err.splitlines()) == 1
    assert "can't reach Redis" in said.err
    assert CANARY not in said.out + said.err


@pytest.mark.parametrize(
    "url",
    [
        f"http://ada:{CANARY}@host",
        f"redis://ada:{CANARY}@host:port",
        f"redis//ada:{CANARY}@host",
        f"redis://ada:{CANARY}@host/?x={CANARY}",
        f"redis://:{CANARY}#x@host",
        f"{CANARY}://",
        f"unix://:{CANARY}@",
    ],
)
def test_bad_urls(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for args in READING:
        said = cli(*args, "--url", url)
        assert said.code == 2
        assert len(said.err.splitlines()) == 1
        assert CANARY not in said.out + said.err
    monkeypatch.setenv("REDMODEL_URL", url)
    said = cli("tree")
    assert said.code == 2
    assert CANARY not in said.err


def test_a_url_in_the_wrong_place_keeps_its_password(cli: Cli) -> None:
    said = cli("tree", f"redis://ada:{CANARY}@host")
    assert said.code == 2
    assert CANARY not in said.err
    assert "redis://ada:***@host" in said.err
    said = cli("tree", "--depth", f"redis://ada:{CANARY}@host")
    assert said.code == 2
    assert CANARY not in said.err
    assert cli("tree", "--nothing").code == 2
    assert cli("nothing").code == 2


def test_secrets_in_texts() -> None:
    assert without_secrets("redis://:a@b@host and redis://u:p@h") == "redis://:***@host and redis://u:***@h"
    assert without_secrets("unix:///s?password=p&db=1") == "unix:///s?password=***&db=1"


def test_a_wrong_password(cli: Cli) -> None:
    with running(redis7_binary(), password="right") as server:
        for args in (*READING, ["demo"]):
            for credentials in (f"ada:{CANARY}@", f":{CANARY}@", ""):
                said = cli(*args, "--url", f"redis://{credentials}127.0.0.1:{server.port}")
                assert said.code == 2
                assert CANARY not in said.out + said.err
                assert "password" in said.err
        assert cli("tree", "--url", f"redis://:right@127.0.0.1:{server.port}").code == 0


def test_a_user_who_may_not_ask_for_memory(cli: Cli, redis7: RealServer) -> None:
    redis7.flush()
    redis7.command("SET", "a:1", "x")
    redis7.command("ACL", "SETUSER", "reader", "on", ">pass", "~*", "+@read", "-memory", "+client")
    said = cli("tree", "--json", "--url", f"redis://reader:pass@127.0.0.1:{redis7.port}")
    assert said.code == 0
    assert said.json["groups"][0]["bytes"] is None
    redis7.command("ACL", "SETUSER", "reader", "-@all")
    said = cli("tree", "--url", f"redis://reader:pass@127.0.0.1:{redis7.port}")
    assert said.code == 2
    assert "NOPERM" in said.err
    redis7.command("ACL", "DELUSER", "reader")


def test_reading_commands_write_nothing(cli: Cli, redis7: RealServer) -> None:
    from tests.cli.conftest import fill

    redis7.flush()
    fill(redis7.unix_url)
    redis7.command("ACL", "SETUSER", "reader", "on", ">pass", "~*", "+@read", "+@connection", "+@scripting", "+time")
    url = f"redis://reader:pass@127.0.0.1:{redis7.port}"
    for args in (["tree"], ["show", "cli-customers:1"], ["find", "Customer", "age>3"], ["count", "Customer"]):
        said = cli(*args, "--url", url, *(() if args[0] == "tree" else MODELS))
        assert said.code == 0, said.err
    redis7.command("ACL", "DELUSER", "reader")


def test_a_store_that_another_process_has_open_alone(cli: Cli, store: str) -> None:
    url = f"{store}?attach=no"
    code = f"from redmodel import Database; db = Database({url!r}); db.client; print(1, flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"1\n"
        said = cli("tree", "--url", store)
        assert said.code == 2
        assert str(other.pid) in said.err
    finally:
        other.communicate(b"\n", timeout=20)


def test_unexpected_errors_are_one_line(cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"two\nlines about redis://u:{CANARY}@h")

    monkeypatch.setattr("redmodel.cli.tree.take", fail)
    said = cli("tree", "--url", store)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert CANARY not in said.err
    assert "RuntimeError: two lines about redis://u:***@h" in said.err


def test_a_closed_pipe_is_no_error(store: str) -> None:
    with process("find", "Customer", "--all", "--nl", "--url", store, *MODELS) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert run.stderr.read() == b"" or b"Broken" not in run.stderr.read()
        assert run.wait(30) == 0
    with process("tree", "--url", store) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        said = run.stderr.read()
        assert run.wait(30) == 0
        assert b"Traceback" not in said
        assert b"Exception ignored" not in said


def test_ctrl_c() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(30)
        with process("tree", "--url", f"redis://127.0.0.1:{listener.getsockname()[1]}") as run:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1000), "it asks, and is never answered"
                run.send_signal(signal.SIGINT)
                out, err = run.communicate(timeout=30)
        assert run.returncode == 130
        assert b"Traceback" not in err
        assert out.startswith(b"prefix") or b"interrupted" in err


def test_output_is_utf8_where_the_terminal_is_not(store: str) -> None:
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    for args in (["tree", "--json"], ["tree"], ["show", "cli-customers:8", "--json"]):
        run = subprocess.run(
            [sys.executable, "-m", "redmodel.cli", *args, "--url", store],
            env=environment,
            capture_output=True,
            check=True,
        )
        if "--json" in args:
            json.loads(run.stdout.decode("utf-8"))


def test_help_is_quick_and_loads_little() -> None:
    code = (
        "import sys, redmodel; before = set(sys.modules); from redmodel.cli import main; main(['--help']);"
        "sys.stderr.write(' '.join({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert not {"rich", "redis", "hiredis", "asyncio", "airportsdata", "fakeredis"} & set(run.stderr.split())
    assert "tree" in run.stdout

    def seconds(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, check=True)
        return time.perf_counter() - began

    help_ = "from redmodel.cli import main; main(['--help'])"
    rounds = [(seconds("import redmodel"), seconds(help_)) for _ in range(5)]
    added = min(together for _, together in rounds) - min(alone for alone, _ in rounds)
    assert added < 0.3  # about 0.09 s on a quiet machine


def test_version_and_no_arguments(cli: Cli) -> None:
    assert cli().code == 0
    assert "Usage: redmodel" in cli().out
    assert cli("-h").out == cli("--help").out
    said = cli("--version")
    assert said.code == 0
    assert said.out.startswith("redmodel ")
