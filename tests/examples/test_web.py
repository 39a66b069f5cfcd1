"""The web example behind a real HTTP server, asked by a real client, on an embedded store and on a real Redis."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]

BOOKS: list[dict[str, Any]] = [
    {"isbn": "9780262033848", "title": "Introduction to Algorithms", "author": "Cormen", "year": 2009, "tags": ["cs"]},
    {
        "isbn": "9780201896831",
        "title": "Fundamental Algorithms",
        "author": "Knuth",
        "year": 1997,
        "tags": ["cs", "classic"],
    },
    {"isbn": "9780201896848", "title": "Seminumerical Algorithms", "author": "Knuth", "year": 1998, "tags": ["cs"]},
    {"isbn": "9780201896855", "title": "Sorting and Searching", "author": "Knuth", "year": 1999},
    {"isbn": "9780141439518", "title": "Pride and Prejudice", "author": "Austen", "year": 1813, "tags": ["classic"]},
]


class Application:
    """The example in a process of its own, listening on loopback."""

    def __init__(self, url: str, directory: Path) -> None:
        self.port = free_port()
        self._log = (directory / "uvicorn.log").open("w+")
        command = [sys.executable, "-m", "uvicorn", "examples.web.app:app", "--port", str(self.port)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"REDMODEL_URL": url}, stdout=self._log, stderr=subprocess.STDOUT
        )

    def client(self) -> httpx.Client:
        """A client, once the application answers."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self.said()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=20)
            time.sleep(0.05)
        raise AssertionError(f"the application did not start: {self.said()}")

    def said(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text()

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._log.close()


@pytest.fixture
def web(url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    application = Application(url, tmp_path)
    try:
        with application.client() as client:
            yield client
    finally:
        application.stop()


def test_create_read_update_list_delete(web: httpx.Client) -> None:
    created = web.post("/books", json=BOOKS[0])
    assert created.status_code == 201
    book = created.json()
    assert book == {**BOOKS[0], "id": book["id"]}
    assert len(book["id"]) == 26
    assert created.headers["location"] == f"/books/{book['id']}"
    assert web.get(created.headers["location"]).json() == book

    changed = web.patch(f"/books/{book['id']}", json={"year": 2022, "tags": ["cs", "4th edition"]})
    assert changed.status_code == 200
    assert changed.json() == {**book, "year": 2022, "tags": ["cs", "4th edition"]}
    assert web.get(f"/books/{book['id']}").json() == changed.json()
    assert web.get("/books", params={"tag": "4th edition", "since": 2022}).json()["total"] == 1

    assert web.delete(f"/books/{book['id']}").status_code == 204
    assert web.get(f"/books/{book['id']}").status_code == 404
    assert web.get("/books").json() == {"items": [], "total": 0, "page": 1, "pages": 0}


def test_lists_are_filtered_sorted_and_paged(web: httpx.Client) -> None:
    for book in BOOKS:
        assert web.post("/books", json=book).status_code == 201

    def titles(**params: Any) -> tuple[list[str], int]:
        found = web.get("/books", params=params).json()
        return [book["title"] for book in found["items"]], found["total"]

    assert titles(author="Knuth", sort="-year", size=2) == (["Sorting and Searching", "Seminumerical Algorithms"], 3)
    assert titles(author="Knuth", sort="-year", size=2, page=2) == (["Fundamental Algorithms"], 3)
    assert titles(tag="classic", sort="year") == (["Pride and Prejudice", "Fundamental Algorithms"], 2)
    assert titles(since=1998, before=2009, tag="cs") == (["Seminumerical Algorithms"], 1)
    assert titles(author="nobody") == ([], 0)
    everything = titles(size=3)[0] + titles(size=3, page=2)[0]
    assert everything == [book["title"] for book in BOOKS]  # ids sort by time


def test_refusals_are_answers(web: httpx.Client) -> None:
    first = web.post("/books", json=BOOKS[1]).json()
    again = web.post("/books", json=BOOKS[1])
    assert (again.status_code, again.json()) == (409, {"detail": "this isbn is taken"})
    assert first["id"] not in again.text  # whose it is concerns nobody
    assert web.get("/books").json()["total"] == 1

    for method, path, body in [
        ("GET", "/books/none", None),
        ("PATCH", "/books/none", {"year": 2000}),
        ("DELETE", "/books/none", None),
    ]:
        missing = web.request(method, path, json=body)
        assert (missing.status_code, missing.json()) == (404, {"detail": "there is no Book 'none'"})
    assert web.get("/books/" + "x" * 600).status_code == 404

    assert web.post("/books", json={**BOOKS[2], "isbn": "short"}).status_code == 422
    assert web.post("/books", json={**BOOKS[2], "year": "soon"}).status_code == 422
    assert web.patch(f"/books/{first['id']}", json={"year": 9999}).status_code == 422
    assert web.get("/books", params={"size": 101}).status_code == 422
    assert web.get("/books", params={"page": 0}).status_code == 422
    assert web.get(f"/books/{first['id']}").json() == first


def test_of_many_at_once_exactly_one_wins(web: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda _: web.post("/books", json=BOOKS[3]).status_code, range(40)))
    assert sorted(codes) == [201] + [409] * 39
    assert web.get("/books", params={"author": "Knuth"}).json()["total"] == 1


def test_changes_of_different_fields_at_once_both_survive(web: httpx.Client) -> None:
    book = web.post("/books", json=BOOKS[4]).json()
    path = f"/books/{book['id']}"
    changes: list[dict[str, Any]] = [
        {"title": "First Impressions"},
        {"year": 1812},
        {"author": "Jane Austen"},
        {"tags": ["x"]},
    ]
    for _ in range(5):
        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(lambda change: web.patch(path, json=change).status_code, changes)) == {200}
    assert web.get(path).json() == {
        **book,
        "title": "First Impressions",
        "year": 1812,
        "author": "Jane Austen",
        "tags": ["x"],
    }
    assert web.get("/books", params={"author": "Jane Austen", "since": 1812, "before": 1813}).json()["total"] == 1


def test_the_data_outlives_the_application(url: str, tmp_path: Path) -> None:
    for expected in (201, 409):
        application = Application(url, tmp_path)
        try:
            with application.client() as client:
                assert client.post("/books", json=BOOKS[0]).status_code == expected
        finally:
            code = application.stop()
        assert code in (0, -signal.SIGTERM)
        assert "Traceback" not in (tmp_path / "uvicorn.log").read_text()


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    application = Application(f"redis://127.0.0.1:{free_port()}", tmp_path)
    try:
        with application.client() as client:
            answer = client.get("/books")
            assert (answer.status_code, answer.json()) == (503, {"detail": "the database can't be reached"})
    finally:
        application.stop()


def test_the_documented_interface(web: httpx.Client) -> None:
    schemas = web.get("/openapi.json").json()["components"]["schemas"]
    assert "id" not in schemas["BookIn"]["properties"]
    assert set(schemas["Book"]["properties"]) == {"id", "isbn", "title", "author", "year", "tags"}
