"""What both checkers must refuse: every line that ends in ``# error``, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel

from redmodel import Database, Dim, Geo, Point, Vector
from redmodel.model import Condition, Embedded, Field, FieldRef, Indexed, Key, Link, Model, Order, Ordered, Ref, Refs, Text, Unique, computed, search, via

M = TypeVar("M", bound=Model)


def find(model: type[M], *conditions: Condition, order_by: Sequence[Order | FieldRef[Any]] = ()) -> list[M]:
    return [] if conditions or order_by else [model()]


class Address(BaseModel):
    street: str
    city: Indexed[str]


class User(Model, prefix="bad-users"):
    email: Unique[str]
    name: str
    age: Indexed[int] = Field(default=0)
    iata: Indexed[str | None] = Field(default=None)
    tags: Indexed[list[str]] = Field(default_factory=list)
    address: Embedded[Address]
    score: float = 0.0

    @computed(index=True)
    def domain(self) -> str:
        return self.email

    @computed
    def shout(self) -> str:
        return self.name


class Airport(Model, prefix="bad-airports"):
    icao: Key[str]


address = Address(street="1 A St", city="London")
user = User(email="a", name="A", address=address)

User.age >= "x"  # error
User.age < None  # error
User.iata > 5  # error
User.address.city >= 5  # error
User.age.in_(["x"])  # error
User.age.in_(5)  # error
User.age.between("a", "b")  # error
User.age.contains(5)  # error
User.tags.contains(5)  # error
User.address.nowhere == "x"  # error
User.nothing == "x"  # error
find(User, User.name == "x")  # error
find(User, User.score >= 1.0)  # error
find(User, User.address.street == "x")  # error
find(User, User.age == "x")  # error
find(User, User.shout == "x")  # error
find(User, User.domain == 5)  # error
find(User, User.id == "x")  # error
find(User, User.age)  # error
find(User, "age")  # error
find(User, order_by=[User.name])  # error
find(User, order_by=[-User.score])  # error
find(Address)  # error
-User.name  # error

User(email="a", name="A", address=address, age="x")  # error
User(email="a", name="A", address=address, nothing=1)  # error
User(email="a", name="A", address="London")  # error
User(email="a", name="A")  # error
User("a", "A")  # error
Address(street="1 A St", city=5)  # error
Airport()  # error
Airport(icao=5)  # error
user.age = "x"  # error
user.address = "London"  # error
user.tags.append(5)  # error
user.address.city = 5  # error
user.nothing = 5  # error
number: int = user.email  # error

query = Database("memory://").find(User)
query.values(User.score)  # error
query.only(User.score)  # error
query.sum(User.score)  # error
query.group_by(User.name)  # error
query.group_by("age")  # error
query.histogram(User.age, 10, start="x")  # error
query.nothing()  # error


class Person(Model, prefix="bad-people"):
    home: Ref[Airport]
    boss: Ref[User | None] = Field(default=None)
    seen: Refs[Airport] = Field(default_factory=list)


airport = Airport(icao="EGLL")
person = Person(home=airport)

Person()  # error
Person(home=None)  # error
Person(home=user)  # error
Person(home=5.5)  # error
Person(home=airport, boss=airport)  # error
Person(home=airport, seen=airport)  # error
Person(home=airport, seen=[user])  # error
Person(home=airport, seen="EGLL")  # error
person.home = None  # error
person.home = user  # error
person.boss = person.home  # error
person.seen.append(airport)  # error
person.boss.value  # error
person.home.icao  # error
person.home.value.email  # error
held: Link[User] = person.home  # error
find(Person, Person.home == user)  # error
find(Person, Person.home == None)  # error
find(Person, Person.boss == airport)  # error
find(Person, Person.boss == person.home)  # error
find(Person, Person.seen.contains(user))  # error
find(Person, Person.home)  # error
Person.home.in_([user])  # error
Field(on_delete="drop")  # error


class City(Model, prefix="bad-cities"):
    name: Ordered[str]
    plain: Indexed[str]
    size: Indexed[int]
    note: str = ""


class Traveller(Model, prefix="bad-travellers"):
    home: Ref[City]
    seen: Refs[City] = Field(default_factory=list)
    tags: Indexed[list[str]] = Field(default_factory=list)
    age: Indexed[int]


City(name=5, plain="x", size=1)  # error
City.plain.startswith("x")  # error
City.plain.like("x%")  # error
City.size.endswith("1")  # error
City.name.startswith(5)  # error
City.name.like("x", 5)  # error
City.name > 5  # error
find(City, City.name == 5)  # error
Traveller.tags.any_of([5])  # error
Traveller.tags.all_of([5])  # error
Traveller.age.all_of([5])  # error
Traveller.age.any_of(["x"])  # error
Traveller.age.any_of(5)  # error
Traveller.seen.any_of([user])  # error
(-Traveller.age).nulls("first")  # error
find(Traveller, via(Traveller.home).size == "x")  # error
via(Traveller.home).size.startswith("x")  # error
find(Traveller, via(Traveller.home).nothing == "x")  # error
find(Traveller, via(Traveller.seen).note == "x")  # error
via(Traveller.age).name == "x"  # error
via(via(Traveller.home).size).name  # error
find(Traveller, via(Traveller.home).name)  # error
find(Traveller, via(Traveller.home))  # error


def follow(db: Database) -> None:
    db.find(Person).prefetch(User.age)  # error
    db.find(Person).prefetch("home")  # error
    db.prefetch([person], User.email)  # error
    db.get(Person, "1", prefetch=[User.age])  # error
    db.load(person.boss)  # error
    db.load(person)  # error
    db.load(person.home).email  # error
    db.sweeper(Address)  # error
db = Database("memory://")
db.modify(User, "1", lambda changed: changed.nothing)  # error
db.append(User, tags="a")  # error
with db.edit(User, "1") as edited:
    edited.age = "x"  # error


class Essay(Model, prefix="bad-essays"):
    title: Text[str]
    pages: Text[int]  # error
    year: Indexed[int]


find(Essay, Essay.title == "x")  # error
Essay.title < "x"  # error
Essay.title.in_(["x"])  # error
Essay.title.matches(5)  # error
Essay.title.all_words(["x"])  # error
Essay.title * None  # error
search("x", Essay.year)  # error
search("x", "title")  # error
search(Essay.title, "x")  # error
find(Essay, Essay.title.rank("x"))  # error
find(Essay, Essay.title)  # error


def large_results(db: Database) -> None:
    db.find(Essay, lambda essay: True)  # error
    db.find(Essay, lambda essay: essay.nothing == 1, scan=True)  # error
    db.find(Essay, Essay.year > 3).after(3)  # error
    db.find(Essay).stream(batch="x")  # error
    db.find(Essay, progress=print)  # error


class Shop(Model, prefix="bad-shops"):
    place: Geo[Point]
    vector: Vector[Annotated[list[float], Dim(3)]]


Shop(place="Oslo", vector=[1.0])  # error
Shop(place=(1.0, 2.0), vector="abc")  # error
Shop.place.within("Oslo", 5)  # error
Shop.place.within((1.0, 2.0), 5, "yd")  # error
Shop.place.within((1.0, 2.0))  # error
Shop.place.in_box((1.0, 2.0))  # error
Shop.place < Point(1.0, 2.0)  # error
find(Shop, Shop.place == Point(1.0, 2.0))  # error
Shop.place.contains(Point(1.0, 2.0))  # error
Shop.vector.nearest_to("abc")  # error
find(Shop, Shop.vector == [1.0, 2.0, 3.0])  # error
Shop.vector > [1.0]  # error
find(Shop, Shop.vector.nearest_to([1.0]))  # error
find(Shop, Shop.place)  # error
