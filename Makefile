# For a fresh machine; `make` alone lists what there is. The workflows in .github/ call these targets.
PYTHON ?= python3
PROFILE ?= digits
ON ?= local
VENV ?= .venv
BIN = $(VENV)/bin
# Or `uv pip`: with UV_TORCH_BACKEND=cpu it takes the torch without CUDA, a tenth of the size.
PIP ?= $(BIN)/pip
EXTRAS ?= notebooks,book,workflow,cluster,test
export OMP_NUM_THREADS ?= 1

.PHONY: help study book test test-cluster bench links colab binder environment lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

study: environment  ## train, analyse, build the book (PROFILE=cifar100: the paper; ON=slurm: on a cluster)
	$(BIN)/python tools/study.py $(PROFILE) $(ON)

book: environment  ## the book from results/ alone, nothing trained
	$(BIN)/python tools/study.py results

# Files in the order of tests/conftest.py, the longest first, not by how many tests they have.
test: environment  ## lint, types, walls, every test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/cluster

test-cluster: environment  ## a study on Slurm, started here, and one that is killed in every way (needs slurm-wlm, munge)
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder tests/cluster

bench: environment  ## our loop against the field's usual one (DEVICE=cpu; DATA=folder of CIFAR-100, else noise)
	$(BIN)/python -m benchmarks.bench $(if $(DEVICE),--device $(DEVICE)) $(if $(DATA),--data-dir $(DATA))

links:  ## every link of the book to elsewhere (needs lychee); the books of `make book` and `make study`
	lychee --config .github/lychee.toml "build/results/book/**/*.html" "build/digits/book/**/*.html"

colab: VENV = build/colab
colab:  ## notebooks as Colab runs them, in its versions (its Python: PYTHON=python3.13)
	$(PYTHON) -m venv $(VENV)
	VIRTUAL_ENV=$(VENV) $(PIP) install --quiet --requirement tools/colab-pins.txt
	$(BIN)/python tools/elsewhere.py colab

binder:  ## notebooks with what Binder installs (needs micromamba)
	micromamba create --yes --quiet --prefix build/binder --file binder/environment.yml
	micromamba install --yes --quiet --prefix build/binder --channel conda-forge jupyterlab # which Binder adds
	micromamba run --prefix build/binder binder/postBuild
	micromamba run --prefix build/binder python tools/elsewhere.py binder

environment: $(VENV)/ready  ## what requirements.txt pins, in .venv

$(VENV)/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kdnb needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	VIRTUAL_ENV=$(VENV) $(PIP) install --quiet --constraint requirements.txt --editable '.[$(EXTRAS)]'
	touch $@

lock:  ## requirements.txt anew from pyproject.toml
	$(BIN)/python tools/lock.py

clean:  ## what was made in minutes; the environment, data and other profiles' runs, which took hours, stay
	rm -rf build runs/digits runs/digits.stale .snakemake .pytest_cache .mypy_cache .ruff_cache
