# One command for each wish. Each makes its own .venv when it is missing or older than pyproject.toml; no root needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
PYTEST_ARGS ?= -n 2
DEMO_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench docs clean

help: ## what can be made here
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.ready-demo ## load 28,000 airports into an embedded store and ask it things
	$(BIN)/redmodel demo $(DEMO_ARGS)

test: $(VENV)/.ready-dev ## run the tests (PYTEST_ARGS="tests/house -k size" picks some)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.ready-dev ## lint, format and types, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright

format: $(VENV)/.ready-dev ## put imports and layout right
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready-dev ## measure against hand-written redis-py and fakeredis
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

docs: $(VENV)/.ready-docs ## build the documentation into site/
	$(BIN)/zensical build --clean

clean: ## remove what was built, not the .venv nor any data
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# pip that knows dependency groups (25.1) is newer than the one that many Pythons bring along.
$(VENV)/.pip: | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.ready-demo: pyproject.toml $(VENV)/.pip
	$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/.ready-dev: pyproject.toml $(VENV)/.pip
	$(PIP) install --editable '.[demo]' --group dev
	@touch $@ $(VENV)/.ready-demo

$(VENV)/.ready-docs: pyproject.toml $(VENV)/.pip
	$(PIP) install --editable . --group docs
	@touch $@
