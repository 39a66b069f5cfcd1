"""Answering other clients while a script runs too long in the event loop's own thread.

The engine calls back now and then from inside the script; the loop then takes one turn inside of the one that it is in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import get_ident
from typing import Any

from redmodel.engine.engine import Engine


def answer_meanwhile(engine: Engine) -> Callable[[], None]:
    """From now on scripts that run too long in this thread let the loop take turns; returns how to end that."""
    turn = _turn(asyncio.get_running_loop())
    thread = get_ident()

    def meanwhile() -> None:
        if turn is not None and get_ident() == thread:
            turn()

    engine.scripting.meanwhile.append(meanwhile)
    return lambda: engine.scripting.meanwhile.remove(meanwhile)


def _turn(loop: Any) -> Callable[[], None] | None:
    """One turn of a loop of asyncio's own; None for others, whose clients have to wait."""
    if not hasattr(loop, "_run_once") or not hasattr(loop, "_ready"):
        return None

    def turn() -> None:
        left = len(loop._ready)
        loop.call_soon(_nothing)  # so that it does not wait
        loop._run_once()
        # The turn around this one has counted what it has to call, and must find as much.
        while len(loop._ready) < left:
            loop.call_soon(_nothing)

    return turn


def _nothing() -> None:
    """Make a loop go round."""
