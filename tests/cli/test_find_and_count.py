"""``redmodel find`` and ``redmodel count``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from redmodel import Database, Field, Indexed, Model, Ordered, Ref, Refs, Text
from redmodel.cli.conditions import orders, parse
from redmodel.cli.faults import Refused
from redmodel.errors import QueryError, UnindexedField
from redmodel.model import Compare, Not, matches, schema_of
from redmodel.plan.program import Program
from tests.cli.conftest import MODELS, Cli, customer
from tests.cli.shop import Customer, Size

NUMBERS = [
    ("age>=25", range(5, 11)),
    ("age>25", range(6, 11)),
    ("age < 25", range(1, 5)),
    ("age<=25", range(1, 6)),
    ("age=25", [5]),
    ("age==25", [5]),
    ("age!=25", [1, 2, 3, 4, 6, 7, 8, 9, 10]),
    ("age=21,22", [1, 2]),
    ("age!=21,22", range(3, 11)),
    ("vip=true", [2, 4, 6, 8, 10]),
    ("size=2", [3, 6, 9]),
    ("nickname=null", [1, 2, 3, 5, 6, 7, 9, 10]),
    ("nickname!=null", [4, 8]),
    ('nickname="null"', [4, 8]),
    ("nickname=", []),
    ("tags~b", [2, 5, 8]),
    ("tags~a,b", [1, 2, 4, 5, 7, 8, 10]),
    ("tags&=a,b", [n for n in range(1, 11) if {"a", "b"} <= set(customer(n).tags)]),
    ('address.city="Washington, DC"', range(5, 11)),
    ('address.city="Washington, DC",Oslo', range(1, 11)),
    ("address.city=Washington, DC", []),
    ("joined>=2026-01-09", [8, 9, 10]),
    ("joined<2026-01-03T00:00:00Z", [1]),
    ("email=c3@example.org", [3]),
]


@pytest.mark.parametrize(("text", "numbers"), NUMBERS)
def test_conditions(text: str, numbers: list[int]) -> None:
    condition = parse(Customer, text)
    assert [n for n in range(1, 11) if matches(condition, customer(n))] == list(numbers)


def test_conditions_find_the_same_in_a_store(cli: Cli, store: str) -> None:
    for text, numbers in NUMBERS:
        found = cli("count", "Customer", text, "--url", store, *MODELS)
        assert (found.code, found.out) == (0, f"{len(list(numbers))}\n"), text


def test_what_a_condition_becomes() -> None:
    assert parse(Customer, "age>=18") == Compare("age", ">=", 18)
    assert parse(Customer, "size!=2") == Not(Compare("size", "==", Size.LARGE))
    assert parse(Customer, "nickname=x~y=z>1") == Compare("nickname", "==", "x~y=z>1")
    assert parse(Customer, r'nickname="a\"b",c') == Compare("nickname", "in", ('a"b', "c"))
    assert parse(Customer, 'nickname="half') == Compare("nickname", "==", '"half')
    assert parse(Customer, "nickname=a,") == Compare("nickname", "in", ("a", ""))


class City(Model, prefix="cli-cities"):
    id: str
    name: Ordered[str]
    about: Text[str] = Field(default="")


class Flight(Model, prefix="cli-flights"):
    id: str
    to: Ref[City | None] = Field(default=None)
    over: Refs[City] = Field(default_factory=list)
    stops: Indexed[int | None] = Field(default=None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name^=O", "oc"),
        ("name^=O,R", "oc"),
        ("name$=slo,r", "ob"),
        ("name%=_s%", "o"),
        ('name%="B%,%"', "b"),
        ("name>=Os", "o"),
        ("name<B", ""),
        ("about?quick fox", "o"),
    ],
)
def test_conditions_on_texts(text: str, found: str) -> None:
    with Database("memory://") as db:
        for id, name, about in (("o", "Oslo", "a fox, quick"), ("c", "Ocean, C", ""), ("b", "Bern, er", "slow fox")):
            db.save(City(id=id, name=name, about=about))
        assert sorted(db.find(City, parse(City, text)).ids()) == sorted(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("to.name=Oslo", "1"),
        ("to.name!=Oslo", "23"),
        ("to.name^=B", "2"),
        ("to=null", "3"),
        ("to.name!=null", "12"),
        ("over.name=Oslo", "23"),
        ("over~o,b", "23"),
        ("over&=o,b", "3"),
    ],
)
def test_conditions_through_references(text: str, found: str) -> None:
    with Database("memory://") as db:
        db.save_many([City(id="o", name="Oslo"), City(id="b", name="Bern")])
        db.save_many([Flight(id="1", to="o"), Flight(id="2", to="b", over=["o"]), Flight(id="3", over=["o", "b"])])
        assert sorted(db.find(Flight, parse(Flight, text)).ids()) == sorted(found)


def test_what_texts_and_references_are_not() -> None:
    for text in ("to.nothing=1", "to.name.first=1", "nothing.name=1", "stops.name=1"):
        with pytest.raises(UnindexedField):
            parse(Flight, text)
    with pytest.raises(QueryError):
        parse(Customer, "email^=a")
    with pytest.raises(Refused):
        parse(City, "name^=null")
    first, last = orders(Flight, ["-stops:nulls-first,to"])[0], orders(Flight, ["stops"])[0]
    assert (first.nulls, first.descending, last.nulls) == ("first", True, "last")


@pytest.mark.parametrize("text", ["", "age", "=5", ">=5", "age 5", "age>1,2", 'nickname="\\q"'])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(Refused):
        parse(Customer, text)


@pytest.mark.parametrize("text", ["age=old", "vip>1", "age~5", "age>null", "size=7"])
def test_what_the_model_cannot_answer(text: str) -> None:
    with pytest.raises(QueryError):
        Program(schema_of(Customer)).conditions([parse(Customer, text)])


def test_unindexed_fields_are_refused() -> None:
    for text in ("rate>1", "nobody=1", "address.street=x", "address=x"):
        with pytest.raises(UnindexedField):
            parse(Customer, text)
    with pytest.raises(UnindexedField):
        orders(Customer, ["rate"])
    for text in ("--age", "", "age,,"):
        with pytest.raises(Refused):
            orders(Customer, [text])
    assert [(o.path, o.descending) for o in orders(Customer, ["-age,email", "+number"])] == [
        ("age", True),
        ("email", False),
        ("number", False),
    ]


def test_a_page(cli: Cli, store: str) -> None:
    said = cli(
        "find", "Customer", "--order", "-age", "-n", "3", "--page", "2", "-f", "number,age", "--url", store, *MODELS
    )
    assert said.code == 0
    assert said.lines == ["number  age", "     7   27", "     6   26", "     5   25"]
    assert "4 to 6 of 10 · page 2 of 4" in said.err


def test_by_prefix_and_by_one_class(cli: Cli, store: str) -> None:
    assert cli("count", "cli-customers", "--url", store, *MODELS).out == "10\n"
    assert cli("count", "Customer", "--url", store, "--models", "tests.cli.shop:Customer").out == "10\n"


def test_json(cli: Cli, store: str) -> None:
    said = cli("find", "Customer", "vip=true", "--order", "age", "-n", "2", "--json", "--url", store, *MODELS).json
    assert said["model"] == "Customer"
    assert said["total"] == 5
    assert said["pages"] == 3
    assert [item["number"] for item in said["items"]] == [2, 4]
    assert said["items"][0]["address"] == {"street": "2 A St", "city": "Oslo"}
    assert said["items"][0]["joined"] == "2026-01-03T00:00:00Z"
    assert cli("count", "Customer", "age<25", "--json", "--url", store, *MODELS).json == {
        "model": "Customer",
        "count": 4,
    }


def test_lines_and_csv_of_all_records(cli: Cli, store: str) -> None:
    said = cli("find", "Customer", "--all", "--nl", "-f", "number,address.city", "--url", store, *MODELS)
    rows = [json.loads(line) for line in said.lines]
    assert len(rows) == 10
    assert {"number": 1, "address.city": "Oslo"} in rows
    said = cli("find", "Customer", "--all", "--csv", "--order", "age", "--url", store, *MODELS)
    read = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["number"] for row in read] == [str(n) for n in range(1, 11)]
    assert read[0]["nickname"] == ""
    assert json.loads(read[1]["tags"]) == ["a", "b"]
    assert json.loads(read[6]["address"])["city"] == "Washington, DC"
    everything = cli("find", "Customer", "--all", "--json", "--url", store, *MODELS).json
    assert len(everything["items"]) == 10


def test_values_that_json_lacks(cli: Cli, store: str) -> None:
    from redmodel import Database

    with Database(store) as db:
        db.save(customer(11, photo=b"\xff\x00", rate=float("nan"), nickname="\x1b[31mred"))
    said = cli("find", "Customer", "age=31", "--json", "--url", store, *MODELS)
    item = json.loads(said.out, parse_constant=pytest.fail)["items"][0]
    assert item["rate"] == "nan"
    assert item["photo"] == {"base64": "/wA="}
    assert item["nickname"] == "\x1b[31mred"
    assert "\x1b" not in said.out
    table = cli("find", "Customer", "age=31", "--url", store, *MODELS)
    assert "\x1b" not in table.out
    assert "\\x1b[31mred" in table.out


def test_nothing_found(cli: Cli, store: str) -> None:
    said = cli("find", "Customer", "age>99", "-f", "number", "--url", store, *MODELS)
    assert said.code == 0
    assert said.lines == ["number"]
    assert "none of 0" in said.err
    assert cli("find", "Customer", "age>99", "--json", "--url", store, *MODELS).json["items"] == []


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["Nobody"], "no model 'Nobody' (known: Airport, Customer, Visit)"),
        (["Customer", "rate>1"], "has no index"),
        (["Customer", "age"], "is no condition"),
        (["Customer", "number=3"], "redmodel show cli-customers:3"),
        (["Customer", "age=many"], "age"),
        (["Customer", "--order", "rate"], "has no index"),
        (["Customer", "-f", "nothing"], "has no field 'nothing'"),
        (["Customer", "--json", "--csv"], "exclude each other"),
        (["Customer", "-n", "0"], "-n"),
        (["Customer", "--all", "--page", "2"], "no --page"),
    ],
)
def test_refusals(cli: Cli, store: str, args: list[str], why: str) -> None:
    said = cli("find", *args, "--url", store, *MODELS)
    assert said.code == 2
    assert said.out == ""
    assert why in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ("no.such.module", "ModuleNotFoundError"),
        ("tests.cli.shop:Nothing", "is no model with a prefix"),
        ("tests.cli.shop:NotStored", "is no model with a prefix"),
        ("tests.cli.shop:Address", "is no model with a prefix"),
    ],
)
def test_models_that_cannot_be_had(cli: Cli, store: str, models: str, why: str) -> None:
    said = cli("count", "Customer", "--url", store, "--models", models)
    assert said.code == 2
    assert why in said.err


def test_models_and_url_from_around(cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDMODEL_MODELS", "tests.cli.conftest, tests.cli.shop:Customer")
    monkeypatch.setenv("REDMODEL_URL", store)
    assert cli("count", "Customer").out == "10\n"
    monkeypatch.delenv("REDMODEL_MODELS")
    monkeypatch.delenv("REDMODEL_URL")
    Path("pyproject.toml").write_text(f'[tool.redmodel]\nurl = "{store}"\nmodels = ["tests.cli.shop"]\n')
    from redmodel.cli.settings import _project

    _project.cache_clear()
    assert cli("count", "Customer", "age<22").out == "1\n"
    for text in ("[tool.redmodel]\nmodels = 3\n", "[tool.redmodel]\nurl = 3\n", "[tool"):
        Path("pyproject.toml").write_text(text)
        _project.cache_clear()
        assert cli("count", "Customer").code == 2
    _project.cache_clear()


def test_a_model_of_the_working_directory(cli: Cli, store: str) -> None:
    Path("mine.py").write_text(
        "from redmodel import Indexed, Model\nclass Mine(Model, prefix='cli-mine'):\n    n: Indexed[int]\n"
    )
    assert cli("count", "Mine", "--models", "mine", "--url", store).out == "0\n"


def test_a_scan_finds_what_no_index_answers(cli: Cli, store: str) -> None:
    with Database(store) as db:
        db.save(customer(12, rate=2.5))
    said = cli(
        "find",
        "Customer",
        "rate>1",
        "address.street~12 A St",
        "--scan",
        "-f",
        "number",
        "--json",
        "--url",
        store,
        *MODELS,
    )
    assert [item["number"] for item in said.json["items"]] == [12]
    assert "looked at" in said.err
    said = cli("find", "Customer", "rate=0.5", "vip=true", "--scan", "-n", "2", "--nl", "--url", store, *MODELS)
    assert len(said.lines) == 2
    assert len(cli("find", "Customer", "rate!=0.5,1", "--scan", "--all", "--nl", "--url", store, *MODELS).lines) == 1
    for wrong in (["nobody=1"], ["rate^=1"], ["rate=1", "--order", "age"], ["rate=1", "--page", "2"]):
        assert cli("find", "Customer", *wrong, "--scan", "--url", store, *MODELS).code == 2


def test_explain(cli: Cli, store: str) -> None:
    asked = ("explain", "Customer", "age>=25", "vip=true", "--order", "-age", "--url", store, *MODELS)
    said = cli(*asked)
    assert said.code == 0
    assert "age >= 25" in said.out
    assert "begins here" in said.out
    assert "order by -age" in said.err
    assert "1 round trip" in said.err
    told = cli(*asked, "--json").json
    assert [part["rows"] for part in told["conditions"]["parts"]] == [6, 5]
    assert (told["conditions"]["rows"], told["records"], told["round_trips"]) == (3, 3, 1)
    assert {line["command"] for line in map(json.loads, cli(*asked, "--nl").out.splitlines())} >= {"LOOK"}
    guess = cli(*asked, "--estimate", "--json").json
    assert (guess["conditions"]["estimate"], guess["records"], guess["commands"]) == (5, None, [])
    assert cli("explain", "Customer", "name=x", "--url", store, *MODELS).code == 2
