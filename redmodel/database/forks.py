"""A child process must not speak on its parent's connections: transports say here what to forget after a fork.

Asked once per fork and not once per call: a process id costs a system call each time it is asked for.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forgetful(Protocol):
    """Something that holds connections."""

    def after_fork(self) -> None:
        """Drop every connection without a word on it; runs in the child."""
        ...


_all: WeakSet[Forgetful] = WeakSet()


def forget_after_fork(holder: Forgetful) -> None:
    """Call ``holder.after_fork()`` in every child process that is forked from now on."""
    _all.add(holder)


def _in_child() -> None:
    for holder in list(_all):
        holder.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
