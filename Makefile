PYTHON ?= python3
BIN := .venv/bin
TEST_DATA := $(wildcard ../shared/data)
export CALM_TEST_DATA ?= $(abspath $(TEST_DATA))

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

.venv/installed: requirements.txt requirements-dev.txt constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@

demo: .venv/installed  ## Draw SynthBirds, train CALM_EM on the CPU, print the accuracy, draw the maps (about 5 minutes)
	$(BIN)/python main.py --config configs/demo.yaml --override_cache

test: .venv/installed  ## Run the tests
	$(BIN)/python -m pytest -n 2

check: .venv/installed  ## Lint with ruff
	$(BIN)/ruff check .

bench: .venv/installed  ## Run every benchmark; prints one JSON object each
	@for script in $(filter-out benchmarks/measure.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$script || exit 1; done

clean:  ## Remove the environment and the caches, never data or runs
	rm -rf .venv .pytest_cache .ruff_cache
