"""The examples in docstrings are run."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.house.source import MODULES, Module

WITH_EXAMPLES = [m for m in MODULES if ">>>" in m.text]


@pytest.mark.parametrize("module", WITH_EXAMPLES, ids=lambda m: m.relative)
def test_examples(module: Module, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.delenv("REDMODEL_URL", raising=False)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    # An example is a user's program: it does not inherit the module's `from __future__ import annotations`, which would
    # leave Pydantic with names that it can't look up in a doctest.
    loaded = importlib.import_module(module.name)
    outcome = doctest.testmod(loaded, optionflags=flags, extraglobs={"annotations": None})
    assert outcome.attempted
    assert not outcome.failed
