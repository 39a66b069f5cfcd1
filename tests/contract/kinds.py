"""Kinds of fields for random queries: the values of each, what can be asked of it, and what Python answers to that.

A new kind of condition is a method ``ask_<name>(rng, field)`` of the kind of field that has it: it gives the condition
and a test of one value, written without looking at how redmodel judges values. A new kind of field is a class in
``KINDS``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic import BaseModel

import redmodel as fields
from redmodel import Embedded, Field, Indexed, Model, Ref, Refs, Unique
from redmodel.model import Condition, Not, Order

Test = Callable[[Any], bool]
WORDS = [
    "a",
    "b",
    "A",
    "",
    "~null",
    "None",
    "Zürich",
    "ツ",
    "İ",
    "a\x1fb",
    "\x00",
    "x" * 97,
    "x" * 96 + "y",
    "100%",
    "ß",
]


class Ordered(NamedTuple):
    """One order of a query: the value of the field is turned into ``key``; those without one stand last, or first."""

    order: Order
    key: Callable[[Any], Any]
    down: bool
    nulls_first: bool = False


class Kind:
    """One kind of field. A world makes one of each that it uses; ``prepare`` saves what the values refer to."""

    annotation: Any
    default: Any = ...
    measured = False
    """Whether its values are exact numbers, to be summed."""
    grouped = True
    """Whether records can be counted by its values."""

    def prepare(self, db: Any, rng: random.Random) -> None:
        """Save what values need."""

    def value(self, rng: random.Random) -> Any:
        """A value, of few, so that many records share one."""
        raise NotImplementedError

    def ask(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        """One of its questions."""
        asks = sorted(name for name in dir(self) if name.startswith("ask_"))
        found: tuple[Condition, Test] = getattr(self, rng.choice(asks))(rng, field)
        return found

    def order(self, rng: random.Random, field: Any) -> Ordered | None:
        """An order by it; None if it has none."""
        return None


class Equal(Kind):
    """What has equality."""

    def ask_equal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.value(rng)
        return field == wanted, lambda value: value == wanted

    def ask_unequal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.value(rng)
        return field != wanted, lambda value: value != wanted

    def ask_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = [self.value(rng) for _ in range(rng.randrange(4))]
        return rng.choice([field.in_, field.any_of])(wanted), lambda value: value in wanted

    def ask_not_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = [self.value(rng) for _ in range(rng.randrange(4))]
        return field.not_in(wanted), lambda value: value not in wanted

    def ask_null(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        return field.is_null(), lambda value: value is None


class Sorted(Equal):
    """What has equality and order, but no ranges."""

    def key(self, value: Any) -> Any:
        return value

    def order(self, rng: random.Random, field: Any) -> Ordered | None:
        down, first = rng.random() < 0.5, rng.random() < 0.3
        order = -field if down else +field
        return Ordered(order.nulls_first() if first else order, self.key, down, first)


class Ranged(Sorted):
    """What has ranges as well."""

    def bound(self, rng: random.Random) -> Any:
        while (found := self.value(rng)) is None:
            pass
        return found

    def ask_below(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        high = self.bound(rng)
        if rng.random() < 0.5:
            return field < high, lambda value: value is not None and value < high
        return field <= high, lambda value: value is not None and value <= high

    def ask_above(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        low = self.bound(rng)
        if rng.random() < 0.5:
            return field > low, lambda value: value is not None and value > low
        return field >= low, lambda value: value is not None and value >= low

    def ask_between(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        low, high = self.bound(rng), self.bound(rng)
        return field.between(low, high), lambda value: value is not None and low <= value <= high


class Word(Sorted):
    annotation = Indexed[str]

    def value(self, rng: random.Random) -> Any:
        return rng.choice(WORDS)

    def key(self, value: Any) -> Any:
        return value.encode()


class MaybeWord(Word):
    annotation = Indexed[str | None]

    def value(self, rng: random.Random) -> Any:
        return rng.choice([None, None, *WORDS])


class OrderedWord(MaybeWord, Ranged):
    """A text with ranges, beginnings, ends and patterns."""

    annotation = fields.Ordered[str | None]

    def key(self, value: Any) -> Any:
        return self.seen(value).encode()

    def seen(self, value: str) -> str:
        """The text as it is compared."""
        return value

    def compared(self, test: Callable[[str, str], bool], wanted: str) -> Test:
        return lambda value: value is not None and test(self.seen(value), self.seen(wanted))

    def ask_equal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.bound(rng)
        return field == wanted, self.compared(str.__eq__, wanted)

    def ask_unequal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.bound(rng)
        return field != wanted, lambda value: not self.compared(str.__eq__, wanted)(value)

    def ask_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = [self.bound(rng) for _ in range(rng.randrange(4))]
        return field.in_(wanted), lambda value: any(self.compared(str.__eq__, one)(value) for one in wanted)

    def ask_not_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        condition, test = self.ask_in(rng, field)
        return ~condition, lambda value: not test(value)

    def ask_below(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        high = self.bound(rng)
        if rng.random() < 0.5:
            return field < high, self.compared(str.__lt__, high)
        return field <= high, self.compared(str.__le__, high)

    def ask_above(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        low = self.bound(rng)
        if rng.random() < 0.5:
            return field > low, self.compared(str.__gt__, low)
        return field >= low, self.compared(str.__ge__, low)

    def ask_between(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        low, high = self.bound(rng), self.bound(rng)
        above, below = self.compared(str.__ge__, low), self.compared(str.__le__, high)
        return field.between(low, high), lambda value: above(value) and below(value)

    def part(self, rng: random.Random) -> str:
        word = self.bound(rng)
        return rng.choice([word, word[:1], word[-1:], word[1:], word[:96]])

    def ask_startswith(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.part(rng)
        return field.startswith(wanted), self.compared(str.startswith, wanted)

    def ask_endswith(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.part(rng)
        return field.endswith(wanted), self.compared(str.endswith, wanted)

    def ask_like(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        pattern = "".join(
            rng.choice(["%", "_", "a", "b", "x", "\\%", "\0", "%a", "100"]) for _ in range(rng.randrange(5))
        )
        return field.like(pattern), lambda value: value is not None and fits(self.seen(value), pattern)


def fits(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern of LIKE, the plain way."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(fits(text[at:], pattern[1:]) for at in range(len(text) + 1))
    if pattern[0] == "\\":
        return text[:1] == pattern[1] and fits(text[1:], pattern[2:])
    return bool(text) and pattern[0] in ("_", text[0]) and fits(text[1:], pattern[1:])


class FoldedWord(OrderedWord):
    annotation = fields.Folded[str | None]
    grouped = False

    def seen(self, value: str) -> str:
        return value.casefold()


class UniqueWord(Word):
    annotation = Unique[str | None]
    grouped = False

    def __init__(self) -> None:
        self.given = 0

    def value(self, rng: random.Random) -> Any:
        self.given += 1
        return rng.choice([None, f"u{self.given}", f"ü{self.given}" * 30])

    def ask_equal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = rng.choice([None, f"u{rng.randrange(50)}", f"ü{rng.randrange(50)}" * 30])
        return field == wanted, lambda value: value == wanted

    def ask_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = [rng.choice([None, f"u{n}", f"ü{n}" * 30]) for n in range(rng.randrange(30))]
        return field.in_(wanted), lambda value: value in wanted


class Whole(Ranged):
    annotation = Indexed[int]
    measured = True

    def value(self, rng: random.Random) -> Any:
        return rng.choice([0, 1, 2, 3, -1, 2**53 - 1, -(2**40)])


class MaybeWhole(Whole):
    annotation = Indexed[int | None]

    def value(self, rng: random.Random) -> Any:
        return rng.choice([None, None, *range(-5, 20)])


class Real(Ranged):
    annotation = Indexed[float]

    def value(self, rng: random.Random) -> Any:
        return rng.choice([0.0, -0.0, 0.1, 1e300, -1e-300, float("inf"), float("-inf"), 2.5])


class Money(Ranged):
    annotation = Indexed[Decimal | None]
    default = Field(decimal_places=2)
    measured = True

    def value(self, rng: random.Random) -> Any:
        return rng.choice([None, Decimal("0.00"), Decimal("1.10"), Decimal("1.1"), Decimal("-7.25"), Decimal(3)])


class Moment(Ranged):
    annotation = Indexed[datetime | None]

    def value(self, rng: random.Random) -> Any:
        zone = rng.choice([UTC, timezone(timedelta(hours=3))])
        moment = datetime(2026, 1, 1, 12, tzinfo=zone) + timedelta(hours=rng.randrange(-5, 5), microseconds=1)
        return rng.choice([None, moment, moment, moment])


class Day(Ranged):
    annotation = Indexed[date]

    def value(self, rng: random.Random) -> Any:
        return date(1969, 12, 30) + timedelta(days=rng.randrange(5))


class Span(Ranged):
    annotation = Indexed[timedelta]

    def value(self, rng: random.Random) -> Any:
        return timedelta(seconds=rng.randrange(-2, 3), microseconds=rng.randrange(2))


class Flag(Sorted):
    annotation = Indexed[bool | None]

    def value(self, rng: random.Random) -> Any:
        return rng.choice([True, False, None])


class Colour(Enum):
    red = "r"
    blue = "b"


class Choice(Equal):
    annotation = Indexed[Colour]

    def value(self, rng: random.Random) -> Any:
        return rng.choice(list(Colour))


class Badge(Sorted):
    annotation = Indexed[UUID]

    def value(self, rng: random.Random) -> Any:
        return UUID(int=rng.randrange(4))

    def key(self, value: Any) -> Any:
        return str(value)


class Many(Kind):
    """A collection; one item decides."""

    grouped = False

    def item(self, rng: random.Random) -> Any:
        raise NotImplementedError

    def value(self, rng: random.Random) -> Any:
        return [self.item(rng) for _ in range(rng.randrange(4))]

    def ask_contains(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.item(rng)
        return field.contains(wanted), lambda value: value is not None and wanted in value

    def ask_any_of(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = [self.item(rng) for _ in range(rng.randrange(4))]
        return field.any_of(wanted), lambda value: value is not None and not set(wanted).isdisjoint(value)

    def ask_all_of(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = [self.item(rng) for _ in range(rng.randrange(4))]
        return field.all_of(wanted), lambda value: set(wanted) <= set(value or ())

    def ask_contains_not(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.item(rng)
        return ~field.contains(wanted), lambda value: value is None or wanted not in value


class Tags(Many):
    annotation = Indexed[list[str]]

    def item(self, rng: random.Random) -> Any:
        return rng.choice(WORDS[:8])


class MaybeTags(Tags):
    annotation = Indexed[list[str] | None]

    def value(self, rng: random.Random) -> Any:
        return None if rng.random() < 0.3 else super().value(rng)

    def ask_null(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        return field.is_null(), lambda value: value is None


class Numbers(Many):
    annotation = Indexed[set[int]]

    def item(self, rng: random.Random) -> Any:
        return rng.randrange(6)

    def value(self, rng: random.Random) -> Any:
        return set(super().value(rng))


class Place(BaseModel):
    city: Indexed[str]
    level: Indexed[int | None] = None
    remark: str = ""


class Inside(Kind):
    """An embedded model, or None; its fields are asked as fields of their kind."""

    annotation = Embedded[Place | None]
    default = None
    grouped = False
    parts = ("city", Word()), ("level", MaybeWhole())

    def value(self, rng: random.Random) -> Any:
        if rng.random() < 0.2:
            return None
        return Place(city=rng.choice(WORDS), level=MaybeWhole().value(rng))

    def ask_part(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        name, kind = rng.choice(self.parts)
        condition, test = kind.ask(rng, getattr(field, name))
        return condition, lambda value: test(None if value is None else getattr(value, name))

    def order(self, rng: random.Random, field: Any) -> Ordered | None:
        found = MaybeWhole().order(rng, field.level)
        return found and found._replace(key=lambda value: None if value is None else value.level)


class InsideMany(Inside):
    """A list of embedded models: one of them decides."""

    annotation = Embedded[list[Place]]
    default = ...

    def value(self, rng: random.Random) -> Any:
        return [Place(city=rng.choice(WORDS[:5]), level=rng.randrange(3)) for _ in range(rng.randrange(3))]

    def ask_part(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        city, level = rng.choice(WORDS[:5]), rng.randrange(3)
        if rng.random() < 0.5:
            return field.city == city, lambda value: any(place.city == city for place in value)
        return field.level == level, lambda value: any(place.level == level for place in value)

    def order(self, rng: random.Random, field: Any) -> Ordered | None:
        return None


def heard(value: str | None) -> list[str]:
    """The words of a text without accents, one after the other; nothing where there is none."""
    return re.findall("[a-z0-9]+", (value or "").lower())


class Prose(Kind):
    """A text that is searched by its words."""

    annotation = fields.Text[str | None]
    default = None
    grouped = False
    words = ("fox", "Foxes", "dog", "the", "x1", "don't", "quick-ly")

    def value(self, rng: random.Random) -> Any:
        if rng.random() < 0.2:
            return None
        return rng.choice([" ", ", "]).join(rng.choice(self.words) for _ in range(rng.randrange(7)))

    def ask_words(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        some = rng.sample(self.words, rng.randrange(1, 3))
        wanted = {word for one in some for word in heard(one)}
        rows = [" ".join(heard(one)) for one in some]

        def test(value: Any) -> bool:
            text = f" {' '.join(heard(value))} "
            return wanted <= set(heard(value)) and all(f" {row} " in text for row in rows)

        return rng.choice([field.matches, field.all_words])(" ".join(some)), test

    def ask_phrase(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        some = " ".join(rng.choice(self.words) for _ in range(rng.randrange(1, 4)))
        row = f" {' '.join(heard(some))} "
        condition = field.phrase(some) if rng.random() < 0.5 else field.matches(f'"{some}"')
        return condition, lambda value: row in f" {' '.join(heard(value))} "

    def ask_beginning(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        start, other = rng.choice(["f", "fox", "d", "x", "none"]), rng.choice(["dog", "fox"])

        def begins(value: Any) -> bool:
            return any(word.startswith(start) for word in heard(value))

        if rng.random() < 0.5:
            return field.matches(f"{start}* -{other}"), lambda value: begins(value) and other not in heard(value)
        return field.matches(f"{start}* OR {other}"), lambda value: begins(value) or other in heard(value)

    def ask_null(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        return field.is_null(), lambda value: value is None


class Target(Model, prefix="random-targets"):
    id: str
    name: Indexed[str] = Field(default="")
    size: Indexed[int] = Field(default=0)
    word: fields.Ordered[str | None] = Field(default=None)
    next: Ref[Target | None] = Field(default=None)


class Link(Equal):
    """A reference; some lead nowhere."""

    annotation = Ref[Target | None]
    grouped = False
    targets: ClassVar[dict[str, Target]] = {}
    """What all references lead to."""

    def prepare(self, db: Any, rng: random.Random) -> None:
        Link.targets = {
            f"t{n}": Target(
                id=f"t{n}",
                name=rng.choice(WORDS),
                size=rng.randrange(4),
                word=OrderedWord().value(rng),
                next=rng.choice([None, "t0", "t1", "nowhere"]),
            )
            for n in range(5)
        }
        db.save_many(Link.targets.values())

    def value(self, rng: random.Random) -> Any:
        return rng.choice([None, "t0", "t1", "t2", "t3", "t4", "nowhere"])

    def ask_through(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        name, part = rng.choice([("name", Word()), ("size", Whole()), ("word", OrderedWord()), ("next", Link())])
        condition, test = part.ask(rng, getattr(field, name))
        # Unlike is a complement: it is met by what refers to nothing too.
        complement = isinstance(condition, Not)

        def through(value: Any) -> bool:
            links = value if isinstance(value, list) else [value]
            targets = [target for link in links if link and (target := Link.targets.get(link.id))]
            return any(test(getattr(target, name)) is not complement for target in targets) is not complement

        return condition, through

    def ask_equal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.value(rng)
        return field == wanted, lambda value: (value and value.id) == wanted

    def ask_unequal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.value(rng)
        return field != wanted, lambda value: (value and value.id) != wanted

    def ask_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = [self.value(rng) for _ in range(rng.randrange(4))]
        return field.in_(wanted), lambda value: (value and value.id) in wanted

    def ask_not_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = [self.value(rng) for _ in range(rng.randrange(4))]
        return field.not_in(wanted), lambda value: (value and value.id) not in wanted


class Links(Link):
    """A list of references: one of them decides."""

    annotation = Refs[Target]

    def value(self, rng: random.Random) -> Any:
        return [f"t{rng.randrange(7)}" for _ in range(rng.randrange(4))]

    def ask_equal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = f"t{rng.randrange(7)}"
        return field.contains(wanted), lambda value: wanted in [link.id for link in value]

    def ask_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.value(rng)
        return field.any_of(wanted), lambda value: not {link.id for link in value}.isdisjoint(wanted)

    def ask_not_in(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        wanted = self.value(rng)
        return ~field.all_of(wanted), lambda value: not {link.id for link in value}.issuperset(wanted)

    def ask_unequal(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        return self.ask_not_in(rng, field)

    def ask_null(self, rng: random.Random, field: Any) -> tuple[Condition, Test]:
        return self.ask_in(rng, field)


KINDS: tuple[type[Kind], ...] = (
    Word,
    MaybeWord,
    OrderedWord,
    FoldedWord,
    UniqueWord,
    Whole,
    MaybeWhole,
    Real,
    Money,
    Moment,
    Day,
    Span,
    Flag,
    Choice,
    Badge,
    Tags,
    MaybeTags,
    Numbers,
    Inside,
    InsideMany,
    Link,
    Links,
    Prose,
)
