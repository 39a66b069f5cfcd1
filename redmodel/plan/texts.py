"""How searches of texts and orders by rank become words of a query's program."""

from __future__ import annotations

from redmodel.model import Rank, Search
from redmodel.model.text_query import Beginning, Every, Phrase, Wanted, Without, Word, leaves_of
from redmodel.model.words import GAP
from redmodel.plan.program import Program

BLANK = b"[^ |]+"
"""What stands for a gap in a phrase: any one word. It means the same to Lua and to Python."""


def search_words(program: Program, search: Search) -> list[bytes]:
    """The node of a search."""
    return _node(program, search.wanted(program.index))


def _key(program: Program, path: str, token: str | None = None) -> bytes:
    end = b"" if token is None else b":" + token.encode()
    return program.place_of(program.schema.side + path.encode() + end)


def _node(program: Program, wanted: Wanted) -> list[bytes]:
    if isinstance(wanted, Word):
        return [b"#", _key(program, wanted.path, wanted.token), b"-inf", b"+inf"]
    if isinstance(wanted, Beginning):
        return [b"b", _key(program, wanted.path, "~words"), wanted.start.encode()]
    if isinstance(wanted, Phrase):
        words: dict[str, None] = dict.fromkeys(token for token in wanted.tokens if token != GAP)
        nodes = [_node(program, Word(wanted.path, word)) for word in words]
        gaps = b"1" if GAP in wanted.tokens else b"0"
        row = b" ".join(BLANK if token == GAP else token.encode() for token in wanted.tokens)
        return program.join(b"&", [*nodes, [b"p", _key(program, wanted.path), gaps, b" " + row + b" "]])
    if isinstance(wanted, Without):
        return [b"~", *_node(program, wanted.part)]
    nodes = [_node(program, part) for part in wanted.parts]
    return program.join(b"&" if isinstance(wanted, Every) else b"|", nodes)


def rank_words(program: Program, rank: Rank) -> tuple[bytes, bytes]:
    """The kind and the source of an order by rank: what counts, each with its keys and its weight.

    ``w`` text-key word-key weight, ``b`` vocabulary-key beginning weight, parted by blanks.
    """
    assert rank.search is not None
    weights = dict(rank.search.fields)
    terms: dict[Word | Beginning, None] = {}
    for leaf in leaves_of(rank.search.wanted(program.index)):
        if isinstance(leaf, Phrase):
            terms |= dict.fromkeys(Word(leaf.path, token) for token in leaf.tokens if token != GAP)
        else:
            terms[leaf] = None
    words: list[bytes] = []
    for term in terms:
        weight = repr(weights[term.path]).encode()
        if isinstance(term, Word):
            words += (b"w", _key(program, term.path), _key(program, term.path, term.token), weight)
        else:
            words += (b"b", _key(program, term.path, "~words"), term.start.encode(), weight)
    return b"bm25", b" ".join(words)
