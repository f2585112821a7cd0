PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt
# CPU=1: PyTorch without CUDA from its own index first, some 5 GB less.
TORCH := $(if $(CPU),$(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt torch --index-url https://download.pytorch.org/whl/cpu,true)
# One thread for each test process; the tests run in as many processes as there are cores.
export OMP_NUM_THREADS ?= 1

.PHONY: run test test-fast lint bench docs vendor clean

run: $(VENV)/.installed vendor ## Set up, and predict eight known electrodes beside what is measured
	$(BIN)/ionvolt examples

test: $(VENV)/.installed-test vendor ## Set up with the test extras and run the whole suite
	$(BIN)/python -m pytest -n auto --dist loadfile

test-fast: $(VENV)/.installed-test vendor ## The tests that need no shipped model, server or browser: for while you work
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

lint: $(VENV)/.installed-test ## Formatting, lints and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test ## Ratios against the plain published recipe
	$(BIN)/python benchmarks/run.py

docs: $(VENV)/.installed-docs ## The site, into site/; a broken link is an error
	$(BIN)/mkdocs build --strict

vendor: | $(VENV)/bin/python ## Third-party scripts of the web page: locked, checked, fetched once
	$(BIN)/python scripts/vendor/fetch.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(TORCH)
	$(PIP) --editable '.[fast,web]'
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(TORCH)
	$(PIP) --editable '.[test]'
	touch $@ $(VENV)/.installed

# The API reference is made from the sources: nothing of what they import is needed.
$(VENV)/.installed-docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip --disable-pip-version-check --quiet install 'mkdocs-material>=9.7' 'mkdocstrings[python]>=1.0'
	touch $@

clean:
	rm -rf site $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
