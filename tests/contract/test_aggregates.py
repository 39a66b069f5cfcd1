"""Numbers about records: on every back end what Python computes from the records themselves."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from redmodel import Field, Indexed, Model, Unique
from redmodel.errors import QueryError, UnindexedField
from redmodel.plan import aggregate

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Kind(Enum):
    book = "b"
    film = "f"


class Sale(Model, prefix="sales"):
    kind: Indexed[Kind]
    city: Indexed[str | None]
    day: Indexed[date]
    at: Indexed[datetime]
    local: Indexed[datetime]
    price: Indexed[Decimal] = Field(decimal_places=2)
    amount: Indexed[int]
    weight: Indexed[float | None]
    took: Indexed[timedelta]
    rate: Indexed[Decimal] = Decimal(1)
    tags: Indexed[list[str]]
    code: Unique[str]
    paid: Indexed[bool]
    note: str = ""


@pytest.fixture
def sales(db: Any) -> list[Sale]:
    rng = random.Random(5)
    records = [
        Sale(
            id=f"{n:03}",
            kind=rng.choice(list(Kind)),
            city=rng.choice([None, "Oslo", "Rome", "~odd", "x" * 120]),
            day=date(1969, 12, 30) + timedelta(days=rng.randrange(6)),
            at=START + timedelta(hours=rng.randrange(100)),
            local=datetime(2026, 1, 1) + timedelta(hours=rng.randrange(100)),
            price=Decimal(rng.randrange(-500, 5000)) / 100,
            amount=rng.choice([-3, 7, 2**53 - rng.randrange(3)]),
            weight=rng.choice([None, 0.5, -1.25, 8.0]),
            took=timedelta(microseconds=rng.randrange(10**9)),
            tags=rng.sample(["a", "b", "c"], rng.randrange(4)),
            code=f"c{n}",
            paid=rng.random() < 0.5,
        )
        for n in range(80)
    ]
    db.save_many(records)
    return records


def test_sums_are_exact(db: Any, sales: list[Sale]) -> None:
    query = db.find(Sale, Sale.paid == True)
    paid = [sale for sale in sales if sale.paid]
    assert query.sum(Sale.amount) == sum(sale.amount for sale in paid)
    assert query.sum(Sale.price) == sum(sale.price for sale in paid)
    assert query.sum(Sale.took) == sum((sale.took for sale in paid), timedelta())
    assert query.sum(Sale.weight) == sum(sale.weight or 0.0 for sale in paid)
    weights = [sale.weight for sale in paid if sale.weight is not None]
    assert query.avg(Sale.weight) == pytest.approx(sum(weights) / len(weights))
    assert query.avg(Sale.price) == sum(sale.price for sale in paid) / len(paid)
    nobody = db.find(Sale, Sale.amount == 12345)
    assert [nobody.sum(Sale.amount), nobody.sum(Sale.price), nobody.sum(Sale.took)] == [0, Decimal("0.00"), timedelta()]
    assert nobody.avg(Sale.amount) is None


def test_least_and_most(db: Any, sales: list[Sale]) -> None:
    for field in ("amount", "price", "at", "local", "day", "took"):
        values = [getattr(sale, field) for sale in sales]
        reference = getattr(Sale, field)
        assert (db.find(Sale).min(reference), db.find(Sale).max(reference)) == (min(values), max(values)), field
    weights = [sale.weight for sale in sales if sale.weight is not None]
    assert db.find(Sale).order_by(-Sale.amount).offset(3).limit(1).min(Sale.weight) == min(weights)
    assert db.find(Sale).max(Sale.code) == max(sale.code for sale in sales)
    assert db.find(Sale, Sale.weight == None).max(Sale.weight) is None
    assert db.find(Sale, Sale.amount == 12345).max(Sale.amount) is None


@pytest.mark.parametrize(
    "field", ["kind", "city", "day", "at", "local", "price", "amount", "weight", "took", "rate", "paid"]
)
def test_groups_and_different_values(db: Any, sales: list[Sale], field: str) -> None:
    reference: Any = getattr(Sale, field)
    counts = Counter(getattr(sale, field) for sale in sales)
    found = db.find(Sale).group_by(reference).count()
    assert found == counts
    assert list(found.values()) == sorted(counts.values(), reverse=True)
    distinct = db.find(Sale).distinct(reference)
    assert set(distinct) == set(counts) - {None}
    assert len(distinct) == len(set(distinct))
    if field not in ("kind", "paid", "city"):
        assert distinct == sorted(distinct)


def test_groups_are_measured(db: Any, sales: list[Sale]) -> None:
    groups = db.find(Sale, Sale.amount > 0).group_by(Sale.city)
    chosen = [sale for sale in sales if sale.amount > 0]
    for city, total in groups.sum(Sale.price).items():
        assert total == sum(sale.price for sale in chosen if sale.city == city)
    averages = db.find(Sale).group_by(Sale.kind).avg(Sale.took)
    for kind, average in averages.items():
        spans = [sale.took for sale in sales if sale.kind is kind]
        assert average == sum(spans, timedelta()) / len(spans)
    for field in ("at", "local", "day", "weight"):
        reference: Any = getattr(Sale, field)
        least, most = db.find(Sale).group_by(Sale.kind).min(reference), db.find(Sale).group_by(Sale.kind).max(reference)
        for kind in Kind:
            values = [getattr(s, field) for s in sales if s.kind is kind and getattr(s, field) is not None]
            assert (least[kind], most[kind]) == (min(values), max(values)), field


def test_items_are_counted_one_by_one(db: Any, sales: list[Sale]) -> None:
    counts = Counter(tag for sale in sales for tag in sale.tags)
    assert db.find(Sale).group_by(Sale.tags).count() == counts
    facets = db.find(Sale, Sale.kind == Kind.film).facets(Sale.tags, Sale.paid)
    films = [sale for sale in sales if sale.kind is Kind.film]
    assert facets == {"tags": Counter(t for s in films for t in s.tags), "paid": Counter(s.paid for s in films)}


def test_histograms(db: Any, sales: list[Sale]) -> None:
    days = db.find(Sale).histogram(Sale.at, timedelta(days=1))
    assert days == Counter(sale.at.replace(hour=0) for sale in sales)
    assert list(days) == sorted(days)
    assert db.find(Sale).histogram(Sale.local, timedelta(days=1)) == Counter(s.local.replace(hour=0) for s in sales)
    noon = db.find(Sale).histogram(Sale.at, timedelta(days=1), start=START)
    assert noon == Counter(START + (sale.at - START) // timedelta(days=1) * timedelta(days=1) for sale in sales)
    pairs = db.find(Sale).histogram(Sale.day, timedelta(days=2))
    assert pairs == Counter(
        date(1970, 1, 1) + (s.day - date(1970, 1, 1)) // timedelta(days=2) * timedelta(2) for s in sales
    )
    assert db.find(Sale, Sale.amount < 10).histogram(Sale.amount, 5) == Counter(
        sale.amount // 5 * 5 for sale in sales if sale.amount < 10
    )
    weights = [sale.weight for sale in sales if sale.weight is not None]
    assert db.find(Sale).histogram(Sale.weight, 0.5, start=0.25) == Counter(
        (w - 0.25) // 0.5 * 0.5 + 0.25 for w in weights
    )


def test_deleted_records_count_no_more(db: Any, sales: list[Sale]) -> None:
    db.delete(sales[0])
    left = sales[1:]
    assert db.find(Sale).group_by(Sale.kind).count() == Counter(sale.kind for sale in left)
    assert db.find(Sale).sum(Sale.amount) == sum(sale.amount for sale in left)


def test_too_many_groups_are_refused(db: Any, sales: list[Sale], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregate, "GROUPS", 10)
    with pytest.raises(QueryError, match="narrow"):
        db.find(Sale).distinct(Sale.code)
    assert len(db.find(Sale, Sale.code.in_(["c1", "c2"])).distinct(Sale.code)) == 2


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda q: q.sum(Sale.city), QueryError),
        (lambda q: q.sum(Sale.at), QueryError),
        (lambda q: q.sum(Sale.rate), QueryError),
        (lambda q: q.avg(Sale.tags), QueryError),
        (lambda q: q.min(Sale.tags), QueryError),
        (lambda q: q.min(Sale.kind), QueryError),
        (lambda q: q.sum(Sale.note), UnindexedField),
        (lambda q: q.distinct(Sale.note), UnindexedField),
        (lambda q: q.histogram(Sale.city, 5), QueryError),
        (lambda q: q.histogram(Sale.amount, 0), QueryError),
        (lambda q: q.histogram(Sale.amount, 0.5), QueryError),
        (lambda q: q.histogram(Sale.at, 5), QueryError),
        (lambda q: q.histogram(Sale.day, timedelta(hours=5)), QueryError),
    ],
)
def test_what_has_no_answer_is_refused(db: Any, ask: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(db.find(Sale))
