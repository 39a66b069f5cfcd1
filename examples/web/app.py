"""A book catalogue over HTTP: FastAPI on redmodel.

Run it from the root of the repository:

    uvicorn examples.web.app:app

It keeps its data in `./redmodel-data`; with `REDMODEL_URL=redis://localhost` in the environment, on a Redis.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from redmodel import (
    AsyncDatabase,
    Conflict,
    ConnectionFailed,
    EncodingError,
    Field,
    Indexed,
    InvalidId,
    Model,
    NotFound,
    Unique,
    UniqueViolation,
)


class BookIn(BaseModel):
    """What a client sends to create a book: the id is ours."""

    isbn: Unique[str] = Field(pattern=r"^[0-9]{13}$")
    title: str = Field(min_length=1, max_length=200)
    author: Indexed[str]
    year: Indexed[int] = Field(ge=1450, le=2100)
    tags: Indexed[list[str]] = Field(default_factory=list)


class Book(Model, BookIn, prefix="books"):
    """The record: what the client sent, and an id."""


class BookChange(BaseModel):
    """What a client sends to change a book: only what is to be changed."""

    title: str = Field(default="", min_length=1, max_length=200)
    author: str = ""
    year: int = Field(default=0, ge=1450, le=2100)
    tags: list[str] = Field(default_factory=list)


class BookPage(BaseModel):
    """One page of a listing."""

    items: list[Book]
    total: int
    page: int
    pages: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """One handle for the life of the application: opened before the first request, closed after the last one."""
    async with AsyncDatabase() as db:
        app.state.db = db
        yield


def handle(request: Request) -> AsyncDatabase:
    """The one dependency: yields the handle, also to tests that override it."""
    db: AsyncDatabase = request.app.state.db
    return db


Db = Annotated[AsyncDatabase, Depends(handle)]
app = FastAPI(title="Books", lifespan=lifespan)


@app.post("/books", status_code=201)
async def create(fields: BookIn, db: Db, response: Response) -> Book:
    book = Book(**fields.model_dump())
    await db.save(book, only_if="new")
    response.headers["location"] = f"/books/{book.id}"
    return book


@app.get("/books")
async def search(
    db: Db,
    author: str | None = None,
    tag: str | None = None,
    since: int | None = None,
    before: int | None = None,
    sort: Literal["year", "-year", "id"] = "id",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
) -> BookPage:
    books = db.find(Book)
    if author is not None:
        books = books.where(Book.author == author)
    if tag is not None:
        books = books.where(Book.tags.contains(tag))
    if since is not None:
        books = books.where(Book.year >= since)
    if before is not None:
        books = books.where(Book.year < before)
    if sort != "id":
        books = books.order_by(-Book.year if sort == "-year" else Book.year)
    found = await books.page(page, size=size)  # the page and the total: one round trip
    return BookPage(items=found.items, total=found.total, page=found.number, pages=found.pages)


@app.get("/books/{id}")
async def read(id: str, db: Db) -> Book:
    return await db.get(Book, id)


@app.patch("/books/{id}")
async def update(id: str, change: BookChange, db: Db) -> Book:
    book = await db.get(Book, id)
    for name, value in change.model_dump(exclude_unset=True).items():
        setattr(book, name, value)
    await db.save(book, only_if="exists")  # sends what changed, so two clients may change different fields at once
    return book


@app.delete("/books/{id}", status_code=204)
async def remove(id: str, db: Db) -> None:
    if not await db.delete(Book, id):
        raise NotFound(f"there is no Book {id!r}")


# The errors of the database as answers of the web: written once, so no endpoint catches anything.


@app.exception_handler(NotFound)
async def not_found(request: Request, error: NotFound) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


@app.exception_handler(InvalidId)
async def invalid_id(request: Request, error: InvalidId) -> JSONResponse:
    return JSONResponse({"detail": "no book has such an id"}, 404)


@app.exception_handler(Conflict)
async def conflict(request: Request, error: Conflict) -> JSONResponse:
    taken = f"this {error.field} is taken" if isinstance(error, UniqueViolation) else str(error)
    return JSONResponse({"detail": taken}, 409)


@app.exception_handler(EncodingError)
async def cannot_be_stored(request: Request, error: EncodingError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


@app.exception_handler(ConnectionFailed)
async def unavailable(request: Request, error: ConnectionFailed) -> JSONResponse:
    return JSONResponse({"detail": "the database can't be reached"}, 503)
