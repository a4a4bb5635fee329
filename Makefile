# The two commands of a first run are `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Idle OpenMP threads spin by default and starve each other on a busy machine.
export OMP_WAIT_POLICY = PASSIVE
export GOMP_SPINCOUNT  = 0

.PHONY: demo test lint bench clean

$(READY): pyproject.toml
	@echo "Setting up $(VENV): about 1.2 GB to download, 2.3 GB on disk; 2 to 5 minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --editable '.[dev]'
	@touch $@

demo: $(READY)  ## answer three questions from the sample handbook
	@$(BIN)/python examples/demo.py

test: $(READY)  ## run the tests
	@$(BIN)/python -m pytest

lint: $(READY)  ## formatting, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:  ## remove the environment and everything Whimbrel made
	rm -rf $(VENV) .whimbrel
