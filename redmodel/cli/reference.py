"""The page of the documentation about the commands, made from their ``--help``.

``python -m redmodel.cli.reference > docs/reference/cli.md`` writes it; a test compares the two.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout

import typer

from redmodel.cli.app import app, run

_OPENING = """\
# The command line

`redmodel` looks into a keyspace by its models. Made from `--help` (of typer {typer}); to change it, change that.

## redmodel
"""

_NOTES = """\
## Conditions

`find` and `count` take conditions on indexed fields, all of which must be met. Quote them: `>` and `<` mean something
to the shell.

| written | means |
|---|---|
| `country=IS` | equal (`==` too) |
| `country!=IS` | not equal; records without a value as well |
| `elevation>=100` | `<`, `<=`, `>`, `>=`: on numbers, dates and times |
| `country=IS,FO` | any of these; with `!=` none of them |
| `tags~vip` | the collection holds the item; `tags~vip,new` any of them, `tags&=vip,new` all |
| `name^=A`, `name$=son` | an `Ordered` text begins so, ends so |
| `name%=A%_x` | it fits the pattern: `%` is any text, `_` one character |
| `body?quick fox` | a `Text` has these words, as typed into a search box |
| `user.city=Oslo` | a field of the record that `user`, a `Ref`, leads to |
| `iata=null` | no value; `iata!=null`: any value |
| `city='"Washington, DC"'` | in double quotes (as JSON has them) text stands for itself: commas, spaces, `null` |
| `city=` | the empty text |
| `address.city=Oslo` | a field of an `Embedded` model |

## Where things come from

What comes first counts.

| | the keyspace | the models |
|---|---|---|
| option | `--url redis://localhost` | `--models app.models`, again for more |
| environment | `REDMODEL_URL` | `REDMODEL_MODELS=app.models,app.jobs:Job` |
| `[tool.redmodel]` in `./pyproject.toml` | `url = "redis://localhost"` | `models = ["app.models"]` |
| else | the embedded store `./redmodel-data` | none |

The models of the demo are always known. A model is never made from what is found in a keyspace: you name its module,
which is imported from the working directory or wherever Python finds it. Without it, `tree` still names models and
indexes, by what they wrote at `prefix@schema`.

## Output

A table on a terminal, fitted to its width; aligned text without colour, whole, anywhere else. `NO_COLOR` is honoured.
`--json` is one document, `--nl` a JSON document on each line, `--csv` has a header; all three are UTF-8. Data goes to
stdout, everything else to stderr.

Keys are written so that `show` takes them back: `\\xNN` for a byte that is no text, or that would move the cursor or
turn the direction of writing, and `\\\\` for a backslash.

`bytes` is what `MEMORY USAGE` says, which is an estimate for large collections; a dash where the server has no such
command. Without it, percentages are shares of the keys.

## Exit codes

| code | |
|---|---|
| 0 | done |
| 1 | differences were found |
| 2 | wrong usage, no such key or model, a condition that can't be answered, wrong password |
| 3 | the server can't be reached |
| 130 | stopped with Ctrl-C; `tree` shows what it had counted, `index` also where to go on |

Errors are one line, without passwords. `REDMODEL_DEBUG=1` adds where they come from.
"""


def page() -> str:
    """The page as Markdown."""
    parts = [_OPENING.format(typer=typer.__version__), _help([])]
    for command in app.registered_commands:
        name = str(command.name or getattr(command.callback, "__name__", ""))
        parts += [f"## redmodel {name}\n", _help([name])]
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands if group.typer_instance else ():
            name = f"{group.name} {command.name}"
            parts += [f"## redmodel {name}\n", _help(name.split())]
    return "\n".join([*parts, _NOTES])


def _help(command: list[str]) -> str:
    said = io.StringIO()
    with redirect_stdout(said):
        run([*command, "--help"])
    lines = [line.rstrip() for line in said.getvalue().strip("\n").splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```\n"


if __name__ == "__main__":
    sys.stdout.write(page())
