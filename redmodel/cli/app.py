"""The commands and their options, nothing else: each body imports its own file when it runs."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from redmodel.cli.faults import CLEAN, INTERRUPTED, REFUSED, guard, quiet, say

WIDTH = {"terminal_width": 90, "max_content_width": 90, "help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="redmodel",
    rich_markup_mode=None,  # rich would double the time that --help takes
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings=WIDTH,
)

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="redis://, rediss://, unix:// or embedded://; else REDMODEL_URL, else [tool.redmodel] url in "
        "pyproject.toml, else the embedded store ./redmodel-data.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--models",
        metavar="MODULE[:CLASS]",
        help="Where the models are; may be repeated. Else REDMODEL_MODELS (with commas), else [tool.redmodel] models.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Nl = Annotated[bool, typer.Option("--nl", help="JSON, one record a line.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV with a header.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A model's class name or its prefix.")]
Conditions = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CONDITION",
        help="field=value != < <= > >=; a,b means any of them; field~item: a collection holds the item; "
        "field^=begins, field$=ends, field%=pattern, field?words: of texts; "
        "field=null: no value; field='\"a, b\"': text as it stands. All must be met; quote them for the shell.",
    ),
]

Orders = Annotated[
    list[str] | None,
    typer.Option("--order", metavar="FIELD", help="Order by a field; -field: the largest first; field:nulls-first."),
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("redmodel")
        except PackageNotFoundError:
            number = "(not installed: run from its source)"
        typer.echo(f"redmodel {number}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Look into a Redis keyspace by its models. Commands only read; demo, import, migrate and index repair
    write, backup makes a copy, and recover lets a store write again.

    \b
    Data goes to stdout, notes to stderr. Exit codes: 0 clean, 1 differences, 2 wrong usage
    or refused, 3 the server can't be reached, 130 stopped with Ctrl-C.

    \b
      redmodel demo                                 try it on 28,298 airports
      redmodel tree                                 what is in the keyspace
      redmodel show airports:EGLL                   one record
      redmodel find Airport country=IS 'elevation>=100' --order -elevation
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _form(as_json: bool, nl: bool, as_csv: bool) -> Any:
    from redmodel.cli.faults import Refused
    from redmodel.cli.output import form_of

    try:
        return form_of(as_json=as_json, nl=nl, as_csv=as_csv)
    except ValueError as error:
        raise Refused(str(error)) from None


def _end(code: int) -> None:
    if code:
        raise typer.Exit(code)


@app.command()
def tree(
    url: Url = None,
    depth: Annotated[int, typer.Option("--depth", min=1, max=9, help="Levels of the tree.")] = 2,
    sample: Annotated[
        int, typer.Option("--sample", min=1, metavar="N", help="Count the first N keys that SCAN gives.")
    ] = 200_000,
    everything: Annotated[bool, typer.Option("--all", help="Count every key.")] = False,
    as_json: Json = False,
    nl: Nl = False,
    as_csv: Csv = False,
) -> None:
    """Show the keyspace as a tree of prefixes, with their sizes and models.

    \b
      redmodel tree --depth 3
      redmodel tree --all --json | jq '.groups[] | select(.without_ttl == 1).pattern'

    It walks with SCAN, never KEYS. Keys of a model's indexes (prefix@...) stand apart from its records. "no ttl" is the
    share of keys that never expire. Ctrl-C shows what was counted so far.
    """

    def body() -> int:
        from redmodel.cli import tree as command

        form = _form(as_json, nl, as_csv)
        return command.tree(url, depth=depth, sample=None if everything else sample, form=form)

    _end(guard(body))


@app.command()
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help=r"The key; \xNN stands for a byte and \\ for a backslash.")],
    url: Url = None,
    models: Models = None,
    most: Annotated[int, typer.Option("-n", min=1, max=100_000, help="Elements to show of a large key.")] = 100,
    as_json: Json = False,
    nl: Nl = False,
    as_csv: Csv = False,
) -> None:
    """Show one key: a record field by field, or any other key as what it is.

    \b
      redmodel show users:42 --models app.models
      redmodel show airports@country:IS

    A record is decoded by its model, with its place in the indexes, where --models names it; else its hash is shown
    as it is stored.
    """

    def body() -> int:
        from redmodel.cli import show as command

        return command.show(url, models or [], key, most=most, form=_form(as_json, nl, as_csv))

    _end(guard(body))


@app.command()
def find(
    model: ModelName,
    conditions: Conditions = None,
    url: Url = None,
    models: Models = None,
    order: Orders = None,
    size: Annotated[int, typer.Option("-n", min=1, max=100_000, help="Records on a page.")] = 20,
    page: Annotated[int, typer.Option("--page", min=1, help="Which page.")] = 1,
    everything: Annotated[bool, typer.Option("--all", help="Every record instead of a page.")] = False,
    scan: Annotated[bool, typer.Option("--scan", help="Look at every record, for fields without an index.")] = False,
    fields: Annotated[
        list[str] | None, typer.Option("-f", "--fields", metavar="FIELDS", help="Only these, as in name,position.lat.")
    ] = None,
    as_json: Json = False,
    nl: Nl = False,
    as_csv: Csv = False,
) -> None:
    """Find records of a model by its indexed fields.

    \b
      redmodel find User 'age>=18' country=DE,AT --order -age -n 20 -f name,age
      redmodel find Airport country=IS iata!=null --all --csv > iceland.csv
    """

    def body() -> int:
        from redmodel.cli import find as command

        asked = (url, models or [], model, conditions or [])
        form, by, names = _form(as_json, nl, as_csv), order or [], fields or []
        return command.find(
            *asked, order=by, size=size, number=page, everything=everything, fields=names, form=form, scan=scan
        )

    _end(guard(body))


@app.command()
def count(
    model: ModelName,
    conditions: Conditions = None,
    url: Url = None,
    models: Models = None,
    as_json: Json = False,
    nl: Nl = False,
    as_csv: Csv = False,
) -> None:
    """Count the records of a model that meet conditions.

    \b
      redmodel count User country=DE 'age<18'

    The count is exact, also right after records expired.
    """

    def body() -> int:
        from redmodel.cli import find as command

        return command.count(url, models or [], model, conditions or [], form=_form(as_json, nl, as_csv))

    _end(guard(body))


@app.command()
def explain(
    model: ModelName,
    conditions: Conditions = None,
    url: Url = None,
    models: Models = None,
    order: Orders = None,
    size: Annotated[int, typer.Option("-n", min=1, max=100_000, help="Records on the page.")] = 20,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only estimate; do not run the query.")] = False,
    as_json: Json = False,
    nl: Nl = False,
    as_csv: Csv = False,
) -> None:
    """Tell how a query is answered: which indexes, what was done, how long.

    \b
      redmodel explain User 'age>=18' country=DE --order -age

    First the conditions, with how many records the indexes promise and how many meet each; then the
    commands that ran for a page with its total, with what they gave.
    """

    def body() -> int:
        from redmodel.cli import explain as command

        form, run = _form(as_json, nl, as_csv), not estimate
        return command.explain(
            url, models or [], model, conditions or [], order=order or [], size=size, analyze=run, form=form
        )

    _end(guard(body))


@app.command()
def demo(
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Write to this server instead of an embedded store.")
    ] = None,
    directory: Annotated[
        str | None, typer.Option("--dir", metavar="DIRECTORY", help="Where the embedded store is.  [./redmodel-data]")
    ] = None,
) -> None:
    """Load 28,298 airports, ask them things, and show the Python for each step.

    \b
      redmodel demo
      redmodel demo --url redis://localhost

    It writes keys that begin with airports and visits, and leaves them there to be looked at. Run again, it finds them.
    """

    def body() -> int:
        from redmodel.cli import demo as command

        return command.demo(url, directory)

    _end(guard(body))


@app.command()
def backup(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Where to: a new directory, or an empty one.")],
    url: Url = None,
) -> None:
    """Copy an embedded store as it is at one moment, also while it is used.

    \b
      redmodel backup /backups/monday
      redmodel backup ./copy --url embedded://./redmodel-data

    The copy is a store: the engine and a redis-server 7 open it. Nothing is overwritten.
    """

    def body() -> int:
        from redmodel.cli import backup as command

        return command.backup(url, directory)

    _end(guard(body))


@app.command()
def recover(url: Url = None) -> None:
    """Let an embedded store take writes again after its disk failed.

    \b
      redmodel recover --url embedded://./redmodel-data

    For a running application whose disk was full, read-only or gone, and is mended: it writes all its
    data anew and goes on. Nothing happens where nothing has failed.
    """

    def body() -> int:
        from redmodel.cli import recover as command

        return command.recover(url)

    _end(guard(body))


Directory = Annotated[
    str | None, typer.Option("--dir", metavar="DIRECTORY", help="An embedded store, in place of --url.")
]


@app.command(name="import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An RDB file, as dump.rdb of a redis-server.")],
    url: Url = None,
    directory: Directory = None,
    write: Annotated[bool, typer.Option("--write", help="Load it; else it is only read and told about.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Delete all keys of all databases there first.")] = False,
    as_json: Json = False,
) -> None:
    """Load an RDB file into an embedded store or a server.

    \b
      redmodel import dump.rdb                      what is in it
      redmodel import dump.rdb --dir ./store --write
      redmodel import dump.rdb --url redis://localhost --replace --write

    It takes files of Redis 2.6 to 8.0 and of Valkey up to 8, and reads them to their checksum before it writes. The
    target must hold no keys, unless --replace is given. An embedded store must not be open elsewhere.
    """

    def body() -> int:
        from redmodel.cli import snapshots as command

        form = _form(as_json, False, False)
        return command.load(file, url, directory, write=write, replace=replace, form=form)

    _end(guard(body))


@app.command()
def export(
    rdb: Annotated[str, typer.Option("--rdb", metavar="FILE", help="The RDB file to write.")],
    url: Url = None,
    directory: Directory = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
) -> None:
    """Save a keyspace as an RDB file, which redis-server loads.

    \b
      redmodel export --rdb dump.rdb --dir ./store
      redmodel export --rdb dump.rdb --url redis://localhost

    Of an embedded store it is the data at one moment, for Redis 7.0 and newer; the store must not be open elsewhere.
    From a server keys are taken one after the other while it works, in that server's version of the format.
    """

    def body() -> int:
        from redmodel.cli import snapshots as command

        return command.save(rdb, url, directory, replace=replace)

    _end(guard(body))


@app.command("check-store")
def check_store(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="The directory of an embedded store.")],
    repair: Annotated[
        bool, typer.Option("--write", help="Cut off what is damaged, after a copy of it was made in DIR.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --write: don't ask.")] = False,
    as_json: Json = False,
) -> None:
    """Check the files of an embedded store, and repair them with --write.

    \b
      redmodel check-store ./redmodel-data
      redmodel check-store ./redmodel-data --write

    Every byte is read. A torn end is what a power cut leaves: the next opening cuts it off by itself. Anything else
    that is wrong keeps the store from opening; --write says what would be dropped, asks, keeps a copy of it in DIR, and
    cuts the store back to the last command before the damage. Exit codes: 0 clean or repaired, 1 damaged or torn.
    """

    def body() -> int:
        from redmodel.cli import check_store as command

        return command.check(directory, write=repair, yes=yes, form=_form(as_json, nl=False, as_csv=False))

    _end(guard(body))


index = typer.Typer(rich_markup_mode=None, context_settings=WIDTH)
app.add_typer(index, name="index")

ModelNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="MODEL", help="Class names or prefixes; else all models that --models names."),
]
Rate = Annotated[
    float | None,
    typer.Option("--rate", metavar="N", min=1, help="Records and entries a second at most, as in --rate 5000."),
]
Cursor = Annotated[
    str | None, typer.Option("--cursor", metavar="CURSOR", help="Where one that was stopped goes on; it says so.")
]


@index.callback()
def _index() -> None:
    """Check the indexes of models against their records, and repair them."""


@index.command("check")
def index_check(
    models_to_check: ModelNames = None,
    url: Url = None,
    models: Models = None,
    rate: Rate = None,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """Compare every index entry with the records, also beside writers.

    \b
      redmodel index check
      redmodel index check User --rate 5000 --json

    Stale entries are of no living record, missing ones should be there, misplaced ones are of another value. It walks
    with SCAN in steps of 500 and judges each doubtful record as one atomic step, so that writers cause no false alarm.
    Exit codes: 0 clean, 1 drift, or something that a person must look at.
    """

    def body() -> int:
        from redmodel.cli import index as command

        form = _form(as_json, nl=False, as_csv=False)
        return command.check(url, models or [], models_to_check or [], rate=rate, cursor=cursor, form=form)

    _end(guard(body))


@index.command("repair")
def index_repair(
    models_to_repair: ModelNames = None,
    url: Url = None,
    models: Models = None,
    may_write: Annotated[bool, typer.Option("--write", help="Needed: a repair writes.")] = False,
    rate: Rate = None,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """Make every index entry what the records say, also beside writers.

    \b
      redmodel index repair User --write
      redmodel index repair --write --rate 5000

    Each record is mended as one atomic step that first looks whether it still holds what was read. Records are never
    changed. Entries of fields that are not indexed any more are removed: use the newest version of the model.
    Exit codes: 0 all that was wrong is mended, 1 something is left that a person must look at.
    """

    def body() -> int:
        from redmodel.cli import index as command

        form = _form(as_json, nl=False, as_csv=False)
        names = models_to_repair or []
        return command.repair(url, models or [], names, may_write=may_write, rate=rate, cursor=cursor, form=form)

    _end(guard(body))


@app.command()
def status(
    models_to_show: ModelNames = None,
    url: Url = None,
    models: Models = None,
    as_json: Json = False,
    as_nl: Nl = False,
    as_csv: Csv = False,
) -> None:
    """Show which indexes can answer, and what a migration would do.

    \b
      redmodel status
      redmodel status User --json

    ready; waiting: an older version of the model has written records, which the next query enters; building, new,
    changed: refused until a migration; dropped: not declared any more.
    Exit codes: 0 a migration has nothing to do, 1 it has.
    """

    def body() -> int:
        from redmodel.cli import migrate as command

        form = _form(as_json, nl=as_nl, as_csv=as_csv)
        return command.status(url, models or [], models_to_show or [], form=form)

    _end(guard(body))


@app.command()
def migrate(
    models_to_migrate: ModelNames = None,
    url: Url = None,
    models: Models = None,
    may_write: Annotated[bool, typer.Option("--write", help="Needed: a migration writes.")] = False,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Build new indexes, clear away old ones, migrate fields.

    \b
      redmodel migrate User --write
      redmodel migrate --write --rate 5000

    Name the newest version of the models. It goes in steps of 500 records; one that was stopped is run again, and goes
    on there. An index answers when it holds every record.
    Exit codes: 0 all indexes are ready, 1 records stand in the way, which are named.
    """

    def body() -> int:
        from redmodel.cli import migrate as command

        form = _form(as_json, nl=False, as_csv=False)
        names = models_to_migrate or []
        return command.migrate(url, models or [], names, may_write=may_write, rate=rate, form=form)

    _end(guard(body))


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def serve(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE] [--DIRECTIVE VALUE]...",
            help="A redis.conf, and redis-server's own directives; a single - reads more of them from stdin.",
        ),
    ] = None,
) -> None:
    """Serve the embedded engine to any Redis client, until SIGTERM or Ctrl-C.

    \b
      redmodel serve --port 7000 --appendonly yes --dir ./data
      redmodel serve redis.conf --loglevel verbose
      redmodel serve --port 0 --unixsocket ./redis.sock --requirepass "$PASSWORD"
    """
    from redmodel.server.program import main

    _end(main([*(words or ()), *context.args]))


def run(args: Sequence[str] | None) -> int:
    """Read the arguments, run the command, and return the exit code."""
    given = list(sys.argv[1:] if args is None else args)
    try:
        code: Any = app(given, prog_name="redmodel", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        # Said here and not by typer: an argument may hold a password.
        where = getattr(getattr(error, "ctx", None), "command_path", "redmodel")
        return say(f"{error.format_message()} (see {where} --help)", REFUSED)
    except (typer.Abort, KeyboardInterrupt):
        return say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return quiet()
    except OSError as error:
        return say(f"can't write: {os.strerror(error.errno) if error.errno else error}")
    return code if isinstance(code, int) else CLEAN
