"""What must be atomic, each thing twice: a Lua script for Redis and a native twin for the embedded engine.

This room knows nothing of models, plans or connections: keys and arguments come in as bytes, a reply goes out.
"""

from __future__ import annotations

from redmodel.procedures import native_select_ordered as _ordered
from redmodel.procedures import native_select_through as _through
from redmodel.procedures.native_aggregate import aggregate as _aggregate
from redmodel.procedures.native_cascade import cascade as _cascade
from redmodel.procedures.native_count import increment as _increment
from redmodel.procedures.native_explain import LOOK
from redmodel.procedures.native_explain import explain as _explain
from redmodel.procedures.native_find import ORDERS as _ORDERS
from redmodel.procedures.native_find import STRAIGHT as _STRAIGHT
from redmodel.procedures.native_find import find as _find
from redmodel.procedures.native_items import items as _items
from redmodel.procedures.native_mend import mend as _mend
from redmodel.procedures.native_save import save as _save
from redmodel.procedures.native_schema import define as _define
from redmodel.procedures.native_schema import reindex as _reindex
from redmodel.procedures.native_select import NODES as _NODES
from redmodel.procedures.native_select_words import beginning as _beginning
from redmodel.procedures.native_select_words import best_by_bm25 as _best_by_bm25
from redmodel.procedures.native_select_words import bm25 as _bm25
from redmodel.procedures.native_select_words import row as _row
from redmodel.procedures.native_transact import transact as _transact
from redmodel.procedures.native_walk import walk as _walk
from redmodel.procedures.native_words import tally as _tally
from redmodel.procedures.native_write import delete as _delete
from redmodel.procedures.native_write import purge as _purge
from redmodel.procedures.native_write import touch as _touch
from redmodel.procedures.registry import Context, Procedure, lua

_NODES[b"b"], _NODES[b"p"] = _beginning, _row
_ORDERS[b"bm25"], _STRAIGHT[b"bm25"] = _bm25, _best_by_bm25

_RICH: tuple[str, ...] = (_ordered.SCRIPT, _through.SCRIPT, "select_words", "select_places", "select_vectors")
"""Parts with further kinds of nodes and orders; in scripts of their own, so that plain queries do not pay for them."""

_FINDING = ("stream", "position", "pieces", "find")

AGGREGATE = Procedure("aggregate", _aggregate, lua("common", "ready", "select", "aggregate"))
AGGREGATE_RICH = Procedure("aggregate_rich", _aggregate, lua("common", "ready", "select", *_RICH, "aggregate"))
CASCADE = Procedure("cascade", _cascade, lua("common", "ready", "deleting", "cascade"))
DEFINE = Procedure("define", _define, lua("common", "define"))
DELETE = Procedure("delete", _delete, lua("common", "deleting", "delete"))
_READ = ("stream", "position", "pieces", "find")
EXPLAIN = Procedure("explain", _explain, lua("common", "trace", "ready", "select", *_RICH, *_READ, "traced"))
FIND = Procedure("find", _find, lua("common", "ready", "select", *_READ))
FIND_RICH = Procedure("find_rich", _find, lua("common", "ready", "select", *_RICH, *_READ))
INCREMENT = Procedure("increment", _increment, lua("common", "counting", "increment"))
ITEMS = Procedure("items", _items, lua("common", "items"))
MEND = Procedure("mend", _mend, lua("common", "mend"))
PURGE = Procedure("purge", _purge, lua("common", "purge"))
REINDEX = Procedure("reindex", _reindex, lua("common", "reindex"))
SAVE = Procedure("save", _save, lua("common", "saving", "save"))
TALLY = Procedure("tally", _tally, lua("common", "tally"))
TOUCH = Procedure("touch", _touch, lua("common", "touching", "touch"))
TRANSACT = Procedure("transact", _transact, lua("common", "saving", "deleting", "counting", "touching", "transact"))
WALK = Procedure("walk", _walk, lua("common", "ready", "select", *_RICH, "pieces", "walk"))

ALL: tuple[Procedure, ...] = (
    AGGREGATE,
    AGGREGATE_RICH,
    CASCADE,
    DEFINE,
    DELETE,
    EXPLAIN,
    FIND,
    FIND_RICH,
    INCREMENT,
    ITEMS,
    MEND,
    PURGE,
    REINDEX,
    SAVE,
    TALLY,
    TOUCH,
    TRANSACT,
    WALK,
)
BY_SHA: dict[bytes, Procedure] = {procedure.sha: procedure for procedure in ALL}

__all__ = [
    "AGGREGATE",
    "AGGREGATE_RICH",
    "ALL",
    "BY_SHA",
    "CASCADE",
    "DEFINE",
    "DELETE",
    "EXPLAIN",
    "FIND",
    "FIND_RICH",
    "INCREMENT",
    "ITEMS",
    "LOOK",
    "MEND",
    "PURGE",
    "REINDEX",
    "SAVE",
    "TALLY",
    "TOUCH",
    "TRANSACT",
    "WALK",
    "Context",
    "Procedure",
]
