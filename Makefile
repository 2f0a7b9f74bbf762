PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# A process that finds no compiled sources compiles 170 files when it starts, and a run twice as many.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo dev test test-slow bench tables clients docs check lock clean

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked versions into $(VENV) (a minute or two the first time)"
	@$(PIP) install --quiet -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: install
	@$(BIN)/lead-assets demo

dev: install
	@$(BIN)/lead-assets dev

# Three on two cores: a third of the time the tests wait, for a vendor's delay or a daemon's tick.
test: install
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow"

# What takes longest: a deployment on all three production stores, a real browser, kills, outages, every command of the README.
test-slow: install
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m slow

bench: install
	@$(BIN)/python -m benchmarks

# The lineage of marts from their SQL, then the table reference from the contracts.
tables: install
	@$(BIN)/python -m lead_assets.marts.lineage > /dev/null
	@$(BIN)/python -m lead_assets.contracts.reference > docs/TABLES.md
	@$(BIN)/python -m lead_assets.marts.metrics > docs/METRICS.md
	@$(BIN)/python -m lead_assets.rules.reference > docs/RULES.md

# What is made from the OpenAPI document: a typed Python client and a Postman collection.
clients: install
	@$(BIN)/python -m lead_assets.service.clients clients

# The documentation as a site in site/, built without network.
docs: tables
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/dg check defs

# Needs uv; --universal keeps one lock for CPython 3.11 to 3.13, and no package URL or index host is written.
lock:
	uv pip compile pyproject.toml --extra production --group dev --universal --python-version 3.11 --no-header --no-annotate --upgrade -o requirements.lock

clean:
	rm -rf $(VENV) .lead_assets
