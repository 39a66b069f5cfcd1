"""The indexes of a model: which there are, the entries that a record holds, and the tokens and scores of queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, PydanticUserError
from pydantic.errors import PydanticUndefinedAnnotation

from redmodel.errors import EncodingError, QueryError, SchemaError
from redmodel.model.codec import FieldCodec
from redmodel.model.expressions import METHOD_NAMES
from redmodel.model.fields import Codec, EmbeddedMark, GeoMark, IndexMark, OnDelete, Rule, TextMark, marks_of
from redmodel.model.leaves import Leaf, folded, geo_leaf, item_schema, leaf_of
from redmodel.model.ordered import OrderedMark
from redmodel.model.shapes import Core, ModelShape, accepts_none, peel
from redmodel.model.tokens import NULL, TOKEN_LIMIT, ordered_token, score_of
from redmodel.model.words import PLAIN, Analyzer

SET = b"="
RANGE = b"#"
UNIQUE = b"!"
ORDERED = b"<"

Kind: TypeAlias = Literal["set", "range", "unique", "composite", "text", "ordered", "geo"]

SCORED = frozenset({"composite", "text"})
"""The kinds whose entries with a token stand in a sorted set of that token."""

Step: TypeAlias = tuple[str, bool]

IndexKind: TypeAlias = IndexMark | TextMark | Analyzer
"""What a field says of its index; an Analyzer says that it is one of words."""


Entry: TypeAlias = tuple[bytes, bytes, bytes, bytes]
"""One entry that a record holds, as ``(kind, path, token, score)``: in the set of a token (``=``), in a sorted set at a
score (``#``), in the hash of unique values (``!``), or by its text, the token, among others in
order (``<``). A bare tuple: a record has many, a class costs seven times."""

_EXACT = 1 << 53


class Index:
    """One index of a model. ``position`` is its field's; ``many`` says that a record may hold several entries."""

    __slots__ = (
        "_compute",
        "_leaf",
        "_model",
        "_null",
        "_steps",
        "entries",
        "kind",
        "many",
        "nullable",
        "on_delete",
        "path",
        "path_bytes",
        "position",
        "positions",
    )

    path: str
    kind: Kind

    def __init__(
        self,
        *,
        model: str,
        path: str,
        kind: Kind,
        position: int,
        nullable: bool,
        many: bool,
        leaf: Leaf,
        steps: tuple[Step, ...],
        compute: Callable[[Any], Any] | None = None,
        positions: frozenset[int] | None = None,
    ) -> None:
        self.path = path
        self.kind = kind
        self.position = position
        self.positions = frozenset((position,)) if positions is None else positions
        """Those of all fields that its entries are made of."""
        self.nullable = nullable
        self.many = many
        self._model = model
        self._leaf = leaf
        self._steps = steps
        self._compute = compute
        self.path_bytes = path.encode()
        """The path as keys and logs spell it."""
        self.on_delete: OnDelete | None = None
        """Of a reference: what a delete of the record that it leads to does."""
        self._null: Entry = (SET, self.path_bytes, NULL, b"")
        self.entries: Callable[[Any], list[Entry]] = self._extractor()
        """The entries of a record. Raises EncodingError for a value that has no place in the index (NaN, 2**53 + 1)."""

    def __repr__(self) -> str:
        return f"<Index {self._model}.{self.path} {self.kind}>"

    @property
    def where(self) -> str:
        """The model and the path, as errors name them."""
        return f"{self._model}.{self.path}"

    @property
    def plain_field(self) -> str | None:
        """The field whose value is the indexed value itself; None for what lies deeper, or where there are several."""
        return self._steps[0][0] if len(self._steps) == 1 and not self.many and self._compute is None else None

    @property
    def sortable(self) -> bool:
        """Whether the stored text of the values has their own order, so that records can be sorted by it."""
        return len(self._steps) == 1 and not self.many and self._leaf.kind in ("str", "bool", "uuid")

    @property
    def target(self) -> type[Any] | None:
        """The model that a reference leads to; None for an index of plain values."""
        return self._leaf.target

    @property
    def type_name(self) -> str:
        """The type of the indexed values, as the schema key shows it: ``int``, ``str``, ``datetime``."""
        return self._leaf.kind

    @property
    def meaning(self) -> bytes:
        """What its entries mean: two versions of a model have the same index if this is the same."""
        places = "" if self.places is None else f"({self.places})"
        return f"{self.kind} {self.type_name}{places}{' many' if self.many else ''}".encode()

    def token(self, value: object) -> bytes:
        """The token of a value in a query, or of one item of a collection. Raises QueryError."""
        return NULL if value is None else self._leaf.token(self.text(self.read(value)))

    def stored_token(self, value: Any) -> bytes:
        """The token of a value of the field's type."""
        return self._leaf.token(self._leaf.text(value))

    def score(self, value: object) -> bytes:
        """The score of a value in a query. Raises QueryError."""
        if value is None:
            raise QueryError(f"{self._model}.{self.path}: nothing is above or below None; use == None or != None.")
        if self.kind != "range":
            raise QueryError(f"{self._model}.{self.path} has no order: it is indexed by equality. Use ==, != or in_().")
        try:
            return score_of(self.number(self.read(value)))
        except ValueError as error:
            raise QueryError(f"{self._model}.{self.path} can't be compared with this value: {error}.") from error

    def place(self, value: object) -> bytes:
        """The place of a query's value among texts in order. Raises QueryError."""
        if value is None:
            raise QueryError(f"{self.where}: nothing is above or below None; use == None or != None.")
        return ordered_token(self.text(self.read(value)))

    def read(self, value: object) -> Any:
        """A value from a query, as the field's type. Raises QueryError."""
        return self._leaf.read(value, f"{self._model}.{self.path}")

    def text(self, value: Any) -> bytes:
        """What tells values apart, of any length; equal values have the same. For a value of the field's type."""
        try:
            return self._leaf.text(value)
        except (ValueError, EncodingError) as error:
            raise QueryError(f"{self._model}.{self.path} can't be compared with this value: {error}.") from error

    def number(self, value: Any) -> Any:
        """What orders values, exactly. For a value of the field's type, on a range index."""
        assert self._leaf.number is not None
        return self._leaf.number(value)

    @property
    def places(self) -> int | None:
        """The decimal places of Decimals that are indexed as whole numbers of the smallest unit."""
        return self._leaf.places

    def values(self, obj: Any) -> list[Any]:
        """The indexed values of a record: none, one, or as many as its collections hold."""
        found = [obj]
        for name, many in self._steps:
            if self._compute is not None:
                found = [self._compute(obj)]
            else:
                found = [None if owner is None else owner.__dict__[name] for owner in found]
            if many:
                found = [item for items in found for item in ((None,) if items is None else items)]
        return found

    def _extractor(self) -> Callable[[Any], list[Entry]]:
        """The shortest way from a record to its entries that this index allows."""
        entry = self._entry_maker()
        first, *more = (name for name, _ in self._steps)
        if self.kind == "ordered":
            return self._ordered_entries
        if self._compute is not None:
            return lambda obj: _distinct([entry(value) for value in self.values(obj)])
        if not more and not self.many:
            return lambda obj: [entry(obj.__dict__[first])]
        if len(more) == 1 and not self.many:
            second = more[0]

            def embedded(obj: Any) -> list[Entry]:
                owner = obj.__dict__[first]
                return [entry(None if owner is None else owner.__dict__[second])]

            return embedded
        if more:
            return lambda obj: _distinct([entry(value) for value in self.values(obj)])

        def items(obj: Any) -> list[Entry]:
            values = obj.__dict__[first]
            if values is None:
                return [entry(None)]
            found = [entry(value) for value in values]
            return found if len(found) < 2 or len(set(values)) == len(found) else _distinct(found)

        return items

    def _ordered_entries(self, obj: Any) -> list[Entry]:
        (value,) = self.values(obj)
        entry = self._make(value)
        return [entry] if value is None else [entry, (ORDERED, self.path_bytes, ordered_token(self.text(value)), b"")]

    def _entry_maker(self) -> Callable[[Any], Entry]:
        """A function from one value to its entry: a short cut for the plainest values, ``_make`` for all others."""
        careful, path, kind = self._make, self.path_bytes, SET if self.kind == "set" else UNIQUE
        if self._leaf.kind == "str":

            def text_entry(value: Any) -> Entry:
                if type(value) is str and "~" not in value and value.isprintable():
                    token = value.encode()
                    if len(token) <= TOKEN_LIMIT:
                        return kind, path, token, b""
                return careful(value)

            return text_entry
        if self._leaf.kind == "bool" and self.kind == "set":
            no, yes = (kind, path, b"0", b""), (kind, path, b"1", b"")
            return lambda value: yes if value is True else no if value is False else careful(value)
        if self._leaf.kind == "int" and self.kind == "range":

            def number_entry(value: Any) -> Entry:
                if type(value) is int and -_EXACT <= value <= _EXACT:
                    return RANGE, path, b"", b"%d" % value
                return careful(value)

            return number_entry
        return careful

    def _make(self, value: Any) -> Entry:
        if value is None:
            return self._null
        path = self.path_bytes
        try:
            if self.kind in ("range", "geo"):
                return RANGE, path, b"", score_of(self.number(value))
            return UNIQUE if self.kind == "unique" else SET, path, self._leaf.token(self._leaf.text(value)), b""
        except EncodingError:
            raise
        except Exception as error:
            raise EncodingError(
                f"{self._model}.{self.path} can't index this {type(value).__name__}: {error}.",
                model=self._model,
                field=self.path,
                value=value,
            ) from error


def _distinct(entries: list[Entry]) -> list[Entry]:
    return list(dict.fromkeys(entries))


def find_indexes(model: ModelShape, positions: dict[str, int]) -> list[Index]:
    """Every index that a model and its embedded models declare. Raises SchemaError for those that can't work."""
    return list(_walk(model, model.cls, model.fields, positions, (), (model.cls,), None, False))


def computed_index(
    model: ModelShape, name: str, schema: Core, position: int, mark: IndexKind, compute: Callable[[Any], Any]
) -> Index:
    """The index of a computed field. Raises SchemaError if there can be none."""
    items = item_schema(schema, model)
    where = f"{model.cls.__name__}.{name}"
    empty = accepts_none(schema, model.by_reference)
    return _index(model, name, schema, items, ((name, items is not None),), position, empty, mark, where, compute)


def _walk(
    model: ModelShape,
    cls: type[BaseModel],
    fields: dict[str, Core],
    positions: dict[str, int],
    steps: tuple[Step, ...],
    owners: tuple[type[BaseModel], ...],
    position: int | None,
    nullable: bool,
) -> Iterator[Index]:
    for name, info in cls.__pydantic_fields__.items():
        marks = marks_of(info.metadata)
        indexed = [mark for mark in marks if isinstance(mark, IndexMark | TextMark | GeoMark)]
        analyzer = next((mark for mark in marks if isinstance(mark, Analyzer)), None)
        embedded = any(isinstance(mark, EmbeddedMark) for mark in marks)
        where = ".".join([model.cls.__name__, *(step[0] for step in steps), name])
        rule = next((entry for entry in info.metadata if isinstance(entry, Rule)), None)
        if analyzer is not None and TextMark() not in marks:
            raise SchemaError(f"{where} has an Analyzer, and is no Text: declare Annotated[Text[str], Analyzer(...)].")
        if not indexed and not embedded:
            if rule is not None:
                raise SchemaError(f"{where} has on_delete={rule.on_delete!r}, and is no Ref or Refs.")
            continue
        schema = fields[name]
        at = positions[name] if position is None else position
        empty = nullable or accepts_none(schema, model.by_reference)
        items = item_schema(schema, model)
        path = (*steps, (name, items is not None))
        if steps and name in METHOD_NAMES:
            raise SchemaError(
                f"{where}: an embedded field of this name is hidden by FieldRef.{name}; rename it, or alias it."
            )
        if indexed and embedded:
            raise SchemaError(f"{where} is both indexed and embedded; a nested model is not indexed as a whole.")
        if len(indexed) > 1:
            raise SchemaError(f"{where} is indexed twice; Unique alone is enough, and so are Text and Geo.")
        if indexed:
            mark = indexed[0] if analyzer is None else analyzer
            if isinstance(mark, GeoMark):
                index = _geo_index(model, schema, path, at, empty, where)
            else:
                index = _index(model, name, schema, items, path, at, empty, mark, where)
            if rule is not None:
                index.on_delete = _checked(rule.on_delete, index, any(isinstance(mark, Codec) for mark in marks), where)
            yield index
        else:
            inner = peel(items if items is not None else schema, model.by_reference)
            if inner["type"] != "model" or inner.get("root_model"):
                raise SchemaError(f"{where} is embedded, but it is no single Pydantic model (or a list of them).")
            nested: type[BaseModel] = inner["cls"]
            if nested in owners:
                raise SchemaError(f"{where} embeds {nested.__name__} inside itself: its indexes would never end.")
            _complete(nested, where)
            deeper = _model_fields(inner)
            yield from _walk(model, nested, deeper, positions, path, (*owners, nested), at, empty)


def _checked(on_delete: OnDelete, index: Index, plugged: bool, where: str) -> OnDelete:
    """What a reference declares for deletes. Raises SchemaError for what can't be kept."""
    if on_delete not in ("restrict", "cascade", "set_null"):
        raise SchemaError(f"{where}: on_delete is 'restrict', 'cascade' or 'set_null', not {on_delete!r}.")
    if index.target is None:
        raise SchemaError(f"{where} has on_delete={on_delete!r}, and is no Ref or Refs.")
    if plugged:
        raise SchemaError(
            f"{where} has a Codec, so its on_delete can't be kept: its text is known to this program only."
        )
    if on_delete == "set_null" and (index.plain_field is None or not index.nullable):
        raise SchemaError(
            f"{where} can't be set to None: on_delete='set_null' is for a field of the model itself, Ref[... | None]. "
            f"For a list of references, or one inside a nested model, choose 'restrict' or 'cascade'."
        )
    return on_delete


def _complete(nested: type[BaseModel], where: str) -> None:
    """A nested model may have been declared before the types that it names: its marks are known only after them."""
    try:
        nested.model_rebuild()
    except (PydanticUndefinedAnnotation, PydanticUserError) as error:
        raise SchemaError(f"{where}: {nested.__name__} names a type that is not defined (yet): {error}") from error


def _model_fields(inner: Core) -> dict[str, Core]:
    part = inner["schema"]
    while part["type"] != "model-fields":
        part = part["schema"]
    return {name: spec["schema"] for name, spec in part["fields"].items()}


def _index(
    model: ModelShape,
    name: str,
    schema: Core,
    items: Core | None,
    steps: tuple[Step, ...],
    position: int,
    nullable: bool,
    mark: IndexKind,
    where: str,
    compute: Callable[[Any], Any] | None = None,
) -> Index:
    many = any(step[1] for step in steps)
    unique = isinstance(mark, IndexMark) and mark.unique
    if unique and many:
        raise SchemaError(
            f"{where} can't be unique: it belongs to a collection, of which one record may hold many values."
        )
    leaf = leaf_of(name, schema if items is None else items, model, where)
    if not isinstance(mark, IndexMark):
        from redmodel.model.text_index import TextIndex

        if leaf.kind != "str":
            raise SchemaError(f"{where} has no words: Text is for str, str | None, and lists of str.")
        return TextIndex(
            analyzer=mark if isinstance(mark, Analyzer) else PLAIN,
            model=model.cls.__name__,
            path=".".join(step[0] for step in steps),
            position=position,
            nullable=nullable,
            many=many,
            leaf=leaf,
            steps=steps,
            compute=compute,
        )
    kind: Kind = "unique" if unique else "range" if leaf.number is not None and not many else "set"
    if isinstance(mark, OrderedMark):
        if leaf.kind != "str" or many:
            what = "a collection, or in one" if many else f"of type {leaf.kind}"
            raise SchemaError(
                f"{where} is {what}, and Ordered (or Folded) keeps single texts in order. Numbers, dates and times "
                f"have their order as Indexed; items of collections are indexed by equality."
            )
        kind, leaf = "ordered", folded(leaf) if mark.folded else leaf
    return Index(
        model=model.cls.__name__,
        path=".".join(step[0] for step in steps),
        kind=kind,
        position=position,
        nullable=nullable,
        many=many,
        leaf=leaf,
        steps=steps,
        compute=compute,
    )


def _geo_index(
    model: ModelShape, schema: Core, steps: tuple[Step, ...], position: int, nullable: bool, where: str
) -> Index:
    if any(step[1] for step in steps):
        raise SchemaError(f"{where} lies in a collection, and a sorted set keeps one place for each record.")
    return Index(
        model=model.cls.__name__,
        path=".".join(step[0] for step in steps),
        kind="geo",
        position=position,
        nullable=nullable,
        many=False,
        leaf=geo_leaf(schema, model, where),
        steps=steps,
    )


def check_plugs(codecs: Sequence[FieldCodec], indexes: Iterable[Index]) -> None:
    """Raise SchemaError for an index that would show what a Codec hides."""
    for index in indexes:
        plug = codecs[index.position].plug if index.position < len(codecs) else None
        if plug is not None and (index.kind in ("range", "geo") or not plug.index_plain):
            raise SchemaError(
                f"{codecs[0].model}.{index.path} has a Codec, and its index would show the value as it was before: "
                + (
                    "a range index can't have one."
                    if index.kind in ("range", "geo")
                    else "leave the index out, or allow that with Codec(..., index_plain=True)."
                )
            )


def check_side_keys(model: str, indexes: tuple[Index, ...]) -> None:
    """Raise SchemaError for a path of which the key is taken."""
    for index in indexes:
        # T@ids, T@log, T@expires and T@schema are ours; a range or unique index of that name would be the same key.
        if index.path in ("ids", "log", "expires", "schema"):
            raise SchemaError(
                f"{model}.{index.path}: an indexed field can't have this name, its key is taken. Rename it."
            )
