# Everything runs in .venv, which is made on first use and again when what it is made from changes.

PYTHON ?= python3
# The one requirement installed first and by itself, so that a CPU-only build can be chosen: make test TORCH_INDEX=URL
TORCH ?= $(shell grep '^torch==' constraints.txt)
TORCH_INDEX ?=
# Package index of everything else; empty: what pip is configured with.
INDEX ?=
PIP_ARGS ?=
EXTRAS ?= dev
FUZZ_FILES ?= 1000000
FUZZ_SEED ?= 0
PORTABILITY_ARGS ?=
PYTEST_ARGS ?=
# Processes that share the tests, file by file
JOBS ?= 2
# Folder with `kodak` and `validation`, for `make bench`.
PHOTOS ?= ../shared/data/photos
# A NIfTI file of unsigned samples, for `make stacks`.
MRI ?=
# Folders with `mnist` and `binarized_mnist`, with the test set of Fashion-MNIST, and with the models, for `make rows`.
DATA ?= ../shared/data
FASHION ?= /usr/share/datasets/fashion-mnist
MODELS ?= .
# For `make bounds`: --steps 4000 --draws 4 --results benchmarks/results/rows for a shorter run that is written all the same.
BOUNDS_ARGS ?=
# For `make gpu-pack`: --limit 30 for fewer MiB, --sets binarized_mnist --data ../shared/data for data sets beside the photographs.
GPU_PACK_ARGS ?=
# For `make gpu-rehearse`: another --recipe, --minutes of training.
GPU_ARGS ?= --minutes 0.2

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

.DEFAULT_GOAL := help
.PHONY: help venv demo test slow check format coverage fuzz portability bench stacks rows bounds tables gpu-pack gpu-rehearse docs wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## make the virtual environment (.venv) with the package in it, editable

$(STAMP): pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),$(if $(INDEX),--index-url $(INDEX))) '$(TORCH)'
	sed '/^torch==/d' constraints.txt > $(VENV)/constraints.txt
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) $(if $(INDEX),--index-url $(INDEX)) -c $(VENV)/constraints.txt -e '.[$(EXTRAS)]'
	touch $@

demo: $(STAMP) ## compress and restore a sample photograph, next to PNG, WebP and JPEG XL
	$(BIN)/python benchmarks/demo.py

test: $(STAMP) ## run the tests in JOBS processes of one thread; PYTEST_ARGS='-k rans' for some of them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(PYTEST_ARGS)

slow: $(STAMP) ## the tests that are cut short in `test`: a hundred kills, 100000 damaged and forged files
	BBANS_KILLS=100 $(BIN)/python -m pytest tests/test_robustness.py -k killed
	$(BIN)/python benchmarks/fuzz.py --files 100000 --seed 1

check: $(STAMP) ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP) ## format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(STAMP) ## damaged and forged files until FUZZ_FILES are done (hours); FUZZ_SEED for others
	$(BIN)/python benchmarks/fuzz.py --files $(FUZZ_FILES) --seed $(FUZZ_SEED)

portability: $(STAMP) ## golden files with other versions of Python and numpy; PORTABILITY_ARGS=--torch for torch too
	$(BIN)/python benchmarks/portability.py $(PORTABILITY_ARGS)

coverage: $(STAMP) ## run the tests and report which branches they miss
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

bench: $(STAMP) ## measure sizes and speeds on PHOTOS against other codecs; writes JSON (minutes)
	$(BIN)/python benchmarks/photos.py $(PHOTOS) --json benchmarks/results/photos.json
	$(BIN)/python benchmarks/histories.py $(PHOTOS) --json benchmarks/results/histories.json

stacks: $(STAMP) ## measure chunks of stacks against other codecs, of the NIfTI file MRI too if given; writes JSON (a minute)
	$(BIN)/python benchmarks/stacks.py $(if $(MRI),--mri $(MRI)) --json benchmarks/results/stacks.json

rows: $(STAMP) ## measure the models in MODELS on the test sets in DATA and FASHION; writes JSON (minutes a model)
	for row in binarised_one_layer binarised_two_layers binarised_best grey_one_layer grey_best; do \
		$(BIN)/python -m benchmarks.tables.$$row $(DATA) --models $(MODELS) --if-there || exit 1; done
	$(BIN)/python -m benchmarks.tables.vqvae $(DATA) --models $(MODELS) --if-there
	$(BIN)/python -m benchmarks.tables.fashion --data $(FASHION) --models $(MODELS)

bounds: $(STAMP) ## train VAEs on bounds of importance weights and measure what codes them; writes JSON (hours); BOUNDS_ARGS='--steps 4000'
	for table in mcbits trained_coded tightness; do \
		$(BIN)/python -m benchmarks.tables.$$table $(DATA) --models $(MODELS) $(BOUNDS_ARGS) || exit 1; done
	$(BIN)/python -m benchmarks.tables.mites
	$(BIN)/python -m benchmarks.tables.snr

tables: $(STAMP) ## write the tables and figures of the README and of docs/ from the benchmarks' JSON
	$(BIN)/python -m benchmarks.tables.write

gpu-pack: $(STAMP) ## make the folder that goes to a machine with a GPU, of the photographs in PHOTOS/train (minutes)
	$(BIN)/python -m benchmarks.gpu.pack $(PHOTOS)/train gpu-pack $(GPU_PACK_ARGS)

gpu-rehearse: $(STAMP) ## what such a machine is to do, on the CPU in small, on the samples (two minutes)
	$(BIN)/python -m benchmarks.gpu.pack samples build/gpu-samples
	$(BIN)/python -m benchmarks.gpu build/gpu-samples --out build/gpu-out --rehearse $(GPU_ARGS)

docs: $(STAMP) ## build the site of the documents and the API into site/, without network
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

wheel: $(STAMP) ## build the wheel into dist/
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
