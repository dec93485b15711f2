PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Touched once the environment holds what the lock says.
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help run test check soak bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) ## Load the demo graph into kgl.db and query it
	$(BIN)/kgl migrate
	$(BIN)/kgl import docs/demo/demo.ndjson
	$(BIN)/kgl stats
	$(BIN)/python docs/demo/queries.py

test: $(READY) ## Run the tests on all three stores
	$(BIN)/pytest

check: $(READY) ## Check format, style, types and architecture
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

soak: $(READY) ## Run the tests that take minutes
	$(BIN)/pytest -m soak

bench: $(READY) ## Measure the stores
	$(BIN)/python -m tests.benchmarks

# Universal, so that one lock serves every Python and platform kgl supports; UPGRADE=--upgrade
# takes the newest versions instead of keeping the locked ones.
lock: $(READY) ## Pin all dependencies again (UPGRADE=--upgrade for newer ones)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--extra postgres --extra service --group dev --custom-compile-command "make lock" $(UPGRADE) \
		--output-file requirements.lock pyproject.toml

clean: ## Remove the environment, the demo database and all caches
	rm -rf $(VENV) dist kgl.db* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ensurepip is what a Debian without python3-venv lacks: asking for it here saves a half-made environment.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "kgl needs Python 3.11 or newer with its venv module; on Debian: apt-get install make python3-venv" >&2; \
		echo "Another interpreter than $(PYTHON) can be named: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
