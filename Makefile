# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export DAGSTER_DISABLE_TELEMETRY := 1
export PYTHONUTF8 := 1
# Dozens of processes of a test run import Dagster or Great Expectations: 4 s from bytecode, 10 s from source.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help tools setup demo test test-long lint ui clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

setup: $(READY) ## create .venv with the pinned packages

demo: $(READY) ## one full night on a sample county through Dagster; mocks started and stopped
	$(BIN)/python -m mock_platforms demo --dir var/demo

ui: $(READY) ## Dagster's web UI and the mocks on the sample county; prints the address to open
	$(BIN)/python -m mock_platforms ui --dir var/ui

tools: ## programs that some tests drive (PostgreSQL, Chromium, LibreOffice), where apt-get may install them
	.ci/tools

lint: $(READY) ## ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml

test: lint tools ## everything CI proves
	$(BIN)/python -m pytest -m "not long" -n 3 --dist loadfile --no-loadscope-reorder

test-long: $(READY) tools ## long campaigns
	$(BIN)/python -m pytest -m long

clean: ## remove generated state (var/), keep .venv
	rm -rf var
