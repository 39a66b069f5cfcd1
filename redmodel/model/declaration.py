"""Reads a class body before its class exists: does it declare an id, and can its fields have these names?"""

from __future__ import annotations

import re
import sys
from typing import Any

from redmodel.errors import SchemaError
from redmodel.model.fields import KeyMark
from redmodel.model.schema import key_fields

_KEY_IN_TEXT = re.compile(r"\bKey(Mark)?\b")


def annotations_of(namespace: dict[str, Any]) -> dict[str, Any]:
    """The annotations in a class body, unresolved ones as text."""
    if sys.version_info >= (3, 14):
        import annotationlib

        if (annotate := annotationlib.get_annotate_from_class_namespace(namespace)) is not None:
            return annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    found: dict[str, Any] = namespace.get("__annotations__", {})
    return found


def declares_id(bases: tuple[type[Any], ...], namespace: dict[str, Any]) -> bool:
    """Whether a class, or one of its bases, has an id of its own, as far as its annotations show."""
    for base in bases:
        if "id" in (fields := getattr(base, "__pydantic_fields__", {})) or (fields and key_fields(base)):
            return True
    annotations = annotations_of(namespace)
    return "id" in annotations or any(
        _KEY_IN_TEXT.search(str(getattr(annotation, "__forward_arg__", annotation))) is not None
        if isinstance(annotation, str) or hasattr(annotation, "__forward_arg__")
        else any(isinstance(entry, KeyMark) for entry in getattr(annotation, "__metadata__", ()))
        for annotation in annotations.values()
    )


def check_names(cls_name: str, namespace: dict[str, Any], base: type[Any]) -> None:
    """Raises SchemaError for names that no field can have, before Pydantic warns of them; ``base`` has those taken."""
    mangled = f"_{cls_name.lstrip('_')}__"
    for name, annotation in annotations_of(namespace).items():
        if name.startswith(("__", mangled)) and not (name.startswith("__") and name.endswith("__")):
            raise SchemaError(f"{cls_name}: a field can't start with two underscores ({name}).")
        if "ClassVar" in str(annotation) or name.startswith("_"):
            continue
        if name != "id" and hasattr(base, name):
            raise SchemaError(
                f"{cls_name}.{name}: every model has an attribute of this name. Rename the field, and keep the outer "
                f"name with an alias: {name}_: ... = Field(alias={name!r})."
            )
