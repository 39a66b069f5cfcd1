"""Text search: on every back end what a walk over all texts finds, in the order of a BM25 worked out by hand."""

from __future__ import annotations

import math
import random
import time
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from redmodel import Analyzer, Embedded, Field, Indexed, Model, SchemaError, Text, TextRef, computed, search
from redmodel.errors import IndexNotReady, QueryError
from redmodel.model import Condition, Rank, Search, matches, schema_of
from redmodel.model.text_query import Beginning, Phrase, Word, leaves_of
from redmodel.model.words import BREAK, GAP

Make = Any
WORDS = [
    "fox",
    "foxes",
    "dog",
    "lazy",
    "quick",
    "quickly",
    "the",
    "a",
    "of",
    "Kyōto",
    "東京都",
    "don't",
    "3.14",
    "naïve",
    "jump",
]


class Comment(BaseModel):
    text: Text[str]


class Article(Model, prefix="text-articles"):
    title: Text[str]
    body: Annotated[Text[str | None], Analyzer(stop="english")] = None
    tags: Annotated[Text[list[str]], Analyzer(stem="english")] = Field(default_factory=list)
    comments: Embedded[list[Comment]] = Field(default_factory=list)
    year: Indexed[int] = 2000

    @computed(text=True, depends_on=["title", "year"])
    def heading(self) -> str:
        return f"{self.title} of {self.year}"


FIELDS: list[TextRef[Any]] = [Article.title, Article.body, Article.tags, Article.comments.text, Article.heading]


def some_text(rng: random.Random, most: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randrange(most)))


def an_article(rng: random.Random, n: int) -> Article:
    return Article(
        id=f"{n:03}",
        title=some_text(rng, 5),
        body=rng.choice([None, some_text(rng, 30), some_text(rng, 30)]),
        tags=[some_text(rng, 4) for _ in range(rng.randrange(3))],
        comments=[Comment(text=some_text(rng, 6)) for _ in range(rng.randrange(3))],
        year=rng.randrange(2000, 2005),
    )


def some_query(rng: random.Random) -> str:
    def word() -> str:
        return rng.choice([*WORDS, "qui*", "東", "東京*", "f*", "none", "-", "jum*", "fo"])

    piece = [word(), word(), f"-{word()}", f'"{some_text(rng, 4)}"', f"{word()} OR {word()}", f"({word()} {word()})"]
    return " ".join(rng.choice(piece) for _ in range(rng.randrange(1, 4)))


def some_search(rng: random.Random) -> Search:
    field, text = rng.choice(FIELDS), some_query(rng)
    return rng.choice(
        [
            field.matches(text),
            field.matches(text),
            field.any_words(text),
            field.all_words(some_text(rng, 3)),
            field.phrase(some_text(rng, 4)),
            search(text, Article.title * 3, Article.body, Article.tags * 0.5),
        ]
    )


def some_condition(rng: random.Random, depth: int = 0) -> Condition:
    if depth < 2 and rng.random() < 0.4:
        one, two = some_condition(rng, depth + 1), some_condition(rng, depth + 1)
        return rng.choice([one & two, one | two, ~one])
    return rng.choice([some_search(rng), some_search(rng), Article.year >= 2002, Article.body.is_null()])


def bm25(found: Search, records: list[Article]) -> dict[str, float]:
    """Okapi's formula, word by word: k1 = 1.2, b = 0.75."""
    schema = schema_of(Article)
    terms: dict[Word | Beginning, None] = {}
    for leaf in leaves_of(found.wanted(schema.index)):
        words = (
            [Word(leaf.path, token) for token in leaf.tokens if token != GAP] if isinstance(leaf, Phrase) else [leaf]
        )
        terms |= dict.fromkeys(words)
    totals = dict.fromkeys([record.id for record in records], 0.0)
    weights = dict(found.fields)
    streams: dict[str, dict[str, list[str]]] = {}
    for path in weights:
        index: Any = schema.index(path)
        read = {record.id: index._stream(index.values(record)) for record in records}
        streams[path] = {
            id: [word for word in stream if word not in (GAP, BREAK)]
            for id, stream in read.items()
            if stream is not None
        }
    for term in terms:
        texts = streams[term.path]
        if isinstance(term, Beginning):
            for id, text in texts.items():
                if any(word.startswith(term.start) for word in text):
                    totals[id] += weights[term.path]
            continue
        n, average = len(texts), sum(map(len, texts.values())) / max(1, len(texts))
        holding = sum(term.token in text for text in texts.values())
        for id, text in texts.items():
            if (times := text.count(term.token)) > 0:
                rarity = math.log(1 + (n - holding + 0.5) / (holding + 0.5))
                saturated = times * 2.2 / (times + 1.2 * (0.25 + 0.75 * len(text) / average))
                totals[id] += weights[term.path] * rarity * saturated
    return totals


def check_searches(db: Any, records: list[Article], rng: random.Random, count: int) -> None:
    for _ in range(count):
        condition = some_condition(rng)
        wanted = [record.id for record in records if matches(condition, record)]
        query = db.find(Article, condition)
        assert sorted(record.id for record in query.all()) == sorted(wanted), condition
        assert query.count() == len(wanted)
        ranked = some_search(rng)
        numbers = bm25(ranked, records)
        pairs = query.order_by(ranked.rank).scored().all()
        for record, number in pairs:
            assert number == pytest.approx(numbers[record.id], rel=1e-9, abs=1e-12), ranked
        by_hand = sorted(wanted, key=lambda each: (-round(numbers[each], 9), each))
        assert [record.id for record, _ in pairs] == by_hand, ranked
        page = query.order_by(ranked.rank).page(2, size=3)
        assert [record.id for record in page.items] == by_hand[3:6]
        assert page.total == len(wanted)


def test_searches_are_what_a_walk_finds_while_records_change(db: Any) -> None:
    rng = random.Random(7)
    records = {n: an_article(rng, n) for n in range(40)}
    db.save_many(records.values())
    check_searches(db, list(records.values()), rng, 12)
    for n in rng.sample(range(40), 12):
        if n % 3 == 0:
            db.delete(records.pop(n))
        elif n % 3 == 1:
            records[n] = an_article(rng, n)
            db.save(records[n])
        else:
            records[n].body = some_text(rng, 9)
            db.save(records[n])
    check_searches(db, list(records.values()), rng, 12)
    assert db.check(Article).clean


def test_one_round_trip_and_nothing_is_left_of_what_is_deleted(db: Any, raw: Any) -> None:
    rng = random.Random(1)
    db.save_many(an_article(rng, n) for n in range(10))
    found = search("fox OR quick*", Article.title, Article.body)
    before = db.round_trips if hasattr(db, "round_trips") else None
    assert db.find(Article, found).order_by(found.rank).page(size=3).total > 0
    assert before is None or db.round_trips == before + 1
    db.find(Article).delete()
    assert {bytes(key) for key in raw("KEYS", "*")} <= {b"text-articles@schema"}


def test_what_expired_counts_no_more(db: Any) -> None:
    kept = [Article(id=f"{n}", title=f"fox {n}") for n in range(3)]
    db.save_many(kept)
    for n in range(5):
        db.save(Article(id=f"gone{n}", title="fox dog and much more"), ttl=timedelta(milliseconds=1))
    time.sleep(0.01)
    found = Article.title.matches("fox")
    numbers = bm25(found, kept)
    pairs = db.find(Article, found).order_by(found.rank).scored().all()
    assert {record.id: number for record, number in pairs} == pytest.approx(numbers, rel=1e-9)
    assert db.find(Article, Article.title.matches("dog")).count() == 0
    assert db.check(Article).clean


@pytest.mark.parametrize(
    "damage",
    [
        ("DEL", "text-articles@title"),
        ("DEL", "text-articles@title:fox"),
        ("DEL", "text-articles@title:~words"),
        ("HSET", "text-articles@title", "", "77"),
        ("HSET", "text-articles@title", "1", "9 wrong words"),
        ("HSET", "text-articles@title", "nobody", "9 wrong words"),
        ("ZADD", "text-articles@title:fox", "-5", "1"),
        ("ZADD", "text-articles@title:fox", "-16777215", "nobody"),
        ("ZREM", "text-articles@title:~words", "quick"),
        ("DEL", "text-articles:1"),
    ],
)
def test_damage_is_found_and_mended(damage: tuple[str, ...], db: Any, raw: Any) -> None:
    records = [Article(id=f"{n}", title=title) for n, title in enumerate(["quick fox", "a lazy fox", "brown dogs"])]
    db.save_many(records)
    raw(*damage)
    if damage == ("DEL", "text-articles:1"):
        del records[1]
    assert not db.check(Article).clean
    assert not db.repair(Article).clean
    assert db.check(Article).clean
    found = Article.title.matches("fox OR qui*")
    pairs = db.find(Article, found).order_by(found.rank).scored().all()
    assert {record.id: number for record, number in pairs} == pytest.approx(
        {id: number for id, number in bm25(found, records).items() if number}, rel=1e-9
    )


def test_a_record_that_went_by_itself_is_not_found(db: Any, raw: Any) -> None:
    db.save_many([Article(id="1", title="quick fox"), Article(id="2", title="lazy fox")])
    raw("DEL", "text-articles:1")
    page = db.find(Article, Article.title.matches("fox")).page()
    assert ([record.id for record in page.items], page.total) == (["2"], 1)
    assert db.find(Article, Article.title.matches("fox")).count() == 1
    assert db.check(Article).clean


def test_another_program_changed_the_text(db: Any, raw: Any) -> None:
    db.save(Article(id="1", title="quick fox"))
    raw("HSET", "text-articles:1", "title", "dogs")
    assert db.find(Article, Article.title.matches("fox")).all() == []


def test_update_and_partial_saves_keep_the_words(db: Any) -> None:
    record = Article(id="1", title="quick fox", body="one")
    db.save(record)
    db.update(Article, "1", body="two words")
    assert db.find(Article, Article.body.matches("one")).count() == 0
    assert db.find(Article, Article.body.matches("two") & Article.title.matches("fox")).count() == 1
    db.find(Article, Article.title.matches("fox")).update(body="three")
    assert db.find(Article, Article.body.phrase("three")).ids().all() == ["1"]
    with pytest.raises(QueryError, match="load the record"):
        db.append(Article, "1", tags="x")
    assert db.check(Article).clean


def version(analyzer: Analyzer) -> Any:
    """The same model in versions that make words in different ways."""

    class Note(Model, prefix="text-notes"):
        body: Annotated[Text[str], analyzer]

    return Note


def test_another_analyzer_is_another_index(make_db: Make) -> None:
    old, new = make_db(), make_db()
    note = version(Analyzer())
    old.save_many([note(id="1", body="quick foxes"), note(id="2", body="one fox")])
    assert old.find(note, note.body.matches("fox")).ids().all() == ["2"]
    note = version(Analyzer(stem="english", stop=["quick"]))
    with pytest.raises(IndexNotReady):
        new.find(note, note.body.matches("fox")).all()
    assert new.sync(note).built == ["body"]
    assert sorted(new.find(note, note.body.matches("fox")).ids().all()) == ["1", "2"]
    assert new.find(note, note.body.matches("quick")).count() == 0
    assert new.check(note).clean


def test_mistakes(db: Any) -> None:
    with pytest.raises(QueryError, match=r"matches\(\.\.\.\)"):
        db.find(Article, Article.title == "x").all()  # type: ignore[arg-type]
    with pytest.raises(QueryError, match=r"matches\(\.\.\.\)"):
        db.find(Article, Article.title < "x").all()  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="words as one text"):
        Article.title.matches(["fox"])  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="above 0"):
        search("fox", Article.title * -1)
    with pytest.raises(QueryError, match="text fields"):
        search("fox")
    with pytest.raises(QueryError, match="declared as Text"):
        search("fox", Article.year)  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="no words"):

        class Numbered(Model, prefix="text-numbered"):
            number: Text[int]  # type: ignore[type-var]

    with pytest.raises(SchemaError, match="is no Text"):

        class Analyzed(Model, prefix="text-analyzed"):
            name: Annotated[Indexed[str], Analyzer(stop="english")]

    with pytest.raises(SchemaError, match="no such language"):
        Analyzer(stem="klingon")


def test_ranks_turn_around(db: Any) -> None:
    db.save_many([Article(id="1", title="fox"), Article(id="2", title="fox fox dog"), Article(id="3", title="dog")])
    rank = Article.title.rank("fox")
    assert isinstance(-rank, Rank)
    best = [record.id for record in db.find(Article).order_by(rank)]
    assert best == [record.id for record in db.find(Article).order_by(-rank)][::-1]
    assert best[-1] == "3"
