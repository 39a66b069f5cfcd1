"""What a model is: its fields, keys, codecs, indexes and conditions. Pydantic only; no command, no I/O."""

from redmodel.model.base import Model, loaded_values, loaded_version, schema_of, set_loaded
from redmodel.model.composite import Composite
from redmodel.model.computed import computed
from redmodel.model.evolution import migration
from redmodel.model.expressions import (
    And,
    Compare,
    Condition,
    FieldCondition,
    FieldRef,
    Not,
    Operator,
    Or,
    Order,
    Through,
    comparisons,
    order_of,
    owner_of,
    path_of,
)
from redmodel.model.fields import TTL, Codec, Embedded, ExpiresAt, Field, Indexed, Key, RenamedFrom, Unique
from redmodel.model.geo import Distance, Geo, GeoRef, Inside, Point
from redmodel.model.hooks import after_delete, after_save, before_delete, before_save
from redmodel.model.ids import new_id
from redmodel.model.indexes import SCORED, Entry, Index
from redmodel.model.items import Items
from redmodel.model.links import Link
from redmodel.model.loaded import KEYSPACE
from redmodel.model.matching import matches
from redmodel.model.ordered import ANY, Folded, Ordered, OrderedRef, Pattern, require_order
from redmodel.model.references import reference
from redmodel.model.referrers import Rules, rules_of
from redmodel.model.refs import Ref, Refs, via
from redmodel.model.rules import VERSION
from redmodel.model.schema import FieldSpec, Schema
from redmodel.model.text_index import LENGTHS, TextIndex
from redmodel.model.texts import Rank, Search, Text, TextRef, search
from redmodel.model.tokens import NULL, TOKEN_LIMIT, ordered_token
from redmodel.model.vectors import Dim, Nearest, Vector, VectorRef
from redmodel.model.words import Analyzer

__all__ = [
    "ANY",
    "KEYSPACE",
    "LENGTHS",
    "NULL",
    "SCORED",
    "TOKEN_LIMIT",
    "TTL",
    "VERSION",
    "Analyzer",
    "And",
    "Codec",
    "Compare",
    "Composite",
    "Condition",
    "Dim",
    "Distance",
    "Embedded",
    "Entry",
    "ExpiresAt",
    "Field",
    "FieldCondition",
    "FieldRef",
    "FieldSpec",
    "Folded",
    "Geo",
    "GeoRef",
    "Index",
    "Indexed",
    "Inside",
    "Items",
    "Key",
    "Link",
    "Model",
    "Nearest",
    "Not",
    "Operator",
    "Or",
    "Order",
    "Ordered",
    "OrderedRef",
    "Pattern",
    "Point",
    "Rank",
    "Ref",
    "Refs",
    "RenamedFrom",
    "Rules",
    "Schema",
    "Search",
    "Text",
    "TextIndex",
    "TextRef",
    "Through",
    "Unique",
    "Vector",
    "VectorRef",
    "after_delete",
    "after_save",
    "before_delete",
    "before_save",
    "comparisons",
    "computed",
    "loaded_values",
    "loaded_version",
    "matches",
    "migration",
    "new_id",
    "order_of",
    "ordered_token",
    "owner_of",
    "path_of",
    "reference",
    "require_order",
    "rules_of",
    "schema_of",
    "search",
    "set_loaded",
    "via",
]
