"""The models of ``redmodel demo``, and its data: the airports of the ``airportsdata`` package."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from redmodel.cli.faults import Refused
from redmodel.model import Field, Indexed, Key, Model, Unique


class Position(BaseModel):
    """Where it is, in degrees; kept as JSON in one field."""

    lat: float
    lon: float


class Airport(Model, prefix="airports"):
    """An airport by its ICAO code."""

    icao: Key[str]
    iata: Unique[str | None] = Field(default=None)
    name: str
    city: Indexed[str]
    country: Indexed[str]
    subdivision: Indexed[str]
    elevation: Indexed[float]
    position: Position
    tz: Indexed[str]


class Visit(Model, prefix="visits", ttl=timedelta(hours=1)):
    """A visit, forgotten after an hour."""

    airport: Indexed[str]
    guest: str


def load() -> list[dict[str, Any]]:
    """The rows of airportsdata, about 28,000. Refused if the package is missing."""
    try:
        import airportsdata
    except ImportError:
        raise Refused("the demo needs its data: pip install 'redmodel[demo]'") from None
    return [dict(row) for row in airportsdata.load("ICAO").values()]


def airports(rows: list[dict[str, Any]]) -> Iterator[Airport]:
    """The rows as records; no IATA code is None, so that many may have none."""
    for row in rows:
        yield Airport(
            icao=row["icao"],
            iata=row["iata"] or None,
            name=row["name"],
            city=row["city"],
            country=row["country"],
            subdivision=row["subd"],
            elevation=row["elevation"],
            position=Position(lat=row["lat"], lon=row["lon"]),
            tz=row["tz"],
        )
