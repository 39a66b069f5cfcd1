"""Computed fields: worked out from the other fields at each save, kept in the hash and in indexes, never read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from pydantic import BaseModel, computed_field

from redmodel.errors import EncodingError, SchemaError
from redmodel.model.codec import FieldCodec
from redmodel.model.expressions import FieldRef
from redmodel.model.fields import IndexMark, TextMark
from redmodel.model.indexes import IndexKind
from redmodel.model.references import reference
from redmodel.model.shapes import ModelShape
from redmodel.model.texts import TextRef, Texts
from redmodel.model.words import PLAIN, Analyzer

V = TypeVar("V")
T = TypeVar("T", bound=Texts)


class ComputedProperty(property):
    """The property that ``computed`` makes: on the class it is a reference to the field, as ``Indexed`` gives."""

    mark: IndexKind | None = None
    depends_on: frozenset[str] | None = None

    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> Any:
        if instance is None and owner is not None and "__redmodel_references__" in owner.__dict__:
            function: Any = self.fget
            return reference(owner, function.__name__, text=isinstance(self.mark, TextMark | Analyzer))
        return super().__get__(instance, owner)


if TYPE_CHECKING:

    class Computed(Generic[V]):
        """What ``computed`` makes of a method: a value that is stored, and only read."""

        @overload
        def __get__(self, instance: None, owner: type[object]) -> Computed[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> Computed[V] | V: ...

    class ComputedIndex(Generic[V]):
        """The same with an index: on the class it is a ``FieldRef``."""

        @overload
        def __get__(self, instance: None, owner: type[object]) -> FieldRef[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> FieldRef[V] | V: ...

    class ComputedText(Generic[T]):
        """The same with its words: on the class it is a ``TextRef``."""

        @overload
        def __get__(self, instance: None, owner: type[object]) -> TextRef[T]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> T: ...
        def __get__(self, instance: object | None, owner: type[object]) -> TextRef[T] | T: ...


@overload
def computed(method: Callable[[Any], V], /) -> Computed[V]: ...
@overload
def computed(
    *, index: Literal[False] = ..., unique: Literal[False] = ..., depends_on: Iterable[str] | None = ...
) -> Callable[[Callable[[Any], V]], Computed[V]]: ...
@overload
def computed(
    *, index: Literal[True], unique: bool = ..., depends_on: Iterable[str] | None = ...
) -> Callable[[Callable[[Any], V]], ComputedIndex[V]]: ...
@overload
def computed(
    *, text: Literal[True] | Analyzer, depends_on: Iterable[str] | None = ...
) -> Callable[[Callable[[Any], T]], ComputedText[T]]: ...
@overload
def computed(
    *, unique: Literal[True], depends_on: Iterable[str] | None = ...
) -> Callable[[Callable[[Any], V]], ComputedIndex[V]]: ...
def computed(
    method: Callable[[Any], Any] | None = None,
    /,
    *,
    index: bool = False,
    unique: bool = False,
    text: bool | Analyzer = False,
    depends_on: Iterable[str] | None = None,
) -> Any:
    """Makes a method a field that is worked out anew at each save, stored in the hash, and ignored on reading.

    Pydantic's own ``computed_field`` is stored too, and indexed if its return type is ``Indexed[...]``; this one also
    gives type checkers what they need for ``User.domain == "example.org"``.

    Args:
        index: keep an index, so that queries can ask for it.
        unique: keep its value unique.
        text: keep its words, so that they can be searched; an `Analyzer` says how they are made.
        depends_on: the fields that it looks at, and no others: then ``update()`` and ``increment()``, which do not read
            the record, can tell what to write. Without it they refuse models with computed fields.

    The value must follow from the record's own fields alone.

    >>> from redmodel import Model
    >>> class Account(Model, prefix="computed-accounts"):
    ...     email: str
    ...     @computed(index=True, depends_on=["email"])
    ...     def domain(self) -> str:
    ...         return self.email.partition("@")[2]
    >>> Account(email="ada@example.org").domain
    'example.org'
    """

    def make(function: Callable[[Any], Any]) -> Any:
        made = ComputedProperty(function, doc=function.__doc__)
        made.mark = IndexMark(unique=unique) if index or unique else None
        if text is not False:
            made.mark = PLAIN if text is True else text
        made.depends_on = None if depends_on is None else frozenset(depends_on)
        return computed_field(made)

    return make if method is None else make(method)


@dataclass(frozen=True, slots=True)
class ComputedSpec:
    """One computed field: its name, in Python and in the hash, its place behind the other fields, and what it needs."""

    name: str
    stored: bytes
    position: int
    codec: FieldCodec
    mark: IndexKind | None
    depends_on: frozenset[str] | None
    function: Callable[[Any], Any]

    def value(self, obj: Any) -> Any:
        """Its value of a record, worked out anew. Raises EncodingError if it looks at a field that it does not name."""
        if self.depends_on is None:
            return self.function(obj)
        part: Any = object.__new__(obj.__class__)
        known = obj.__dict__
        object.__setattr__(part, "__dict__", {name: known[name] for name in self.depends_on if name in known})
        for name in ("__pydantic_extra__", "__pydantic_private__"):
            object.__setattr__(part, name, None)
        object.__setattr__(part, "__pydantic_fields_set__", set[str]())
        try:
            return self.function(part)
        except AttributeError as error:
            raise EncodingError(
                f"{self.codec.model}.{self.name} says that it depends on {', '.join(sorted(self.depends_on))}: {error}",
                model=self.codec.model,
                field=self.name,
            ) from error

    def write(self, obj: Any) -> bytes | None:
        """Its stored form. Raises EncodingError."""
        return self.codec.write(self.value(obj))


def adopt(cls: type[BaseModel]) -> None:
    """Lets a computed field of Pydantic's own that returns ``Indexed[...]`` be named in queries."""
    for name, decorator in cls.__pydantic_decorators__.computed_fields.items():
        found: Any = cls.__dict__.get(name)
        if type(found) is property and _mark(decorator.info.return_type) is not None:
            made = ComputedProperty(found.fget, found.fset, found.fdel, found.__doc__)
            made.mark = _mark(decorator.info.return_type)
            setattr(cls, name, made)


def read_computed(model: ModelShape, first: int) -> tuple[ComputedSpec, ...]:
    """The computed fields of a model; the first takes the position ``first``. Raises SchemaError."""
    found: list[ComputedSpec] = []
    for position, (name, schema) in enumerate(model.computed.items(), first):
        info = model.cls.__pydantic_decorators__.computed_fields[name].info
        wrapped: Any = info.wrapped_property
        mark, depends_on = _mark(info.return_type), None
        if isinstance(wrapped, ComputedProperty):
            mark, depends_on = wrapped.mark or mark, wrapped.depends_on
        unknown = sorted((depends_on or frozenset()) - model.fields.keys())
        if unknown:
            raise SchemaError(f"{model.cls.__name__}.{name}: depends_on names {', '.join(unknown)}, which is no field.")
        function: Any = wrapped.fget if isinstance(wrapped, property) else wrapped.func
        codec = FieldCodec(name, schema, model)
        found.append(ComputedSpec(name, name.encode(), position, codec, mark, depends_on, function))
    return tuple(found)


def _mark(returned: Any) -> IndexKind | None:
    kinds = (IndexMark, TextMark, Analyzer)
    marks = [entry for entry in getattr(returned, "__metadata__", ()) if isinstance(entry, kinds)]
    return marks[-1] if marks else None
