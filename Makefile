PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# Touched once the environment holds what the lock says.
READY := $(VENV)/.ready

# Tests start kgl hundreds of times: each time, all of it would be compiled anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check soak bench lock clean

help: ## Show this list
	@echo "kgl, the backend of a knowledge graph. What you can do here:"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "While you work: make check, make test, and for one test, in seconds:"
	@echo
	@echo "  $(BIN)/pytest tests/contract/graph/test_entities.py::test_add_refuses_a_taken_key"
	@echo
	@echo "The times are for two cores. The first command also creates $(VENV), which takes a minute or two longer."
	@echo "It needs Python 3.11 or newer: on Debian, apt-get install make python3-venv. PYTHON=/path/to/python3 takes another."

run: export KGL_ENV := development
run: $(READY) ## Serve the API, with the demo graph in a new kgl.db, until Ctrl-C (PORT=8000, DATABASE_URL=...)
	@was=$$($(BIN)/kgl migrate) && echo "$$was" && case "$$was" in \
		*": empty →"*) $(BIN)/kgl import --atomic docs/demo/demo.ndjson ;; esac
	@echo
	@echo "Look at the API and try it out: http://127.0.0.1:$(PORT)/api/v1/docs, or in another terminal:"
	@echo
	@sed -n '/^    api=/,/^$$/{s/8000/$(PORT)/;p;}' README.md
	$(BIN)/kgl serve --port $(PORT)

test: $(READY) ## Run the tests on all three stores: ten minutes on two cores
	$(BIN)/pytest --numprocesses auto --dist worksteal

check: $(READY) ## Check format, style, types and import rules: half a minute
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

soak: $(READY) ## Run the tests that make test leaves out, because they take long: 20 minutes
	$(BIN)/pytest -m soak

bench: $(READY) ## Measure the stores and the service: half an hour and more
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	$(BIN)/python -m tests.benchmarks

# Universal, so that one lock serves every Python and platform kgl supports; UPGRADE=--upgrade
# takes the newest versions instead of keeping the locked ones. The two small locks are for the image: what the
# service needs, and what builds it, in the versions that are tested here.
PIN := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"
lock: $(READY) ## Pin all dependencies again (UPGRADE=--upgrade for newer ones)
	$(PIN) --extra postgres --extra service --group dev $(UPGRADE) --output-file requirements.lock pyproject.toml
	$(PIN) --extra postgres --extra service --upgrade --no-annotate --constraint requirements.lock \
		--output-file requirements-service.lock pyproject.toml
	$(PIN) --upgrade --no-annotate --constraint requirements.lock --group bench --output-file requirements-bench.lock
	$(PIN) --upgrade --no-annotate --constraint requirements.lock --group image --output-file requirements-image.lock
	echo hatchling | $(PIN) --upgrade --no-annotate --constraint requirements.lock --output-file requirements-build.lock -

clean: ## Remove the environment, the demo's kgl.db with its secret, and all caches
	rm -rf $(VENV) dist kgl.db* .kgl .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ensurepip is what a Debian without python3-venv lacks: asking for it here saves a half-made environment.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "kgl needs Python 3.11 or newer with its venv module; on Debian: apt-get install make python3-venv" >&2; \
		echo "Another interpreter than $(PYTHON) can be named: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@# One that works stays: another interpreter put into the same folder would leave a mixture of both.
	@$(BIN)/python -c 'import pip, ssl' 2>/dev/null || { set -x; $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
