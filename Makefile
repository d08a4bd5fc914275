# Two commands do everything: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-emit-index-url --no-emit-find-links --no-annotate --no-header

.PHONY: help setup run test soak bench lint lock clean

help: ## what can be done here
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 10

setup: $(VENV)/.runtime ## the virtual environment with what the dashboard needs

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Brigade needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

run: $(VENV)/.runtime ## open the dashboard, on the embedded default with sample data
	$(BIN)/python -m core serve

test: $(VENV)/.dev ## every test
	$(BIN)/python -m pytest

soak: $(VENV)/.dev ## every durable boundary and 200 kills
	BRIGADE_SOAK=1 $(BIN)/python -m pytest tests/faults

lint: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev ## every benchmark, each a ratio against a baseline in the same run; at the end what must hold
	@$(BIN)/python bench/_overview.py $(BENCH)

lock: $(VENV)/.dev ## pin every dependency again, with hashes
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

clean: ## remove the environment and caches, keep the data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
