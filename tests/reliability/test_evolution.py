"""A sync beside writers of an older and a newer version: the new index never gives a wrong answer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from redmodel import Database, Field, Indexed, IndexNotReady, Model, NotFound
from tests.servers import RealServer

RECORDS = 3000
WARM = [str(n) for n in range(30)]


def tree(version: int) -> Any:
    if version == 1:

        class Tree(Model, prefix="moving-trees"):
            id: str
            kind: Indexed[str]
            height: int = 0

        return Tree

    class Tree(Model, prefix="moving-trees"):  # type: ignore[no-redef]
        id: str
        kind: Indexed[str]
        height: Indexed[int] = Field(default=0)

    return Tree


def write(url: str, model: Any, seed: int, stopped: threading.Event, failures: list[BaseException]) -> None:
    """Save whole, save changes, update, increment, delete."""
    rng = random.Random(seed)
    try:
        with Database(url) as db:
            while not stopped.is_set():
                id = rng.choice(WARM)
                try:
                    match rng.randrange(6):
                        case 0:
                            db.delete(model, id)
                        case 1 | 2:
                            db.save(model(id=id, kind="oak", height=rng.randrange(5)))
                        case 3:
                            db.update(model, id, height=rng.randrange(5))
                        case 4:
                            db.increment(model, id, height=1)
                        case _:
                            record = db.get(model, id)
                            record.height = rng.randrange(5)
                            db.save(record)
                except NotFound:
                    pass
                time.sleep(0.001)
    except BaseException as error:
        failures.append(error)


def beside_writers(url: str, models: list[Any], body: Callable[[], None]) -> None:
    stopped, failures = threading.Event(), list[BaseException]()
    threads = [
        threading.Thread(target=write, args=(url, model, seed, stopped, failures)) for seed, model in enumerate(models)
    ]
    for thread in threads:
        thread.start()
    try:
        body()
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


def test_an_index_is_built_beside_writers_of_both_versions(redis7: RealServer) -> None:
    redis7.flush()
    old, new = tree(1), tree(2)
    url = redis7.unix_url
    with Database(url) as db:
        db.save_many(old(id=f"cold{n}", kind="oak", height=1000 + n % 7) for n in range(RECORDS))
        answers = [0]

        def body() -> None:
            while (
                report := db.sync(new, progress=lambda report: report.done < RECORDS // 2 or report.resumed)
            ).stopped:
                pass
            assert report.ready and report.resumed, report
            for _ in range(40):
                try:
                    assert db.count(new, new.height >= 1000) == RECORDS
                    for record in db.find(new, new.height == 3):
                        assert record.height == 3
                    answers[0] += 1
                except IndexNotReady:
                    continue  # older versions write faster than that

        beside_writers(url, [old, new, old], body)
        assert answers[0] > 20
        warm = [record for record in db.get_many(new, WARM) if record is not None]
        for height in range(5):
            wanted = sorted(record.id for record in warm if record.height == height)
            assert sorted(record.id for record in db.find(new, new.height == height)) == wanted
        assert db.check(new).clean
        assert db.sync(new).ready and db.check(new).clean


def test_a_save_by_an_older_version_is_seen_by_the_next_query(redis7: RealServer) -> None:
    redis7.flush()
    old, new = tree(1), tree(2)
    with Database(redis7.unix_url) as writer, Database(redis7.unix_url) as reader:
        reader.save(new(id="0", kind="oak"))
        for n in range(300):
            writer.save(old(id=str(n % 5), kind="oak", height=n))
            assert [found.id for found in reader.find(new, new.height == n)] == [str(n % 5)]
            assert reader.count(new, new.height == n - 5) == 0
