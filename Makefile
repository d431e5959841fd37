# Everything a developer or CI runs.  Each target does the set-up it needs, once.
#
#   make demo                    two commands are enough on a fresh Debian machine with
#   make test                    Python 3.10 or newer, git and make
#   make test PYTHON=python3.12  with a Python of your choice (after make clean)
#   make test ARGS="-k tds"      arguments for pytest

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
SHELL := /bin/bash
# Servers, clients and workers start often: none shall compile the same modules again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test matrix lint bench install-sql dist clean system

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## /  make \1\t/p' Makefile | expand -t 20

setup: $(VENV)/dev.stamp  ## .venv with the project and all that tests and lint need

demo: $(VENV)/demo.stamp  ## the whole way on real data: regressions inside the server, in parallel
	@$(BIN)/python examples/demo.py

test: $(VENV)/dev.stamp  ## pytest, in parallel, in random order
	@$(BIN)/python -m pytest $(ARGS)

matrix: $(VENV)/dev.stamp  ## every Python as client with every Python as server
	@$(BIN)/python -m pytest tests/integration/test_matrix.py --matrix $(ARGS)

lint: $(VENV)/dev.stamp  ## style, types, T-SQL by Microsoft's parser, shell, Dockerfiles, workflow
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m sqlexec.bundle --check
	@$(BIN)/python -m tests.bundle.conventions
	@$(BIN)/shellcheck docker/*.sh tools/*.sh .ci/run
	@$(BIN)/hadolint docker/Dockerfile.*
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker/docker-compose.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

bench: $(VENV)/dev.stamp  ## speed and memory, as ratios to what others need for the same
	@$(BIN)/python -m tests.benchmarks.bench $(ARGS)

install-sql: $(VENV)/dev.stamp  ## write sql/install.sql and its SHA-256 sums anew
	@$(BIN)/python -m sqlexec.bundle

dist: install-sql  ## sdist and wheel in dist/
	@$(BIN)/python -m hatchling build

clean:  ## remove .venv and all caches
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find sqlexec tests examples -name __pycache__ -prune -exec rm -rf {} +

# --- set-up: .venv/EXTRA.stamp stands for the project installed with that extra ----------

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing sqlexec[dev] into $(VENV) ..."
	@$(PIP) -e '.[dev]'
	@$(BIN)/python -m tests.bundle.scriptdom || echo "No T-SQL parser: its tests are skipped." >&2
	@touch $@ $(VENV)/demo.stamp

$(VENV)/demo.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing sqlexec[demo] into $(VENV) ..."
	@$(PIP) -e '.[demo]'
	@touch $@

$(BIN)/python: | system
	@python=$$(tools/find_python.sh "$(PYTHON)") && $$python -m venv $(VENV)

system:
	@tools/system_packages.sh
