"""How fields are declared: ``Indexed``, ``Unique``, ``Embedded``, ``Key``, ``TTL``, ``Codec`` and ``Field``.

To a type checker the first three are descriptors: on the class they give a :class:`FieldRef` (or the nested class), on
an instance the plain value. At run time each is ``Annotated[T, mark]``, so Pydantic sees ``T`` and nothing else.
What the marks mean is decided elsewhere; this file only declares them and finds them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeAlias, TypeVar, get_args, overload

import pydantic
from pydantic_core import PydanticUndefined

from redmodel.errors import SchemaError
from redmodel.model.expressions import FieldRef
from redmodel.model.words import Analyzer

V = TypeVar("V")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class IndexMark:
    """The run-time trace of ``Indexed`` (``unique=False``) and ``Unique``."""

    unique: bool


@dataclass(frozen=True, slots=True)
class TextMark:
    """The run-time trace of ``Text``."""


@dataclass(frozen=True, slots=True)
class EmbeddedMark:
    """The run-time trace of ``Embedded``."""


@dataclass(frozen=True, slots=True)
class GeoMark:
    """The run-time trace of ``Geo``."""


@dataclass(frozen=True, slots=True)
class VectorMark:
    """The run-time trace of ``Vector``, with the ``Dim`` that stands in it."""

    dim: Any


@dataclass(frozen=True, slots=True)
class KeyMark:
    """The run-time trace of ``Key``."""


@dataclass(frozen=True, slots=True, init=False)
class TTL:
    """Lets one field expire on its own, counted from the write that sets it.

    The field must be allowed to vanish: it needs a default, or must accept None.

    Args: any of days, hours, minutes, seconds, milliseconds; they add up. Raises SchemaError unless the sum is
    positive.

    >>> TTL(minutes=5).milliseconds
    300000
    """

    milliseconds: int

    def __init__(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0, milliseconds: float = 0
    ) -> None:
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
        object.__setattr__(self, "milliseconds", span_milliseconds(span, "TTL(...)"))


@dataclass(frozen=True, slots=True)
class ExpiresAt:
    """Makes a field the moment at which its record expires: ``ends: Annotated[datetime | None, ExpiresAt()]``.

    Saving or updating the field moves the record's time to live, None means never. A time without zone is read as UTC.
    """


OnDelete: TypeAlias = Literal["restrict", "cascade", "set_null"]
"""What becomes of a record when the one that it refers to is deleted: it forbids that, goes too, or refers to None."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What ``Field(on_delete=…)`` says of a reference."""

    on_delete: OnDelete


def span_milliseconds(span: timedelta | float, what: str) -> int:
    """Whole milliseconds of a time to live, a timedelta or seconds; SchemaError if it is not positive.

    ``what`` opens the error's text.
    """
    if isinstance(span, bool) or not isinstance(span, timedelta | int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SchemaError(f"{what} is {span!r}: a time to live is a timedelta or a number of seconds.")
    try:
        milliseconds = (span if isinstance(span, timedelta) else timedelta(seconds=span)) // timedelta(milliseconds=1)
    except (OverflowError, ValueError) as error:
        raise SchemaError(f"{what} is {span!r}: {error}.") from error
    if milliseconds < 1:
        raise SchemaError(f"{what} is {span}: a time to live must be at least one millisecond.")
    return milliseconds


@dataclass(frozen=True, slots=True, init=False)
class RenamedFrom:
    """Names under which older versions of the model stored a field: ``title: Annotated[str, RenamedFrom("name")]``.

    What stands under a former name is read, and wins over the new one, as an older version wrote it last; a save that
    writes the field clears the former names, and ``db.sync`` rewrites all records. Keep it until that is done.
    """

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, slots=True)
class Codec:
    """Passes the stored bytes of a field through functions of yours: encryption, compression.

    ``Annotated[str, Codec(zlib.compress, zlib.decompress)]``; ``encode`` gets the text that would be stored, and
    ``decode`` must give it back from what ``encode`` made. Each value is read back before it is written: EncodingError
    if it does not come back equal. A value that ``decode`` refuses is a DecodeError. A record that is saved unchanged
    keeps the bytes that it has, also where ``encode`` never makes the same bytes twice.

    Such a field can't be indexed, as its value would stand in the names of keys; ``index_plain=True`` allows an index
    by equality all the same. None is not encoded.

    >>> import zlib
    >>> Codec(zlib.compress, zlib.decompress).decode(zlib.compress(b"text"))
    b'text'
    """

    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]
    index_plain: bool = False


Mark: TypeAlias = (
    IndexMark
    | TextMark
    | GeoMark
    | VectorMark
    | Analyzer
    | EmbeddedMark
    | KeyMark
    | TTL
    | Codec
    | ExpiresAt
    | RenamedFrom
)

Key: TypeAlias = Annotated[V, KeyMark()]
"""Makes a field the record's id: ``icao: Key[str]``. The class then has no generated ``id``."""


if TYPE_CHECKING:

    class Indexed(Generic[V]):
        """Keeps an index for a field: ``age: Indexed[int]`` makes ``User.age >= 18`` a condition that can be answered.

        Numbers, dates and times get a range index, everything else an index by equality; of a list, set or tuple each
        item is indexed. Cost: one more entry in a Redis set or sorted set for each record (or item).
        """

        @overload
        def __get__(self, instance: None, owner: type[object]) -> FieldRef[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> FieldRef[V] | V: ...
        def __set__(self, instance: object, value: V) -> None: ...

    class Unique(Generic[V]):
        """Keeps a field's value unique among the living records: ``email: Unique[str]``. None may occur many times."""

        @overload
        def __get__(self, instance: None, owner: type[object]) -> FieldRef[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> FieldRef[V] | V: ...
        def __set__(self, instance: object, value: V) -> None: ...

    class Embedded(Generic[V]):
        """A nested model whose indexed fields can be asked for: ``address: Embedded[Address]``, ``User.address.city``.

        ``Embedded[list[Item]]`` indexes the fields of every item. The nested value is stored as JSON in one hash field.
        """

        @overload
        def __get__(self: Embedded[list[W]], instance: None, owner: type[object]) -> type[W]: ...
        @overload
        def __get__(self: Embedded[list[W] | None], instance: None, owner: type[object]) -> type[W]: ...
        @overload
        def __get__(self: Embedded[W | None], instance: None, owner: type[object]) -> type[W]: ...
        @overload
        def __get__(self, instance: None, owner: type[object]) -> type[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> Any: ...
        def __set__(self, instance: object, value: V) -> None: ...

else:

    class Indexed:
        """Keeps an index for a field: ``age: Indexed[int]``."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            return Annotated[annotation, IndexMark(unique=False)]

    class Unique:
        """Keeps a field's value unique among the living records: ``email: Unique[str]``."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            return Annotated[annotation, IndexMark(unique=True)]

    class Embedded:
        """A nested model whose own indexed fields can be asked for: ``address: Embedded[Address]``."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            return Annotated[annotation, EmbeddedMark()]


def Field(  # noqa: N802 - it stands where pydantic.Field stands
    *,
    default: Any = PydanticUndefined,
    default_factory: Callable[[], Any] | None = None,
    alias: str | None = None,
    alias_priority: int | None = None,
    validation_alias: str | pydantic.AliasPath | pydantic.AliasChoices | None = None,
    serialization_alias: str | None = None,
    title: str | None = None,
    description: str | None = None,
    examples: list[Any] | None = None,
    exclude: bool | None = None,
    deprecated: str | bool | None = None,
    discriminator: str | pydantic.Discriminator | None = None,
    json_schema_extra: Mapping[str, Any] | Callable[[dict[str, Any]], None] | None = None,
    frozen: bool | None = None,
    validate_default: bool | None = None,
    repr: bool = True,
    strict: bool | None = None,
    pattern: str | None = None,
    gt: Any = None,
    ge: Any = None,
    lt: Any = None,
    le: Any = None,
    multiple_of: float | None = None,
    allow_inf_nan: bool | None = None,
    max_digits: int | None = None,
    decimal_places: int | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    union_mode: Literal["smart", "left_to_right"] | None = None,
    on_delete: OnDelete | None = None,
) -> Any:
    """Pydantic's ``Field`` as type checkers can follow it beside ``Indexed[...]``: every argument by keyword.

    Args: those of :func:`pydantic.Field`; ``pydantic.Field`` itself works too. Of a reference also ``on_delete``:
    ``"restrict"``, ``"cascade"`` or ``"set_null"``, what a delete of the record that it leads to does.

    >>> Field(default=0, ge=0).default
    0
    """
    given = {
        name: value
        for name, value in locals().items()
        if value is not None and value is not PydanticUndefined and not (name == "repr" and value is True)
    }
    if default is None:
        given["default"] = None
    given.pop("on_delete", None)
    made = pydantic.Field(**given)
    if on_delete is not None:
        made.metadata.append(Rule(on_delete))
    return made


def marks_of(metadata: list[Any]) -> list[Mark]:
    """The marks among a field's metadata."""
    return [entry for entry in metadata if isinstance(entry, Mark)]


def buried_mark(annotation: Any) -> Mark | None:
    """A mark inside a union or a collection, where it can't work (``Indexed[str] | None``); None if there is none."""
    for argument in get_args(annotation):
        for entry in getattr(argument, "__metadata__", ()):
            if isinstance(entry, Mark):
                return entry
        if (found := buried_mark(argument)) is not None:
            return found
    return None
