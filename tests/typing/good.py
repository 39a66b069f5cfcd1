"""What both checkers must accept: this file has no error under mypy --strict and pyright strict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict
from typing_extensions import assert_type

from redmodel import AsyncDatabase, AsyncQuery, CursorPage, Database, Dim, GeoRef, Point, Scan, Vector, VectorRef
from redmodel import Geo as Places
from redmodel.model import (
    TTL,
    Analyzer,
    Condition,
    Embedded,
    ExpiresAt,
    Field,
    FieldRef,
    Folded,
    Indexed,
    Key,
    Link,
    Model,
    Order,
    Ordered,
    OrderedRef,
    Rank,
    Ref,
    Refs,
    Schema,
    Search,
    Text,
    TextRef,
    Unique,
    after_save,
    before_save,
    computed,
    matches,
    new_id,
    schema_of,
    search,
    via,
)

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def find(model: type[M], *conditions: Condition, order_by: Sequence[Order | FieldRef[Any]] = ()) -> list[M]:
    return [] if conditions or order_by else [model()]


class Geo(BaseModel):
    lat: Indexed[float]
    lon: float


class Address(BaseModel):
    street: str
    city: Indexed[str]
    geo: Embedded[Geo | None] = Field(default=None)


class Item(BaseModel):
    name: Indexed[str]
    price: Indexed[Decimal]


class User(Model, prefix="good-users", ttl=timedelta(hours=1)):
    model_config = ConfigDict(validate_assignment=False)

    email: Unique[str]
    name: str
    age: Indexed[int] = Field(default=0, ge=0)
    iata: Indexed[str | None] = Field(default=None)
    joined: Indexed[datetime]
    tags: Indexed[list[str]] = Field(default_factory=list)
    flags: Indexed[set[int] | None] = Field(default=None)
    pair: Indexed[tuple[str, ...]] = Field(default=())
    address: Embedded[Address]
    former: Embedded[Address | None] = Field(default=None)
    items: Embedded[list[Item]] = Field(default_factory=list)
    otp: Annotated[str | None, TTL(minutes=5)] = None
    score: float = 0.0

    @computed(index=True, depends_on=["email"])
    def domain(self) -> str:
        return self.email.partition("@")[2]

    @computed
    def shout(self) -> str:
        return self.name.upper()

    @before_save
    def stamp(self) -> None:
        self.age += 1

    @after_save
    async def told(self) -> None: ...


class Airport(Model, prefix="good-airports"):
    icao: Key[str]
    iata: Unique[str | None] = Field(default=None)


class Numbered(Model, prefix="good-numbered"):
    id: int


class Tagged(Model, prefix="good-tagged"):
    id: UUID = Field(default_factory=uuid4)


class Named(Model, prefix="good-named"):
    id: str = Field(default_factory=new_id)


class Base(Model):
    created: Indexed[datetime] = Field(default_factory=datetime.now)


class Admin(Base, prefix="good-admins", ttl=None):
    level: Indexed[int]


class Box(Model, Generic[T], prefix="good-boxes"):
    content: T


user = User(email="a@example.org", name="A", joined=datetime.now(), address=Address(street="1 A St", city="London"))
assert_type(user.email, str)
assert_type(user.age, int)
assert_type(user.iata, str | None)
assert_type(user.tags, list[str])
assert_type(user.address, Address)
assert_type(user.former, Address | None)
assert_type(user.address.city, str)
assert_type(user.otp, str | None)
assert_type(user.domain, str)
assert_type(user.shout, str)
user.age = 5
user.iata = None
user.tags = ["vip"]
user.address = Address(street="2 B St", city="Oslo")
user.tags.append("new")
identity: str = user.id

assert_type(User.age, FieldRef[int])
assert_type(User.email, FieldRef[str])
assert_type(User.domain, FieldRef[str])
assert_type(User.address.city, FieldRef[str])
assert_type(User.former.city, FieldRef[str])
assert_type(User.address.geo.lat, FieldRef[float])
assert_type(User.items.name, FieldRef[str])
assert_type(User.items.price, FieldRef[Decimal])
assert_type(User.age >= 18, Condition)
assert_type(-User.age, Order)
assert_type(-(-User.age), Order)

found = find(
    User,
    User.age >= 18,
    User.age < 65,
    (User.address.city == "London") | (User.address.city != "Oslo"),
    ~(User.age > 30) & (User.age <= 20),
    User.iata == None,  # noqa: E711
    User.iata != "LHR",
    User.iata.is_null(),
    User.age.in_([1, 2, 3]),
    User.age.in_({1, 2}),
    User.email.not_in(("a", "b")),
    User.age.between(18, 30),
    User.tags.contains("vip"),
    User.flags.contains(3),
    User.pair.contains("x"),
    User.joined > datetime.now(),
    User.domain == "example.org",
    User.items.price >= Decimal("9.99"),
    order_by=[User.age, -User.joined, +User.age],
)
assert_type(found, list[User])
assert_type(find(Admin, Admin.created > datetime.now(), Admin.level == 3), list[Admin])

airport = Airport(icao="EGLL")
assert_type(airport.icao, str)
assert_type(Numbered(id=5).id, int)
assert_type(Tagged().id, UUID)
assert_type(Named(id="x").id, str)
assert_type(Box[int](content=5).content, int)
assert_type(schema_of(User), Schema[User])
assert_type(schema_of(user), Schema[User])
assert_type(matches(User.age >= 18, user), bool)

query = Database("memory://").find(User)
assert_type(query.all(), list[User])
assert_type(query.values(User.email, User.age).all(), list[tuple[str, int]])
assert_type(query.values(User.address.city).first(), tuple[str] | None)
assert_type(query.values(User.name, User.age).one_or_none(), tuple[Any, ...] | None)
assert_type(query.as_dicts().page(size=5).items, list[dict[str, Any]])
assert_type(query.sum(User.age), int)
assert_type(query.max(User.iata), str | None)
assert_type(query.min(User.age), int | None)
assert_type(query.distinct(User.iata), list[str])
assert_type(query.group_by(User.address.city).count(), dict[str, int])
assert_type(query.group_by(User.address.city).sum(User.age), dict[str, int])
assert_type(query.histogram(User.age, 10, start=5), dict[int, int])
assert_type(query.only("name").where(User.age > 3).one_or_none(), User | None)


def written(db: Database, user: User) -> None:
    with db.edit(User, "1") as edited:
        assert_type(edited, User)
    assert_type(db.modify(User, "1", lambda changed: changed.tags.append("a")), User)
    assert_type(db.add(User, "1", tags="a"), bool)
    assert_type(db.discard(user, tags="a"), bool)
    assert_type(db.upsert(user), bool)


class Seat(Model, prefix="good-seats", versioned=True, unique_together=[("row", "number")]):
    row: str
    number: int


def awaited(db: AsyncDatabase) -> None:
    assert_type(db.find(User).values(User.age), AsyncQuery[tuple[int]])


class Person(Model, prefix="good-people", ttl=timedelta(hours=1), sliding=True):
    home: Ref[Airport] = Field(on_delete="cascade")
    boss: Ref[Person | None] = Field(default=None, on_delete="set_null")
    seen: Refs[Airport] = Field(default_factory=list)


class Trip(Model, prefix="good-trips"):
    who: Ref[Person]
    numbers: Refs[Numbered] = Field(default_factory=list)
    ends: Annotated[datetime | None, ExpiresAt()] = None


boss = Person(home=airport)
person = Person(home=airport, boss=boss, seen=[airport, "ENGM", boss.home])
assert_type(person.home, Link[Airport])
assert_type(person.boss, Link[Person] | None)
assert_type(person.seen, list[Link[Airport]])
assert_type(person.home.value, Airport)
assert_type(person.home.value.icao, str)
assert_type(person.home.loaded, bool)
person.home = airport
person.home = boss.home
person.home = "ENGM"
person.boss = None
person.boss = boss
person.boss = Trip(who=boss).who
person.seen = [airport]
person.seen = ["EGLL", "ENGM"]
person.seen = boss.seen
person.seen.append(boss.home)
trip = Trip(who=person, numbers=[1, 2], ends=datetime.now())
assert_type(trip.ends, datetime | None)
assert_type(Trip.who == person, Condition)

referring = find(
    Person,
    Person.home == airport,
    Person.home == "EGLL",
    Person.home != boss.home,
    Person.boss == None,  # noqa: E711
    Person.boss == boss,
    Person.boss == person.boss,
    Person.boss.is_null(),
    Person.home.in_([airport, "ENGM", boss.home]),
    Person.home.not_in(["ENGM"]),
    Person.seen.contains(airport),
    Person.seen.contains("EGLL"),
)
assert_type(referring, list[Person])


class City(Model, prefix="good-cities"):
    name: Ordered[str]
    nick: Folded[str | None] = Field(default=None)
    size: Indexed[int]


class Traveller(Model, prefix="good-travellers"):
    home: Ref[City]
    next: Ref[City | None] = Field(default=None)
    seen: Refs[City] = Field(default_factory=list)
    boss: Ref[Traveller | None] = Field(default=None)
    tags: Indexed[list[str]] = Field(default_factory=list)
    age: Indexed[int | None] = Field(default=None)


city = City(name="Oslo", size=5)
assert_type(city.name, str)
assert_type(city.nick, str | None)
assert_type(City.name, OrderedRef[str])
assert_type(via(Traveller.home).size, FieldRef[int])
assert_type(via(Traveller.next).name, OrderedRef[str])
assert_type(via(Traveller.seen).size, FieldRef[int])
assert_type(via(via(Traveller.boss).home).name, OrderedRef[str])
texts = find(
    City,
    City.name.startswith("O"),
    City.name.endswith("o"),
    City.name.like("O%_o"),
    City.name.like("100!%", escape="!"),
    City.nick.startswith("o"),
    City.name > "A",
    City.name.between("A", "P"),
    order_by=[-City.name, City.nick.nulls_first(), (-City.nick).nulls_last()],
)
assert_type(texts, list[City])
travellers = find(
    Traveller,
    Traveller.home.name == "Oslo",
    Traveller.home.name.startswith("O"),
    Traveller.home.size.between(1, 5),
    Traveller.boss.home.name != "Oslo",
    Traveller.seen.size > 5,
    via(Traveller.home).size > 5,
    via(Traveller.home).name.like("O%"),
    ~(via(Traveller.next).name == "Oslo"),
    via(via(Traveller.boss).home).size.in_([1, 2]),
    Traveller.seen.any_of([city, "oslo"]),
    Traveller.seen.all_of([city]),
    Traveller.tags.any_of(["a", "b"]),
    Traveller.tags.all_of({"a", "b"}),
    Traveller.age.any_of([1, 2]),
    order_by=[Traveller.age.nulls_first(), -Traveller.age.nulls_first()],
)
assert_type(travellers, list[Traveller])


def follow(db: Database) -> None:
    assert_type(db.load(trip.who), Person)
    assert_type(db.get(Trip, "1", prefetch=[Trip.who, Person.home]), Trip)
    assert_type(db.prefetch([trip], Trip.who, Person.seen), list[Trip])
    assert_type(db.find(Trip, Trip.who == person).prefetch(Trip.who).all(), list[Trip])
    assert_type(db.ttl(trip), timedelta | None)
    assert_type(db.persist(Trip, "1"), bool)
    sweeper = db.sweeper(Trip, Person, every=timedelta(minutes=1))
    with sweeper:
        assert_type(sweeper.turns, int)


class Note(BaseModel):
    text: Text[str]


class Essay(Model, prefix="good-essays"):
    title: Text[str]
    body: Annotated[Text[str | None], Analyzer(stop="english")] = Field(default=None)
    tags: Text[list[str]] = Field(default_factory=list)
    notes: Embedded[list[Note]] = Field(default_factory=list)

    @computed(text=True, depends_on=["title"])
    def heading(self) -> str:
        return self.title.upper()


essay = Essay(title="Quick foxes", body="They jump", tags=["red", "blue"])
assert_type(essay.title, str)
assert_type(essay.body, str | None)
assert_type(essay.tags, list[str])
assert_type(essay.heading, str)
essay.body = None
assert_type(Essay.title, TextRef[str])
assert_type(Essay.heading, TextRef[str])
assert_type(Essay.notes.text, TextRef[str])
assert_type(Essay.title.matches("fox"), Search)
sought = search("fox", Essay.title * 3, Essay.body, Essay.tags, Essay.heading)
assert_type(sought.rank, Rank)
assert_type(sought & Essay.body.is_null(), Condition)
find(Essay, sought, ~Essay.tags.any_words("a b"), Essay.notes.text.phrase("a b"), Essay.body == None)  # noqa: E711
find(Essay, Essay.title.all_words("a b"), order_by=[Essay.title.rank("fox"), -sought.rank])


def ranked(db: Database) -> None:
    pairs = db.find(Essay, sought).order_by(sought.rank).scored().all()
    assert_type(pairs, list[tuple[Essay, float | None]])


def large_results(db: Database) -> None:
    page = db.find(Essay).after("", size=3)
    assert_type(page, CursorPage[Essay])
    assert_type(page.items, list[Essay])
    assert_type(page.next, str | None)
    assert_type(db.find(Essay).ids().before().previous, str | None)
    for essay in db.find(Essay).stream(batch=10):
        assert_type(essay, Essay)
    assert_type(db.find(Essay).trusted().all(), list[Essay])
    assert_type(db.get(Essay, "1", trusted=True), Essay)
    scan = db.find(Essay, Essay.title.all_words("a"), lambda essay: essay.body == "x", scan=True)
    assert_type(scan, Scan[Essay])
    assert_type(scan.order_by(lambda essay: essay.title).limit(3).first(), Essay | None)


Embedding = Annotated[list[float], Dim(3)]


class Shop(Model, prefix="good-shops"):
    place: Places[Point]
    branch: Places[Point | None] = Field(default=None)
    vector: Vector[Embedding]
    other: Vector[Embedding | None] = Field(default=None)


shop = Shop(place=(1.0, 2.0), vector=[1.0, 2.0, 3.0], branch=Point(1.0, 2.0))
shop.place = (3.0, 4.0)
assert_type(shop.place, Point)
assert_type(shop.branch, Point | None)
assert_type(shop.vector, list[float])
assert_type(shop.other, list[float] | None)
assert_type(Shop.place, GeoRef[Point])
assert_type(Shop.vector, VectorRef[list[float]])
assert_type(Shop.place.within((1.0, 2.0), 5, "km"), Condition)
assert_type(Shop.branch.in_box(Point(1.0, 2.0), (3.0, 4.0)) & Shop.branch.is_null(), Condition)
find(Shop, Shop.branch == None, order_by=[Shop.place.distance_from(shop.place), -Shop.place.distance_from((0.0, 0.0))])  # noqa: E711
find(Shop, order_by=[Shop.vector.nearest_to(shop.vector), Shop.other.nearest_to((1.0, 2.0, 3.0))])
