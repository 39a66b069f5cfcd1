"""How a command ends: exit codes, one-line errors without secrets or tracebacks, Ctrl-C and closed pipes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

CLEAN = 0
DIFFERENCES = 1
REFUSED = 2
UNREACHABLE = 3
INTERRUPTED = 130

DEBUG = "REDMODEL_DEBUG"
"""Environment variable: set it to see the traceback of an error."""

# What stands between "scheme://[user]:" and "@": the greedy form, as an unescaped password may itself hold "@" or "/".
_CREDENTIALS = re.compile(r"(://[^\s:@/]*):\S*@|([?&]password=)[^&\s]*")


class Refused(Exception):
    """A wish of the user that can't be met: its text is shown as it is, and the exit code is 2."""


def guard(body: Callable[[], int | None]) -> int:
    """Run a command's body and turn what it raises into a line on stderr and an exit code."""
    from redmodel.errors import AuthenticationFailed, ConnectionFailed, RedModelError

    try:
        code = body() or CLEAN
        sys.stdout.flush()
    except Refused as error:
        return say(str(error))
    except AuthenticationFailed as error:
        return say(str(error))
    except ConnectionFailed as error:
        return say(str(error), UNREACHABLE)
    except RedModelError as error:
        _debug()
        return say(str(error))
    except KeyboardInterrupt:
        return say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return quiet()
    except Exception as error:
        _debug()
        return say(f"{type(error).__name__}: {error} (set {DEBUG}=1 to see where)")
    return code


def say(text: str, code: int = REFUSED) -> int:
    """Write one line about an error to stderr and return the exit code."""
    from redmodel.cli.spelling import safe

    line = safe(without_secrets(re.sub(r"\s*\n\s*", " ", text.strip())))
    try:
        sys.stdout.flush()
        sys.stderr.write(f"redmodel: {line}\n")
    except OSError:
        return quiet()
    return code


def without_secrets(text: str) -> str:
    """The text without passwords of URLs in it, wherever the text comes from.

    >>> without_secrets("no such file: redis://ada:pa:ss@host/0")
    'no such file: redis://ada:***@host/0'
    """
    return _CREDENTIALS.sub(lambda match: f"{match[1]}:***@" if match[1] else f"{match[2]}***", text)


def quiet() -> int:
    """Nobody reads any more: end without a word, also from the interpreter when it closes the streams."""
    sink = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(sink, stream.fileno())
        except (OSError, ValueError):
            pass
    return CLEAN


def _debug() -> None:
    if os.environ.get(DEBUG):
        import traceback

        sys.stderr.write(without_secrets(traceback.format_exc()))
