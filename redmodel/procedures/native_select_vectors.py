"""The native twin of select_vectors.lua: how near the records' vectors are to another. It knows no bound."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import unpack

from redmodel.arithmetic.vectors import nearness
from redmodel.procedures.containers import hash_at
from redmodel.procedures.registry import Context

METRICS = {b"vc": "cosine", b"vd": "dot", b"ve": "euclidean"}


def _near(metric: str, ctx: Context, keys: list[bytes], source: bytes) -> Callable[[bytes], float | None]:
    records = keys[0][: -len(b"@ids")] + b":"
    field, _, packed = source.partition(b"\x00")
    vector = unpack(f"<{len(packed) // 8}d", packed)
    near = nearness(metric, vector)
    return lambda member: near(hash_at(ctx, records + member).get(field))


BY_NEARNESS = {kind: partial(_near, metric) for kind, metric in METRICS.items()}
"""The orders by nearness, by their kind."""
