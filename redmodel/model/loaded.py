"""What a record remembers of its last read or save: the keyspace, the stored values, and the version.

The driver of a plan names the keyspace that the plan runs in; so records know where they come from without every plan
passing it on. A record keeps a bare tuple: there are many, and a class would cost as much as the decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TypeAlias

KEYSPACE: ContextVar[object] = ContextVar("redmodel_keyspace", default=None)
"""What the plan that is running now reads and writes; equal for handles on the same keyspace."""

Memory: TypeAlias = "tuple[object, Sequence[bytes | None], bytes | None]"
"""The keyspace, the stored form of each field, and the version of a record of a versioned model."""
