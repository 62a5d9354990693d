# Everything a newcomer or CI needs. Each target sets up what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
export UV_LINK_MODE ?= copy
# 1: tests on Apache Kafka fail instead of being skipped where Java or Maven is missing.
export REQUIRE_APACHE ?= 0
# Most tests wait for a broker, not for a core. A file's tests stay together, for they share what it starts; the long ones (tests/crash) come first.
IN_PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder

help: ## Show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/.done ## Make the virtual environment with all packages, pinned

.venv/.done: pyproject.toml constraints.txt
	@command -v uv >/dev/null || python3 -m pip install --quiet --disable-pip-version-check uv || \
	  { echo "error: uv is missing and pip could not install it; see https://docs.astral.sh/uv"; exit 1; }
	uv venv --quiet --allow-existing --python 3.11 .venv
	uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[embedded,train,dev]'
	@touch $@

demo: setup ## Simulated customers to trained adapters, on this machine
	@STILL_THREADS=2 OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0 $(BIN)/still demo

test: setup ## All tests except the slow ones
	$(BIN)/pytest -q -m "not slow" $(IN_PARALLEL)

test-all: test ## All tests: the slow ones one after the other, for their faults are meant to be the only ones
	$(BIN)/pytest -q -m slow

test-crash: setup ## 500 kills under a million events on three Apache Kafka nodes, then test-apache; prints its seed, goes on where it was cut off
	$(BIN)/python -m tests.crash.long --broker apache3 $(if $(SEED),--seed $(SEED))
	$(MAKE) test-apache

test-apache: setup ## The slow tests of tests/crash and tests/evolution over Apache Kafka, which test-all has too
	REQUIRE_APACHE=1 $(BIN)/pytest -q -m "slow and apache" tests/crash tests/evolution

check: setup ## Lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## Measure; prints tables, changes nothing
	$(BIN)/python -m bench

main-job: setup ## The public conversations and labels, audited and trained on; needs ../shared/data
	@STILL_THREADS=2 OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0 $(BIN)/python -m bench.main_job

up: setup ## The whole stack in the foreground
	@$(BIN)/still up

clean: ## Forget the embedded data (not the environment)
	rm -rf .still .still-main-job

.PHONY: help setup demo test test-all test-crash test-apache check bench main-job up clean
