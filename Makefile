PYTHON ?= python3
BIN := .venv/bin
TEST_DATA := $(wildcard ../shared/data)
export CALM_TEST_DATA ?= $(abspath $(TEST_DATA))

.DEFAULT_GOAL := help
.PHONY: help demo test check types bench reproduce clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt constraints.txt | .venv/bin/python
	$(INSTALL) -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(INSTALL) -r requirements-dev.txt
	@touch $@

demo: .venv/installed  ## Draw SynthBirds, train CALM_EM on the CPU, print the accuracy, draw the maps (about 5 minutes)
	$(BIN)/python main.py --config configs/demo.yaml --override_cache

test: .venv/installed-dev  ## Run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/installed-dev types  ## Lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev  ## Check the types of the package as it is installed
	rm -rf .venv/types
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --target .venv/types .
	$(BIN)/ty check --python .venv --project .venv/types --no-respect-ignore-files .venv/types/calm

# Not of speed: measure.py is imported; faults.py and trunks.py train for many minutes to see that it works.
BENCHMARKS = $(filter-out $(addprefix benchmarks/,measure.py faults.py trunks.py),$(wildcard benchmarks/*.py))

bench: .venv/installed  ## Run the benchmarks of speed and memory; prints one JSON object each
	@for script in $(BENCHMARKS); do $(BIN)/python $$script || exit 1; done

reproduce: .venv/installed  ## Run what docs/results.md rests on and write it; says how long first (REDUCED=1: about 40 minutes)
	$(BIN)/python -m experiments run $(if $(REDUCED),--reduced)

clean:  ## Remove the environment and the caches, never data or runs
	rm -rf .venv .pytest_cache .ruff_cache
