"""The first five minutes with redmodel, blocking: declare, save, find, page, change, expire.

Run it with `python examples/quickstart.py`. It keeps its data in `./redmodel-data`, or where `REDMODEL_URL` says:
`REDMODEL_URL=redis://localhost python examples/quickstart.py`.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel

from redmodel import TTL, Database, Embedded, Field, Indexed, Model, NotFound, Unique, UniqueViolation


class Address(BaseModel):
    street: str
    city: Indexed[str]


class User(Model, prefix="quickstart-users"):
    email: Unique[str]
    name: str
    age: Indexed[int]
    address: Embedded[Address]
    tags: Indexed[list[str]] = Field(default_factory=list)
    code: Annotated[str | None, TTL(minutes=5)] = None  # this field alone expires


class Login(Model, prefix="quickstart-logins", ttl=timedelta(hours=1)):
    user: Indexed[str]


def main() -> None:
    with Database() as db:
        db.delete_many(User, [user.id for user in db.find(User)])  # so that it can be run again

        ada = User(email="ada@example.org", name="Ada", age=36, address=Address(street="1 A St", city="London"))
        ada.tags.append("vip")
        db.save(ada)
        db.save_many(
            User(email=f"{name}@example.org", name=name, age=age, address=Address(street="2 B St", city=city))
            for name, age, city in [("grace", 41, "London"), ("linus", 17, "Oslo"), ("guido", 28, "London")]
        )

        print("by id:", db.get(User, ada.id).name)
        adults = db.find(User, User.age >= 18, User.address.city == "London").order_by(-User.age)
        page = adults.page(1, size=2)
        print("page:", [user.name for user in page.items], "of", page.total)
        print("tagged:", [user.name for user in db.find(User, User.tags.contains("vip"))])
        print("either:", db.count(User, (User.age < 18) | (User.address.city == "London")))

        ada.age += 1
        db.save(ada)  # sends what changed, and moves the index entry
        print("moved:", db.find(User, User.age == 37).one().name)

        try:
            db.save(User(email="ada@example.org", name="Impostor", age=20, address=ada.address))
        except UniqueViolation as refusal:
            print("refused:", refusal.field, "belongs to", "Ada" if refusal.owner == ada.id else "somebody else")

        login = Login(user=ada.id)
        db.save(login)  # gone in an hour, also from every count
        db.delete(login)
        try:
            db.get(Login, login.id)
        except NotFound as error:
            print("gone:", error.model)


if __name__ == "__main__":
    main()
