PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt
# One thread for each test process; the tests run in as many processes as there are cores.
export OMP_NUM_THREADS ?= 1

.PHONY: run test lint bench vendor clean

run: $(VENV)/.installed vendor ## Set up and predict the bundled examples for several ions
	$(BIN)/ionvolt predict src/ionvolt/examples --ion Li,Na,Mg,Ca,Zn,Al

test: $(VENV)/.installed-test vendor ## Set up with the test extras and run the whole suite
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/.installed-test ## Formatting, lints and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test ## Ratios against the plain published recipe
	$(BIN)/python benchmarks/run.py

vendor: | $(VENV)/bin/python ## Third-party scripts of the web page: locked, checked, fetched once
	$(BIN)/python scripts/vendor/fetch.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[fast]'
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[test]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
