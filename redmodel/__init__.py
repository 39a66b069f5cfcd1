"""Pydantic models on plain Redis, typed and indexed, sync and asyncio; and on an embedded engine without a server."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redmodel.database.database import Database
    from redmodel.database.database_async import AsyncDatabase
    from redmodel.database.query import AsyncQuery, Query
    from redmodel.database.scan import AsyncScan, Scan
    from redmodel.database.transaction import AsyncTransaction, Transaction
    from redmodel.errors import (
        AlreadyExists,
        AuthenticationFailed,
        BulkError,
        Conflict,
        ConnectionFailed,
        DecodeError,
        EncodingError,
        IndexNotReady,
        InvalidCursor,
        InvalidId,
        InvalidUrl,
        LayoutError,
        MultipleFound,
        NotFound,
        NotLoaded,
        QueryError,
        ReadOnly,
        RedModelError,
        ReplyError,
        Restricted,
        SchemaError,
        StaleWrite,
        StorageError,
        StoreDamaged,
        StoreLocked,
        UnindexedField,
        UniqueViolation,
        WrongType,
    )
    from redmodel.model import (
        TTL,
        Analyzer,
        Codec,
        Condition,
        Dim,
        Embedded,
        ExpiresAt,
        Field,
        FieldRef,
        Folded,
        Geo,
        GeoRef,
        Indexed,
        Key,
        Link,
        Model,
        Order,
        Ordered,
        Point,
        Ref,
        Refs,
        RenamedFrom,
        Text,
        TextRef,
        Unique,
        Vector,
        VectorRef,
        after_delete,
        after_save,
        before_delete,
        before_save,
        computed,
        migration,
        search,
        via,
    )
    from redmodel.plan.check_report import CheckReport
    from redmodel.plan.cursor import CursorPage
    from redmodel.plan.explain import Explanation
    from redmodel.plan.find import Page
    from redmodel.plan.status import StatusReport, SyncReport

__all__ = [
    "TTL",
    "AlreadyExists",
    "Analyzer",
    "AsyncDatabase",
    "AsyncQuery",
    "AsyncScan",
    "AsyncTransaction",
    "AuthenticationFailed",
    "BulkError",
    "CheckReport",
    "Codec",
    "Condition",
    "Conflict",
    "ConnectionFailed",
    "CursorPage",
    "Database",
    "DecodeError",
    "Dim",
    "Embedded",
    "EncodingError",
    "ExpiresAt",
    "Explanation",
    "Field",
    "FieldRef",
    "Folded",
    "Geo",
    "GeoRef",
    "IndexNotReady",
    "Indexed",
    "InvalidCursor",
    "InvalidId",
    "InvalidUrl",
    "Key",
    "LayoutError",
    "Link",
    "Model",
    "MultipleFound",
    "NotFound",
    "NotLoaded",
    "Order",
    "Ordered",
    "Page",
    "Point",
    "Query",
    "QueryError",
    "ReadOnly",
    "RedModelError",
    "Ref",
    "Refs",
    "RenamedFrom",
    "ReplyError",
    "Restricted",
    "Scan",
    "SchemaError",
    "StaleWrite",
    "StatusReport",
    "StorageError",
    "StoreDamaged",
    "StoreLocked",
    "SyncReport",
    "Text",
    "TextRef",
    "Transaction",
    "UnindexedField",
    "Unique",
    "UniqueViolation",
    "Vector",
    "VectorRef",
    "WrongType",
    "after_delete",
    "after_save",
    "before_delete",
    "before_save",
    "computed",
    "migration",
    "search",
    "via",
]

# Imported when first asked for: the help of the command line, or an error's name alone, need no Pydantic, which takes
# longer to import than all else here.
_PLACES = (
    "redmodel.errors",
    "redmodel.model",
    "redmodel.plan.find",
    "redmodel.plan.cursor",
    "redmodel.plan.explain",
    "redmodel.plan.check_report",
    "redmodel.plan.status",
    "redmodel.database.query",
    "redmodel.database.scan",
    "redmodel.database.transaction",
    "redmodel.database.database",
    "redmodel.database.database_async",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module

        for place in _PLACES:
            module = import_module(place)
            if hasattr(module, name):
                value: object = getattr(module, name)
                globals()[name] = value
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
