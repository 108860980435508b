# For a fresh machine: `make study` trains and builds the book, `make book` builds it from what is published, `make test`.
PYTHON ?= python3
PROFILE ?= digits
VENV ?= .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

.PHONY: study book test bench environment lock clean

study: environment  ## train, analyse, build the book (PROFILE=cifar100: the paper)
	$(BIN)/python tools/study.py $(PROFILE)

book: environment  ## the book from results/ alone, nothing trained
	$(BIN)/python tools/study.py results

test: environment  ## lint, types, walls, every test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadfile

bench: environment  ## our loop against the field's usual one (DEVICE=cpu; DATA=folder of CIFAR-100, else noise)
	$(BIN)/python -m benchmarks.bench $(if $(DEVICE),--device $(DEVICE)) $(if $(DATA),--data-dir $(DATA))

environment: $(VENV)/ready

$(VENV)/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kdnb needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

lock:  ## requirements.txt anew from pyproject.toml
	$(BIN)/python tools/lock.py

clean:  ## what was made in minutes; the environment, data and other profiles' runs, which took hours, stay
	rm -rf build runs/digits runs/digits.stale .snakemake .pytest_cache .mypy_cache .ruff_cache
